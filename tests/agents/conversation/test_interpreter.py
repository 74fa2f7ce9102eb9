"""What people say in a conversation, told apart by rules: new picture, change, step back, question, thumb, wish."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from imagewright.agents.conversation.kinds import assume, insist, reply_to
from imagewright.agents.conversation.rules import RulesInterpreter
from imagewright.errors import BadInput
from imagewright.intents import Intent, Reference


@pytest.fixture(scope="module")
def pictures(load_module: Callable[[str, Path], ModuleType]) -> tuple[Reference, ...]:
    """A thread of three pictures."""
    kit = load_module("imagewright_edit_kit", Path(__file__).parents[1] / "edit_kit.py")
    prompts = ("an owl on a branch", "a red circle above a blue square", "two yellow stars and a green house")
    return tuple(kit.picture(prompt, number) for number, prompt in enumerate(prompts, 1))


SAYINGS = [
    ("undo", "undo", "run-2"), ("Undo that, please.", "undo", "run-2"), ("undo twice", "undo", "run-1"),
    ("go back to the owl", "branch", "run-1"), ("go back to picture 2", "branch", "run-2"),
    ("use the first one", "branch", "run-1"), ("I liked the second one better", "branch", "run-2"),
    ("one more", "vary", "run-3"), ("another one please", "vary", "run-3"), ("try again", "vary", "run-3"),
    ("like the second one", "vary", "run-2"), ("seed 12", "vary", "run-3"),
    ("why this flow?", "question", "run-3"), ("which seed was that?", "question", "run-3"),
    ("thumbs up", "feedback", "run-3"), ("👎", "feedback", "run-3"), ("I don't like it", "feedback", "run-3"),
    ("I like watercolour", "preference", ""), ("never text", "preference", ""),
    ("forget that I like watercolour", "preference", ""),
    ("the second one but at night", "edit", "run-2"), ("make the house red", "edit", "run-3"),
    ("two red circles above a blue square", "create", ""), ("a house", "create", ""),
    ("draw a red circle", "create", ""), ("a big red star on a blue background", "create", ""),
    ("make the dog bigger", "unclear", ""), ("make the star red", "unclear", ""),
]  # fmt: skip


@pytest.mark.parametrize(("said", "kind", "base"), SAYINGS)
def test_what_is_said_is_told_apart(said: str, kind: str, base: str, pictures: tuple[Reference, ...]) -> None:
    intent = RulesInterpreter().interpret(said, pictures)
    assert (intent.kind, getattr(intent, "base", "")) == (kind, base)


def test_a_seed_a_thumb_a_topic_and_a_wish_are_read(pictures: tuple[Reference, ...]) -> None:
    read = RulesInterpreter().interpret
    assert read("same but with seed 12", pictures).seed == 12
    assert (read("thumbs up", pictures).thumb, read("I hate it", pictures).thumb) == ("up", "down")
    assert [read(text, pictures).topic for text in ("why this flow?", "what seed?", "how long did it take?")] == [
        "flow", "seed", "cost"
    ]  # fmt: skip
    wish = read("never draw cats", pictures).preference
    assert wish is not None
    assert (wish.kind, wish.text, wish.on) == ("never", "cat", True)


def test_without_a_picture_a_change_of_one_is_a_prompt_or_a_question() -> None:
    read = RulesInterpreter().interpret
    assert read("undo", ()).kind == "unclear"
    assert read("a bigger fox", ()).kind == "create"
    assert read("", ()).reason == "the prompt is empty"
    assert read("a \x07 bell", ()).kind == "unclear"


def test_an_unclear_intent_is_refused_or_its_first_choice_assumed(pictures: tuple[Reference, ...]) -> None:
    read = RulesInterpreter().interpret
    unclear = read("make the star red", pictures)
    with pytest.raises(BadInput, match="which one"):
        insist(unclear)
    intent, why = assume(unclear, lambda text: read(text, pictures))
    assert intent.kind == "edit"
    assert why.startswith("assumed: make the top yellow star red")
    with pytest.raises(BadInput, match="empty"):
        assume(read("", ()), lambda text: read(text, ()))


CHOICES = ("make the left red circle green", "make the right red circle green")


@pytest.mark.parametrize(
    ("reply", "next_said"),
    [("2", CHOICES[1]), ("the left one", CHOICES[0]), ("right", CHOICES[1]), ("never mind", ""), ("", ""),
     ("a yellow star", "a yellow star"), ("both", "both")],
)  # fmt: skip
def test_a_reply_picks_a_choice_or_says_something_new(reply: str, next_said: str) -> None:
    assert reply_to(Intent(kind="unclear", reason="which?", choices=CHOICES), reply) == next_said
