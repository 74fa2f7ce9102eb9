"""A person as the model: the prompt is printed, the answer read until it is whole."""

from __future__ import annotations

import io
from typing import Any

import pytest

from imagewright.agents.layout.llm import LLMLayoutPlanner
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.agents.llm.ask import Asker, Line
from imagewright.agents.llm.models import connect


def planned(text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    """The plan when a person pastes ``text``, and what was told."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    notes: list[str] = []
    asker = Asker("lmd", (connect("paste"),), Line(on_note=notes.append))
    return LLMLayoutPlanner(asker, RulesLayoutPlanner(), notes.append, lmd=True).plan(
        "a red cup and a blue bowl."
    ), notes


def test_an_answer_in_the_published_form_is_pasted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = (
        "Objects: [('a red cup', [40, 200, 180, 180]), ('a blue bowl', [290, 220, 180, 160])]\n"
        "Background prompt: A realistic scene\nNegative prompt: \n.\n"
    )
    plan, notes = planned(answer, monkeypatch)
    assert plan.decided_by == "llm"
    assert [box.caption for box in plan.layout.boxes] == ["a red cup", "a blue bowl"]
    assert plan.layout.boxes[0].x == pytest.approx(40 / 512, abs=1e-4)
    assert notes == []
    told = capsys.readouterr()
    assert "Caption: a red cup and a blue bowl\n" in told.err
    assert told.out == ""


def test_a_mistake_is_told_and_the_person_may_paste_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = "[('a red cup', [40, 200, 180, 180]), ('a blue bowl', [290, 220, 180, 160])]"
    good = f"Objects: {objects}\nBackground prompt: x\n.\n"
    plan, _ = planned(f"what?\n.\n{good}", monkeypatch)
    assert plan.decided_by == "llm"
    assert "That cannot be used: the answer has no lines" in capsys.readouterr().err


def test_nothing_pasted_leaves_it_to_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, [note] = planned("", monkeypatch)
    assert plan == RulesLayoutPlanner().plan("a red cup and a blue bowl.")
    assert "nothing was pasted" in note
