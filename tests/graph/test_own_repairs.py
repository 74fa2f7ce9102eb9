"""An edit answers for what it touched: old faults elsewhere cost nothing, its own are repaired, places are as seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imagewright.graph.runner import Outcome
from imagewright.schemas import Box, Check, Region, RunResult

Studio = Callable[..., Any]
FIRST = "a red house above a green tree on a white background"


def made(outcome: Outcome) -> RunResult:
    """The picture of a turn."""
    assert outcome.result is not None, outcome
    return outcome.result


def failed(result: RunResult) -> list[Check]:
    """What is wrong with the delivered picture."""
    return [check for check in result.rounds[-1].verdict.checks if not check.passed]


def one_too_many(job: Any, regions: list[Region]) -> list[Region]:
    """Every picture has a moon that nobody asked for."""
    return [*regions, Region(caption="a yellow moon", x=0.02, y=0.02, width=0.12, height=0.12)]


@pytest.mark.parametrize("said", ["make the house blue", "make the house bigger", "without the house"])
def test_an_old_fault_elsewhere_costs_an_edit_nothing_and_is_told_once(said: str, studio: Studio) -> None:
    home = studio(flaw=one_too_many)
    assert home.say(FIRST).question is not None, "its budget is spent"
    first = made(home.reply("no"))
    assert not first.rounds[-1].verdict.accepted
    home.backend.flaw = lambda job, regions: regions
    second, third = made(home.say(said)), made(home.say("make the tree red"))
    for later, told in ((second, 1), (third, 0)):
        assert (later.images, later.rounds[-1].verdict.accepted) == (1, True)
        assert [check.detail for check in later.rounds[-1].verdict.borne] == [check.detail for check in failed(first)]
        assert sum(note.startswith("left as it was before this edit: ") for note in later.notes) == told


def test_a_fault_of_what_the_edit_touched_is_repaired(studio: Studio) -> None:
    home = studio()
    home.say(FIRST)

    def twice_wrong(job: Any, regions: list[Region]) -> list[Region]:
        if len(home.backend.jobs) > before + 2:
            return regions
        return [r.model_copy(update={"caption": r.caption.replace("blue", "red")}) for r in regions]

    before = len(home.backend.jobs)
    home.backend.flaw = twice_wrong
    second = made(home.say("make the house blue"))
    assert (second.images, second.rounds[-1].verdict.accepted) == (3, True)
    assert all(job.redraw is not None for job in home.backend.jobs[before:])


def test_a_fault_that_the_redraw_brings_is_its_own(studio: Studio) -> None:
    home = studio()
    home.say(FIRST)

    def without_house(job: Any, regions: list[Region]) -> list[Region]:
        return [] if len(home.backend.jobs) == before + 1 else regions

    before = len(home.backend.jobs)
    home.backend.flaw = without_house
    assert made(home.say("make the house blue")).images == 2


def test_larger_is_measured_against_what_was_seen(studio: Studio) -> None:
    """The first picture draws the house with half the area of its box: an edit starts from there."""
    home = studio(flaw=lambda job, regions: [halved(r) if "house" in r.caption else r for r in regions])
    first = made(home.say(FIRST))
    home.backend.flaw = lambda job, regions: regions
    second = made(home.say("make the house bigger"))
    planned, now = (next(box for box in result.layout.boxes if box.object == "house") for result in (first, second))
    assert area(now) < area(planned), "1.4 times what was seen is less than what was planned"
    assert [check.passed for check in second.rounds[-1].verdict.checks if check.name == "size"] == [True]


def test_a_thing_that_did_not_grow_is_drawn_again(studio: Studio) -> None:
    home = studio()
    home.say(FIRST)
    before = len(home.backend.jobs)
    home.backend.flaw = lambda job, regions: [
        halved(r) if len(home.backend.jobs) == before + 1 and "house" in r.caption else r for r in regions
    ]
    second = made(home.say("make the house bigger"))
    assert second.images == 2
    assert any(check.name == "size" and not check.passed for check in second.rounds[0].verdict.checks)


def test_the_asked_place_is_checked_in_the_picture(studio: Studio) -> None:
    home = studio()
    home.say("a cup and a fish")
    second = made(home.say("put the cup under the fish"))
    assert ("relation", "cup below fish") in [(c.name, c.wanted) for c in second.rounds[-1].verdict.checks]
    assert second.rounds[-1].verdict.accepted


def halved(region: Region) -> Region:
    """Seven tenths of each side: half the area."""
    width, height = region.width * 0.7, region.height * 0.7
    middle = {"x": region.x + region.width * 0.15, "y": region.y + region.height * 0.15}
    return region.model_copy(update={**middle, "width": width, "height": height})


def area(box: Box) -> float:
    return box.width * box.height
