"""A language model reads a conversation into the same closed decision as the rules, or the rules do."""

from __future__ import annotations

from typing import Any

import pytest

from imagewright.agents.conversation.llm import LLMInterpreter
from imagewright.agents.conversation.rules import RulesInterpreter
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.intents import Edit, Intent, Reference

RULES = RulesInterpreter()


def picture(number: int, prompt: str) -> Reference:
    """An earlier picture of the conversation."""
    planned = RulesLayoutPlanner().plan(prompt)
    return Reference(run=f"run-{number}", prompt=prompt, image="0" * 64, flow="f", seed=1, number=number,
                     parsed=planned.parsed, layout=planned.layout)  # fmt: skip


PICTURES = (picture(1, "an owl"), picture(2, "a red circle left of a blue square"))


def said(made: Any, text: str, pictures: tuple[Reference, ...] = PICTURES) -> Intent:
    """What the model's answers come to."""
    return LLMInterpreter(made.asker("interpreter"), RULES, made.notes.append).interpret(text, pictures)


def test_an_edit_names_boxes_of_the_present_picture(desk: Any) -> None:
    edit = {"op": "recolour", "boxes": [0], "text": "green"}
    made = desk({"kind": "edit", "edits": [edit]})
    intent = said(made, "could the round thing be greenish instead")
    assert (intent.kind, intent.base, intent.decided_by) == ("edit", "run-2", "llm")
    assert intent.edits == (Edit(op="recolour", boxes=(0,), text="green"),)
    assert '[0,"a red circle",' in made.heard[0]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"kind": "undo", "picture": 1}, {"kind": "undo", "base": "run-1"}),
        ({"kind": "vary"}, {"kind": "vary", "base": "run-2"}),
        ({"kind": "question", "topic": "seed"}, {"kind": "question", "topic": "seed"}),
        ({"kind": "feedback", "thumb": "up"}, {"kind": "feedback", "thumb": "up"}),
        ({"kind": "create", "prompt": "three cats"}, {"kind": "create", "prompt": "three cats"}),
        ({"kind": "unclear", "question": "Which one?"}, {"kind": "unclear", "reason": "Which one?"}),
    ],
)
def test_other_decisions(answer: dict[str, Any], expected: dict[str, str], desk: Any) -> None:
    intent = said(desk(answer), "hm, you know what I mean")
    assert {name: getattr(intent, name) for name in expected} == expected


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "edit", "edits": [{"op": "recolour", "boxes": [9], "text": "green"}]},
        {"kind": "edit", "edits": []},
        {"kind": "edit", "edits": [{"op": "run", "text": "rm -rf /"}]},
        {"kind": "undo", "picture": 7},
        {"kind": "delete_everything"},
        {"kind": "create", "prompt": ""},
        {"kind": "unclear"},
    ],
)
def test_what_cannot_be_carried_out_is_left_to_the_rules(answer: dict[str, Any], desk: Any) -> None:
    made = desk(*[answer] * 3)
    assert said(made, "make the circle bigger") == RULES.interpret("make the circle bigger", PICTURES)
    [note] = made.notes
    assert note.startswith("the rules read what was said")


def test_a_first_saying_and_a_lasting_wish_ask_nobody(desk: Any) -> None:
    made = desk()
    assert said(made, "two cats", ()) == RULES.interpret("two cats", ())
    assert said(made, "I like watercolour") == RULES.interpret("I like watercolour", PICTURES)
    assert made.heard == ()
