"""Names that the Tab key offers."""

from __future__ import annotations

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
