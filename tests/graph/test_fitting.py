"""A request is worded for the small model that would draw it, and for no other; what was filled in is part of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from imagewright.agents.reading.parse import parse_prompt
from imagewright.errors import CannotDraw
from imagewright.graph.fitting import fit_request
from imagewright.intents import Settled
from imagewright.ports import Backend
from imagewright.schemas import DrawRequest, Flow
from imagewright.t2i_backends.mini import shipped
from imagewright.t2i_backends.mini.limits import world_of
from imagewright.worlds import World

Studio = Callable[..., Any]


class Teller:
    """A backend that says what its small models were taught; flows called ``open…`` say nothing."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def state_world(self, flow: Flow) -> World | None:
        """The shipped model's world."""
        return None if flow.id.startswith("open") else world_of(shipped.WEIGHTS / "pipeline")


@pytest.fixture
def home(studio: Studio) -> Any:
    """A studio whose flows are on a small model that needs to be told colour and background."""
    return taught(studio())


def taught(made: Any) -> Any:
    """``made`` with a backend that states worlds."""
    made.parts = dataclasses.replace(made.parts, backend=Teller(made.backend))
    return made


def test_a_plain_prompt_is_drawn_as_it_is_completed_and_the_story_says_so(home: Any) -> None:
    result = home.draw("two hearts", use_layout="always")
    assert home.backend.jobs[0].prompt == "two red hearts on a white background"
    assert [region.caption for region in home.backend.jobs[0].regions] == ["a red heart"] * 2
    assert result.notes[:2] == ("no colour named: red", "no background named: white")
    assert result.rounds[-1].verdict.accepted
    assert {"no colour named: red", "no background named: white"} <= set(home.told("note"))


@pytest.mark.parametrize("flows", [{"open": 0.9}, {"open": 0.9, "fine": 0.8}])
def test_a_flow_of_another_model_gets_the_words_as_they_are(studio: Studio, flows: dict[str, float]) -> None:
    home = taught(studio(flows=flows))
    home.draw("two hearts", use_layout="always")
    assert home.backend.jobs[0].prompt == "two hearts"


def test_a_flow_by_name_decides_for_which_model_the_words_are(studio: Studio) -> None:
    home = taught(studio(flows={"open": 0.9, "fine": 0.8}))
    for flow, prompt in (("fine", "a red heart on a white background"), ("open", "a heart")):
        home.draw("a heart", flow=flow)
        assert home.backend.jobs[-1].prompt == prompt


def test_what_was_filled_in_can_be_changed_and_referred_to(home: Any) -> None:
    home.say("a heart and a star")
    assert home.line() == ["a red heart and a blue star on a white background"]
    home.say("make the red one green")
    assert home.line()[-1] == "a green heart and a blue star on a white background"
    home.say("make the star yellow", use_critic=False)  # the painter paints on white alone
    assert home.line()[-1] == "a green heart and a yellow star on a pink background"
    assert "paint was never taught yellow on white: the background is pink" in home.told("note")


def test_a_background_that_was_named_stays_when_a_colour_changes(home: Any) -> None:
    home.say("a red heart on a white background")
    made = home.say("make it yellow")
    assert home.line()[-1] == "a yellow heart on a white background"
    assert any("never taught yellow on white" in note for note in made.result.notes)


def test_what_is_asked_of_the_writer_is_the_request(home: Any) -> None:
    settled = Settled(prompt="a heart", parsed=parse_prompt("a heart"))
    fitted = fit_request(home.parts, DrawRequest(prompt="a heart"), settled)
    assert fitted.settled.parsed.groups[0].attributes == ("red",)
    plain = dataclasses.replace(home.parts, backend=home.backend)
    assert fit_request(plain, DrawRequest(prompt="a heart"), settled).settled == settled


def test_a_refusal_says_where_the_words_are_listed(home: Any) -> None:
    with pytest.raises(CannotDraw, match="paint cannot draw 'horse'") as error:
        home.draw("a horse")
    assert "imagewright words lists what paint draws" in error.value.remedy


def test_what_can_be_drawn_is_told_in_a_conversation(home: Any) -> None:
    answer = home.say("what can you draw?").answer
    assert answer is not None
    assert answer.text.startswith("paint draws this and nothing else\nthings: circle (disc, ball), square")
    assert "colours: red, orange" in answer.text
