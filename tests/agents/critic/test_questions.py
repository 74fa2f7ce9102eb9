"""What a picture is asked follows from the prompt alone."""

from __future__ import annotations

from imagewright.agents.critic.questions import MOST_QUESTIONS, questions
from imagewright.agents.layout.rules import RulesLayoutPlanner

PLANNER = RulesLayoutPlanner()


def asked(prompt: str) -> dict[str, str]:
    """Topic of each question by its text."""
    planned = PLANNER.plan(prompt)
    return {question.text: question.topic for question in questions(prompt, planned.parsed, planned.layout)}


def test_counts_attributes_and_relations() -> None:
    assert asked("two red circles above a blue square") == {
        "Are there exactly two circles?": "count",
        "Is there a blue square?": "present",
        "Is there just one square?": "count",
        "Are the red circles above the blue square?": "relation",
        "Is every circle red?": "attribute",
        "Is the square blue?": "attribute",
    }


def test_text_style_background_places_and_what_must_not_appear() -> None:
    found = asked('a sign that says "Open" at the top left, watercolour, on a white background, no people')
    assert found['Can the words "Open" be read, spelled just so?'] == "text"
    assert "absent" in found.values()
    assert "style" in found.values()
    assert "background" in found.values()
    assert any(text.endswith("in the upper left of the picture?") for text in found)


def test_questions_name_their_box_and_are_not_endless() -> None:
    planned = PLANNER.plan("a red cup left of a green cup")
    boxes = {q.text: q.box for q in questions("", planned.parsed, planned.layout) if q.topic == "present"}
    assert boxes == {"Is there a red cup?": 0, "Is there a green cup?": 1}
    many = ", ".join(f"a red {name}" for name in "cat dog cow pig hen fox owl bear lion frog".split())
    planned = PLANNER.plan(many)
    assert len(questions(many, planned.parsed, planned.layout)) == MOST_QUESTIONS
    assert questions("", PLANNER.plan("").parsed, None) == ()
