"""Orders and questions of a conversation, as they are carried out and answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.graph.runner import Outcome

Studio = Callable[..., Any]


def said(outcome: Outcome) -> str:
    """What was answered."""
    assert outcome.answer is not None, outcome
    return outcome.answer.text


def test_a_picture_is_saved_under_a_plain_name_and_never_over_another(studio: Studio) -> None:
    home = studio()
    first = home.say("a yellow star").result
    assert said(home.say("save it as boat.png")).endswith("boat.png")
    assert (home.home / "boat.png").read_bytes() == home.store.get(first.image).read_bytes()
    home.say("make it red")
    with pytest.raises(BadInput, match="is there already"):
        home.say("save it as boat.png")
    for name in ("../boat.png", "/tmp/boat.png", "a/b.png"):
        with pytest.raises(BadInput, match="plain file name"):
            home.say(f"save it as {name}")
    assert not (Path(home.home).parent / "boat.png").exists()
    assert len(home.line()) == 2


def test_help_and_what_cannot_be_done_draw_nothing(studio: Studio) -> None:
    home = studio()
    home.say("a yellow star")
    before = len(home.backend.jobs)
    assert "swap them" in said(home.say("help"))
    assert "moved" in said(home.say("rotate the star"))
    assert "--size" in said(home.say("make it 16:9"))
    assert len(home.backend.jobs) == before


def test_redo_takes_back_an_undo(studio: Studio) -> None:
    home = studio()
    home.say("a yellow star")
    home.say("make it red")
    home.say("undo")
    assert home.line() == ["a yellow star"]
    assert said(home.say("redo")).startswith("back to picture 2")
    assert home.line() == ["a yellow star", "a red star"]
    assert "nothing was undone" in said(home.say("redo"))


def test_questions_have_short_answers(studio: Studio) -> None:
    home = studio()
    home.say("a yellow star above a blue house")
    home.say("make the star red")
    assert said(home.say("what changed?")) == "picture 2 came of 'make the star red': changed a red star"
    assert said(home.say("why is the star red?")).startswith("because the prompt says so: a red star")
    assert "no moon" in said(home.say("why is the moon blue?"))
    assert "checks right, score 1.00" in said(home.say("how confident are you?"))
    assert said(home.say("what does it look like now?")).startswith("picture 2: ")
    assert said(home.say("what can you draw?")).startswith("fine: Paint fine")


def test_a_slip_of_the_fingers_is_read_and_said(studio: Studio) -> None:
    home = studio()
    home.say("a yellow star above a blue house")
    result = home.say("make teh hosue biger").result
    assert "read as: make the house bigger" in result.notes


def test_what_is_not_understood_is_asked_and_n_lets_it_be(studio: Studio) -> None:
    home = studio()
    home.say("a yellow star")
    before = len(home.backend.jobs)
    asked = home.say("lock the star")
    assert asked.question.choices == ("draw anew: lock the star", "help")
    assert said(home.reply("n")) == "all right, nothing is changed"
    home.say("lock the star")
    assert "say what to draw" in said(home.reply("2"))
    assert len(home.backend.jobs) == before
