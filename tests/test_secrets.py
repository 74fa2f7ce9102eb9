"""A sentinel key through everything: it is in no log, trace, database, picture or line on the screen."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import warm

SENTINEL = "sk-sentinel0123456789abcdefSENTINEL"
SAID = "a red circle\nmake it blue\nwhy?\nthumbs up\nI like watercolour\nfoo the bar\nundo\n"


def test_a_key_leaves_no_trace(tmp_path: Path) -> None:
    """The keys of the environment, one in a workflow that is added, and a server that refuses the connection."""
    names = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "IMAGEWRIGHT_LLM_KEY", "HF_TOKEN")
    environment = {**os.environ, **dict.fromkeys(names, SENTINEL), "IMAGEWRIGHT_HOME": str(tmp_path / "home"),
                   "OMP_NUM_THREADS": "1"}  # fmt: skip
    flow = json.loads((Path(__file__).parent.parent / "retrieval" / "flows" / "mini-quick.json").read_text())
    graph = flow.get("graph", flow)
    first = next(iter(graph.values()))
    first["_meta"] = {"title": f"key {SENTINEL}"}
    (tmp_path / "with-key.json").write_text(json.dumps(graph))
    said = []
    for words, text in (
        (["flows", "add", "with-key.json"], ""),
        (["chat", "--flow", "with-key", "--no-critic", "--out", "out"], SAID),
        (
            [
                "draw",
                "a red circle",
                "--llm",
                "openai:none@http://127.0.0.1:9/v1",
                "--max-images",
                "1",
                "--out",
                "one.png",
            ],
            "",
        ),
        (["runs", "list", "--json"], ""),
        (["threads", "export", "chat", "--out", "export"], ""),
        (["config", "show", "--json"], ""),
        (["doctor"], ""),
    ):
        done = warm.run(
            [sys.executable, "-m", "imagewright.cli", *words], input=text, cwd=tmp_path, env=environment,
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        said.append(done.stdout + done.stderr)
    (tmp_path / "with-key.json").unlink()
    assert (tmp_path / "out" / "chat-02.png").exists(), said
    assert (tmp_path / "one.png").exists(), said
    hits = [text[:200] for text in said if SENTINEL in text]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    hits += [str(path) for path in files if SENTINEL.encode() in path.read_bytes()]
    assert hits == []
    assert len(files) > 20
