"""After the facts are right one suggestion is tried, and the polished picture is kept only if right and better."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagewright.graph.why import explain
from imagewright.intents import Idea
from imagewright.ports import Picture
from imagewright.schemas import Region

PROMPT = "two red circles above a blue square on a white background"
OPEN = {"open": 0.8, "open-b": 0.7}
IDEA = Idea(kind="soft light", words="soft diffused light", reason="it is hard", decided_by="vlm")
Studio = Callable[..., Any]


class Taste:
    """Suggests this, and likes what comes of it or not."""

    def __init__(self, idea: Idea | None = IDEA, likes: bool = True) -> None:
        self.idea, self.likes, self.compared = idea, likes, 0

    def suggest(self, image: Picture, prompt: str) -> Idea | None:
        """The suggestion."""
        return self.idea

    def prefers(self, before: Picture, after: Picture, prompt: str, idea: Idea) -> tuple[bool, str]:
        """The same answer each time."""
        self.compared += 1
        return self.likes, "softer"


def shining(job: Any, regions: list[Region]) -> list[Region]:
    """Soft light makes the square a little smaller, so that the picture is another one and still right."""
    if "soft" not in job.prompt:
        return regions
    return [r.model_copy(update={"width": r.width * 0.9, "height": r.height * 0.9}) for r in regions]


def spoiling(job: Any, regions: list[Region]) -> list[Region]:
    """Soft light loses a thing."""
    return regions[1:] if "soft" in job.prompt else regions


def test_it_is_off_unless_asked_for(studio: Studio) -> None:
    result = studio(flows=OPEN, flaw=shining).draw(PROMPT)
    assert result.images == 1
    assert result.notes == ()


def test_a_polished_picture_that_is_right_and_preferred_is_handed_over(studio: Studio) -> None:
    taste = Taste()
    home = studio(flows=OPEN, flaw=shining, polisher=taste)
    result = home.draw(PROMPT)
    assert (result.images, taste.compared) == (2, 1)
    first, second = result.rounds
    assert result.image == second.image != first.image
    assert (second.seed, second.flow, second.layout) == (first.seed, first.flow, first.layout)
    assert second.prompt == f"{PROMPT}, soft diffused light"
    assert second.repair.kind == "polish"
    assert result.notes == ("the polished picture is kept (soft light: softer)",)
    assert home.told("repair") == ["polish: soft light: it is hard"]
    trace = json.loads(Path(result.trace).read_text())
    assert trace["image"] == second.image
    assert trace["tried"] == []
    assert "polished picture is kept" in explain(trace, "picture")
    assert home.runs.get(result.run).result.image == second.image


@pytest.mark.parametrize(
    ("flaw", "likes", "words"),
    [
        (spoiling, True, "it is no longer right"),
        (shining, False, "softer"),
    ],
)
def test_one_that_is_wrong_or_not_better_is_not_kept(flaw: Any, likes: bool, words: str, studio: Studio) -> None:
    taste = Taste(likes=likes)
    result = studio(flows=OPEN, flaw=flaw, polisher=taste).draw(PROMPT, max_images=9)
    assert result.image == result.rounds[0].image
    assert result.images == 2, "there is one suggestion, and no repair of what it spoiled"
    assert result.notes == (f"the polished picture is not kept (soft light: {words})",)
    assert taste.compared == (0 if flaw is spoiling else 1)


@pytest.mark.parametrize(
    ("options", "drawing", "note"),
    [
        ({"polisher": Taste(None)}, {}, "nothing about its light, angle or mood is suggested"),
        ({"flows": {"fine": 0.8}}, {}, "paint knows no words for light, angle or mood"),
        ({}, {"max_images": 1}, "another picture would pass the limit of 1 image"),
    ],
)
def test_why_nothing_is_polished_is_said(options: Any, drawing: Any, note: str, studio: Studio) -> None:
    result = studio(**{"flows": OPEN, "polisher": Taste(), **options}).draw(PROMPT, **drawing)
    assert result.images == 1
    assert result.notes == (f"not polished: {note}",)


def test_an_edit_is_never_polished(studio: Studio) -> None:
    home = studio(flows=OPEN, flaw=shining, polisher=Taste(None))
    home.say(PROMPT)
    home.parts.polisher.idea = IDEA
    edited = home.say("make the square green").result
    assert "not polished: an edit keeps the rest of its picture" in edited.notes


def test_facts_come_first(studio: Studio, kit: Any) -> None:
    result = studio(flows=OPEN, flaw=kit.always_a_star_too_many, polisher=Taste()).draw(PROMPT)
    assert all(made.repair is None or made.repair.kind != "polish" for made in result.rounds)


def test_killed_while_it_is_polished_it_comes_to_the_same(studio: Studio) -> None:
    whole = studio("whole", flows=OPEN, flaw=shining, polisher=Taste()).draw(PROMPT)

    class Killed(BaseException):
        """Stands for the end of the process."""

    def dying(job: Any, regions: list[Region]) -> list[Region]:
        if "soft" in job.prompt:
            raise Killed
        return regions

    home = studio(flows=OPEN, flaw=dying, polisher=Taste())
    with pytest.raises(Killed):
        home.draw(PROMPT)
    result = studio(flows=OPEN, flaw=shining, polisher=Taste()).resume(home.runs.list()[0].id)
    assert [made.image for made in result.rounds] == [made.image for made in whole.rounds]
    assert result.image == whole.image
