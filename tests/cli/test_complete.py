"""Names that the Tab key offers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagewright.cli import complete as cli_complete
from imagewright.memory.runs import RunLog
from imagewright.schemas import DrawRequest


def test_runs_and_conversations_by_what_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(tmp_path))
    log = RunLog(tmp_path / "imagewright.sqlite", tmp_path / "locks")
    for run, thread in (("20260101-a", "thread owls"), ("20260102-b", "thread foxes"), ("20260103-c", "run x")):
        log.start(run, thread, DrawRequest(prompt="a fox"), 1, tmp_path / f"{run}.png")
    assert cli_complete.runs("202601") == ["20260103-c", "20260102-b", "20260101-a"]
    assert cli_complete.runs("20260102") == ["20260102-b"]
    assert cli_complete.threads("") == ["foxes", "owls"]
    assert cli_complete.threads("o") == ["owls"]
    assert cli_complete.threads("%") == []


def test_a_home_that_is_not_there_offers_nothing_and_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(tmp_path / "none"))
    assert cli_complete.flows("") == []
    assert not (tmp_path / "none").exists()
    (tmp_path / "imagewright.sqlite").write_bytes(b"no database")
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(tmp_path))
    assert cli_complete.runs("") == []


HEAVY = {
    "PIL", "anthropic", "chromadb", "diffusers", "langchain_core", "langgraph", "numpy", "openai", "rich", "scipy",
    "sentence_transformers", "torch", "transformers",
}  # fmt: skip


@pytest.mark.parametrize("words", ["draw x --flow m", "runs show 2026", "threads show o"])
def test_a_name_is_offered_without_heavy_imports(words: str, tmp_path: Path) -> None:
    log = RunLog(tmp_path / "imagewright.sqlite", tmp_path / "locks")
    log.start("20260101-a", "thread owls", DrawRequest(prompt="a fox"), 1, tmp_path / "a.png")
    code = (
        "import sys, atexit; sys.argv = ['imagewright']\n"
        "atexit.register(lambda: print('LOADED', *sys.modules, file=sys.stderr))\n"
        "from imagewright.cli import main; main()"
    )
    asked = {"_IMAGEWRIGHT_COMPLETE": "complete_bash", "COMP_WORDS": f"imagewright {words}",
             "COMP_CWORD": str(len(words.split())), "IMAGEWRIGHT_HOME": str(tmp_path)}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    offered, loaded = done.stdout.split(), set(done.stderr.rpartition("LOADED")[2].split())
    assert offered == {"draw": [], "runs": ["20260101-a"], "threads": ["owls"]}[words.split()[0]]
    assert {"imagewright.api", "imagewright.database"} <= loaded
    assert not loaded & HEAVY


def test_flows_of_an_index_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imagewright import Imagewright

    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(tmp_path))
    flows = [flow.id for flow in Imagewright().index.list()]
    assert cli_complete.flows("") == sorted(flows)
    assert cli_complete.flows("mini-q") == ["mini-quick"]
