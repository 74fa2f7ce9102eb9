"""The page of captures is what the terminal shows today."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).with_name("llm_captures.py")


@pytest.fixture(scope="module")
def made(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    """The script that makes the page."""
    pytest.importorskip("langchain_openai")
    return load_module("imagewright_llm_captures", SCRIPT)


def test_the_page_is_made_again_as_it_is_kept(made: ModuleType) -> None:
    kept, now = made.PAGE.read_text(encoding="utf-8"), made.page()
    lines = difflib.unified_diff(kept.splitlines(), now.splitlines(), "docs/llm_captures.md", "now", lineterm="", n=1)
    assert kept == now, "\n".join(lines) + "\nmake it again: python tests/graph/llm_captures.py"


def test_it_shows_every_agent_on_every_fault_and_each_says_so(made: ModuleType) -> None:
    captures = made.PAGE.read_text(encoding="utf-8").split("```text\n")[1:]
    assert len(captures) == len(made.AGENTS) * len(made.FAULTS)
    for capture in captures:
        assert "  fallback   " in capture
        assert "  delivered  ~/pictures/imagewright-" in capture
        assert "Traceback" not in capture
    told = made.PAGE.read_text(encoding="utf-8")
    for words in (
        "the rules read what was said", "the rules labelled the prompt", "the rules chose the flow",
        "the rules placed the boxes", "the prompt stays in the person's words", "the picture was left to the critic",
    ):  # fmt: skip
        assert told.count(f"fallback   {words}") == len(made.FAULTS), words


def test_what_differs_from_run_to_run_is_made_alike(made: ModuleType) -> None:
    text = "run 20261121-171144-7c41d6  \nhttp://127.0.0.1:99 /tmp/x/p.png (seed 7, 12.3 s)\n1 image, 0.2 s"
    told = made.alike(text, "http://127.0.0.1:99", "/tmp/x")
    assert told == (
        "run 20260101-120000-abcdef\nhttp://localhost:8000 ~/pictures/p.png (seed 7, 0.1 s)\n1 image, 0.1 s"
    )
