"""Layouts of language models keep what the prompt says, or the rules place the boxes."""

from __future__ import annotations

from typing import Any

import pytest

from imagewright.agents.layout.llm import LLMLayoutPlanner, why_unusable
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.agents.reading.parse import parse_prompt
from imagewright.schemas import Box, Layout, ParsedPrompt

PROMPT = "two red circles above a blue square"
RULES = RulesLayoutPlanner()


def box(name: str, x: float, y: float, colour: str = "red", side: float = 0.3) -> dict[str, object]:
    """One box of an answer."""
    return {"caption": f"a {colour} {name}", "object": name, "attributes": [colour], "x": x, "y": y,
            "width": side, "height": side}  # fmt: skip


RIGHT = [box("circle", 0.1, 0.1), box("circle", 0.6, 0.1), box("square", 0.35, 0.6, "blue")]


def planner(made: Any, lmd: bool = False) -> LLMLayoutPlanner:
    """A planner before the rules."""
    return LLMLayoutPlanner(made.asker("layout"), RULES, made.notes.append, lmd)


def test_a_layout_that_keeps_the_rules_is_used_and_the_reading_stays_the_rules(desk: Any) -> None:
    made = desk({"boxes": RIGHT, "background": "a white wall", "negative": "dogs"})
    planned = planner(made).plan(PROMPT)
    assert planned.decided_by == "llm"
    assert [(b.x, b.y) for b in planned.layout.boxes] == [(0.1, 0.1), (0.6, 0.1), (0.35, 0.6)]
    assert (planned.layout.background, planned.layout.negative) == ("a white wall", "dogs")
    assert planned.parsed == RULES.plan(PROMPT).parsed
    assert made.notes == []


@pytest.mark.parametrize(
    ("boxes", "complaint"),
    [
        ([box("circle", 0.1, 0.1), box("circle", 0.8, 0.1), box("square", 0.4, 0.6)], "leaves the canvas"),
        ([box("circle", 0.1, 0.1), box("circle", 0.2, 0.1), box("square", 0.4, 0.6)], "overlap by more than 10%"),
        ([box("circle", 0.1, 0.1), box("square", 0.4, 0.6)], "2 circle, not 1"),
        ([box("circle", 0.1, 0.6), box("circle", 0.6, 0.6), box("square", 0.4, 0.1)], "circle must be above of the"),
        ([{**box("circle", 0.1, 0.1), "width": 0.05}], "width"),
        ([{**box("circle", 0.1, 0.1), "x": float("1e400")}], "boxes.0.x"),
    ],
)
def test_a_layout_that_breaks_a_rule_is_shown_it_then_left_to_the_rules(
    boxes: list[Any], complaint: str, desk: Any
) -> None:
    made = desk(*[{"boxes": boxes, "background": "", "negative": ""}] * 3)
    planned = planner(made).plan(PROMPT)
    assert planned == RULES.plan(PROMPT)
    assert complaint in made.heard[1]
    [note] = made.notes
    assert note.startswith("the rules placed the boxes: ")


def test_the_published_form_is_asked_for_and_read(desk: Any) -> None:
    said = (
        "Objects: [('a red circle', [50, 50, 150, 150]), ('a red circle', [300, 60, 150, 150]), "
        "('a blue square', [180, 320, 160, 160])]\nBackground prompt: A realistic scene\nNegative prompt: None"
    )
    made = desk(said)
    planned = planner(made, lmd=True).plan(PROMPT)
    assert planned.decided_by == "llm"
    assert [(b.object, b.attributes) for b in planned.layout.boxes][2] == ("square", ("blue",))
    assert (planned.layout.background, planned.layout.negative) == ("A realistic scene", "")
    assert made.heard == (f"Caption: {PROMPT}",)


def test_the_rules_own_layouts_pass_the_check_that_models_must_pass() -> None:
    for prompt in (PROMPT, "a cat to the left of a dog", "five green stars", "a house", "no dogs, two cats"):
        planned = RULES.plan(prompt)
        assert why_unusable(planned.layout, planned.parsed) == ""


def test_overlap_is_measured_by_the_smaller_box_and_allowed_inside() -> None:
    large = Box(caption="a box", object="box", x=0, y=0, width=1, height=1)
    small = Box(caption="a cat", object="cat", x=0.4, y=0.4, width=0.1, height=0.1)
    assert "overlap" in why_unusable(Layout(boxes=(large, small)), ParsedPrompt())
    assert why_unusable(Layout(boxes=(large, small)), parse_prompt("a cat inside a box")) == ""


def test_what_must_not_appear_gets_no_box_and_a_guess_is_no_count() -> None:
    dog = Box(caption="a dog", object="dog", x=0.1, y=0.1, width=0.2, height=0.2)
    assert "no dog" in why_unusable(Layout(boxes=(dog,)), parse_prompt("a park without dogs"))
    assert why_unusable(Layout(boxes=(dog,)), parse_prompt("some dogs")) == ""
    assert "3 dog, not 1" in why_unusable(Layout(boxes=(dog,)), parse_prompt("three dogs"))
