"""Prompts are files with a version, and what is put into them stays data."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.agents.llm import prompt_files
from imagewright.agents.llm.prompt_files import files, prompt
from imagewright.errors import Fault

VALUES = dict.fromkeys(
    (
        "prompt",
        "categories",
        "flows",
        "minimum",
        "request",
        "most",
        "questions",
        "boxes",
        "crops",
        "tried",
        "pictures",
        "said",
        "repairs",
    ),
    "…",
)


def test_every_file_has_a_version_and_rules_that_do_not_change() -> None:
    agents = {
        "categorizer",
        "selector",
        "layout",
        "layout_lmd",
        "writer",
        "critic",
        "sight",
        "interpreter",
        "polish",
        "compare",
    }
    assert agents <= set(files())
    for name in files():
        first, second = prompt(name, **VALUES), prompt(name, **{**VALUES, "prompt": "another", "request": "another"})
        assert first.version >= 1
        assert first.rules == second.rules
        assert first.request
        assert "{{" not in first.text
        assert first.text.startswith(first.rules)


def test_values_in_a_prompt_are_not_read_as_its_places() -> None:
    text = prompt("selector", prompt=["{{flows}}"], categories=["A"], flows=[{"id": "secret"}]).text
    assert text.count("secret") == 1
    assert "{{flows}}" in text


@pytest.mark.parametrize("text", ["You label.\n<!-- request -->\nx", "---\nversion: 1\n---\nYou label.", None])
def test_a_broken_file_is_a_fault_of_the_installation(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_files, "FOLDER", tmp_path)
    if text is not None:
        (tmp_path / "broken.md").write_text(text)
    prompt_files._parts.cache_clear()
    with pytest.raises(Fault, match=r"broken\.md"):
        prompt("broken")
