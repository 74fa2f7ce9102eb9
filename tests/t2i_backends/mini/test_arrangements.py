"""Arranged scenes hold the same things, apart and in the picture, and their relations are true."""

import random
from collections import Counter

import pytest

from imagewright.t2i_backends.mini.arrangements import arranged
from imagewright.t2i_backends.mini.world import Scene
from imagewright.t2i_backends.mini.world_v2 import KINDS, obeys, sample_scene


def many(kind: str, count: int = 150) -> list[Scene]:
    rng = random.Random(kind)
    return [sample_scene(rng, kind) for _ in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_things_apart_and_inside(kind: str) -> None:
    rng = random.Random(1)
    for scene in many(kind):
        found = arranged(scene, rng)
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
        found = arranged(scene, rng)
        owners = [i for i, group in enumerate(scene.groups) for _ in range(group.count)]
        assert obeys(found.things, owners, scene.relation)
        assert [(t.shape, t.colour) for t in found.things] == [
            (scene.groups[i].shape, scene.groups[i].colour) for i in owners
        ]
        kept += found == scene
    assert kept < 30


def test_two_things_stand_side_by_side_and_stated_places_are_kept() -> None:
    rng = random.Random(3)
    for scene in many("two"):
        first, second = arranged(scene, rng).things
        if scene.relation is None:
            assert second.x - first.x > 0.4, "what is named first stands left"
            assert abs(first.y - second.y) < 0.1
    placed = [scene for scene in many("one") if scene.position is not None]
    assert placed
    assert all(arranged(scene, rng) is scene for scene in placed)
