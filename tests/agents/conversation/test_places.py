"""A place that is asked for holds: all ordered pairs of the small world's things, each place, by geometry alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from imagewright.agents.conversation import arrange, edit_geometry
from imagewright.agents.conversation.edit_regions import find_regions
from imagewright.agents.critic.sight import MAIN_DIRECTION
from imagewright.schemas import Box
from imagewright.t2i_backends.mini.world import SHAPES

PAIRS = tuple(itertools.permutations(SHAPES, 2))
PLACES = ("above", "below", "left", "right")
SAID = {"above": "above", "below": "under", "left": "to the left of", "right": "to the right of"}
_MARGIN = 0.1


@pytest.fixture(scope="module")
def kit(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    """Says things about a picture."""
    return load_module("imagewright_edit_kit", Path(__file__).parents[1] / "edit_kit.py")


def stands(place: str, a: Box, b: Box) -> bool:
    """GenEval's test of centres, and no overlap."""
    (ax, ay), (bx, by) = a.centre, b.centre
    dx, dy = bx - ax, by - ay
    along, sides = {
        "left": (dx, a.width + b.width), "right": (-dx, a.width + b.width),
        "above": (dy, a.height + b.height), "below": (-dy, a.height + b.height),
    }[place]  # fmt: skip
    straight = along >= MAIN_DIRECTION * (dx * dx + dy * dy) ** 0.5
    return along > _MARGIN * sides and straight and not edit_geometry.overlaps(a, [b])


def on_canvas(box: Box) -> bool:
    return box.x >= 0 and box.y >= 0 and box.x + box.width <= 1.0001 and box.y + box.height <= 1.0001


@pytest.mark.parametrize("place", PLACES)
def test_a_moved_thing_stands_where_it_was_asked_to(place: str, kit: ModuleType) -> None:
    wrong = []
    for one, other in PAIRS:
        _, _, settled = kit.say(f"a {one} and a {other}", f"put the {one} {SAID[place]} the {other}")
        boxes = {box.object: box for box in settled.layout.boxes} if settled else {}
        if not boxes or not stands(place, boxes[one], boxes[other]) or not all(map(on_canvas, boxes.values())):
            wrong.append((one, other))
    assert len(PAIRS) == 182
    assert len(wrong) <= 3, wrong


@pytest.mark.parametrize("place", PLACES)
def test_an_added_thing_stands_where_it_was_asked_to(place: str, kit: ModuleType) -> None:
    wrong = []
    for one, other in PAIRS:
        _, _, settled = kit.say(f"a {other}", f"add a {one} {SAID[place]} the {other}")
        boxes = {box.object: box for box in settled.layout.boxes} if settled else {}
        if not boxes or not stands(place, boxes[one], boxes[other]) or not all(map(on_canvas, boxes.values())):
            wrong.append((one, other))
    assert len(wrong) <= 3, wrong


@pytest.mark.parametrize("place", PLACES)
def test_a_third_thing_stays_or_gives_way_and_is_not_cut(place: str, kit: ModuleType) -> None:
    wrong = []
    for one, other in PAIRS[::7]:
        third = next(shape for shape in SHAPES if shape not in (one, other))
        picture = f"a red {third} left of a {other}"
        _, _, settled = kit.say(picture, f"place a yellow {one} {SAID[place]} the {other}")
        boxes = {box.object: box for box in settled.layout.boxes}
        cut = edit_geometry.overlaps(boxes[third], [boxes[one], boxes[other]])
        if cut or not stands(place, boxes[one], boxes[other]):
            wrong.append((one, other))
    assert not wrong


def test_what_was_asked_is_among_the_critic_s_checks(kit: ModuleType) -> None:
    _, _, settled = kit.say("a cup and a fish", "put the cup under the fish")
    names = [group.object for group in settled.parsed.groups]
    assert [(names[r.subject], r.relation, names[r.object]) for r in settled.parsed.relations] == [
        ("cup", "below", "fish")
    ]
    _, _, settled = kit.say("a house left of a tree", "add a yellow star above the tree")
    names = [group.object for group in settled.parsed.groups]
    assert ("star", "above", "tree") in [(names[r.subject], r.relation, names[r.object])
                                         for r in settled.parsed.relations]  # fmt: skip


def test_swapped_things_stand_where_the_other_stood(kit: ModuleType) -> None:
    base, _, settled = kit.say("a big house left of a small moon on a white background", "swap the house and the moon")
    old, new = base.layout.boxes, settled.layout.boxes
    for mine, its in ((0, 1), (1, 0)):
        assert new[mine].centre == pytest.approx(old[its].centre, abs=1e-3)


def test_boxes_are_those_of_the_things_as_they_were_drawn(kit: ModuleType) -> None:
    base = kit.picture("a fish left of a cup")
    fish = base.layout.boxes[0].model_copy(update={"width": 0.2, "height": 0.1})
    seen = base.layout.model_copy(update={"boxes": (fish, base.layout.boxes[1])})
    from imagewright.agents.conversation.edits import settle
    from imagewright.agents.conversation.rules import RulesInterpreter

    drawn = base.model_copy(update={"drawn": seen})
    settled = settle(RulesInterpreter().interpret("make the fish bigger", (drawn,)), (drawn,))
    assert settled.layout is not None
    assert settled.layout.boxes[0].width == pytest.approx(0.28)


def test_a_region_does_not_reach_into_a_neighbour() -> None:
    box = Box(caption="a", object="a", x=0.2, y=0.2, width=0.3, height=0.3)
    neighbour = Box(caption="b", object="b", x=0.51, y=0.2, width=0.3, height=0.3)
    (region,) = find_regions([(box, box)], [neighbour])
    assert region.x + region.width == pytest.approx(0.51)
    assert region.x == pytest.approx(0.18)


def test_what_is_in_the_way_goes_no_farther_than_it_must() -> None:
    box = Box(caption="a", object="a", x=0.3, y=0.3, width=0.2, height=0.2)
    other = Box(caption="b", object="b", x=0.45, y=0.3, width=0.3, height=0.3)
    moved = arrange.give_way(box, [other])
    assert (moved.width, moved.y) == (0.2, 0.3)
    assert 0.2 < moved.x <= 0.25
