"""Arranged scenes hold the same things, apart and in the picture, and their relations are true."""

import random
from collections import Counter

import pytest

from imagewright.t2i_backends.mini.arrangements import USUAL, arrange
from imagewright.t2i_backends.mini.captions import caption
from imagewright.t2i_backends.mini.world import SCENE_KINDS, Scene, obeys, sample_scene
from imagewright.tools.sweep import SCENE_SIZES


def many(kind: str, count: int = 150) -> list[Scene]:
    rng = random.Random(kind)
    return [sample_scene(rng, kind) for _ in range(count)]


@pytest.mark.parametrize("kind", SCENE_KINDS)
def test_the_same_things_apart_and_inside(kind: str) -> None:
    rng = random.Random(1)
    for scene in many(kind):
        found = arrange(scene, rng)
        assert Counter((t.shape, t.colour) for t in found.things) == Counter((t.shape, t.colour) for t in scene.things)
        for number, thing in enumerate(found.things):
            x, y, width, height = thing.box
            assert min(x, y) >= 0.01
            assert max(x + width, y + height) <= 0.99
            for other in found.things[:number]:
                apart = max(abs(thing.x - other.x), abs(thing.y - other.y))
                assert apart >= (thing.size + other.size) / 2 + 0.035


@pytest.mark.parametrize("kind", ["two", "mixed", "many"])
def test_relations_stay_true_and_nearly_all_scenes_are_arranged(kind: str) -> None:
    rng, kept = random.Random(2), 0
    for scene in many(kind):
        found = arrange(scene, rng)
        owners = [i for i, group in enumerate(scene.groups) for _ in range(group.count)]
        assert obeys(found.things, owners, scene.relation)
        assert [(t.shape, t.colour) for t in found.things] == [
            (scene.groups[i].shape, scene.groups[i].colour) for i in owners
        ]
        kept += found.things == scene.things
        assert found == scene or found.things != scene.things, "a scene that keeps its places keeps its scale"
    assert kept < 30


def test_two_things_stand_side_by_side() -> None:
    rng = random.Random(3)
    for scene in many("two"):
        first, second = arrange(scene, rng).things
        if scene.relation is None:
            assert second.x - first.x > 0.4, "what is named first stands left"
            assert abs(first.y - second.y) < 0.1


def test_a_stated_place_is_kept_near_the_middle_of_the_other_axis() -> None:
    rng, seen = random.Random(4), set()
    for scene in many("one", 400):
        if scene.position is None:
            continue
        (thing,) = arrange(scene, rng).things
        along, across = (thing.y, thing.x) if scene.position in ("left", "right", "middle") else (thing.x, thing.y)
        low, high = {"middle": (0.45, 0.55)}.get(scene.position, (0, 0.3))
        assert abs(along - 0.5) < 0.03
        assert low <= (across if scene.position in ("left", "above", "middle") else 1 - across) <= high
        seen.add(scene.position)
    assert len(seen) == 5


@pytest.mark.parametrize("kind", SCENE_KINDS)
def test_sizes_are_usual_where_captions_say_nothing_of_them(kind: str) -> None:
    rng, unusual = random.Random(5), 0
    for scene in many(kind, 300):
        found = arrange(scene, rng)
        told = bool(SCENE_SIZES & set(caption(found, rng, lesson=True).split()))
        assert not (told and found.scale == USUAL)
        unusual += not told and abs(found.scale - USUAL) > 0.2
    assert unusual < 300 * 0.08, "one in four of those that keep an unusual scale are not told, and no more"
