"""The world's scenes: inside the canvas, apart, visible, and as balanced as its promise."""

import random
from collections import Counter

import pytest

from imagewright.t2i_backends.mini.world import (
    COLOURS,
    HARD_SHAPES,
    MOST_THINGS,
    SCENE_KINDS,
    SHAPES,
    Scene,
    compatible,
    lesson_scene,
    sample_scene,
    tint,
)


def scenes(count: int, seed: int = 0, kind: str | None = None) -> list[Scene]:
    rng = random.Random(seed)
    return [sample_scene(rng, kind) for _ in range(count)]


def scene_kind(scene: Scene) -> str:
    """Which of ``SCENE_KINDS`` a scene is."""
    counts = [group.count for group in scene.groups]
    if len(counts) == 1:
        return "one" if counts[0] == 1 else "few"
    return "many" if len(counts) > 2 else "two" if counts == [1, 1] else "mixed"


def test_things_stay_on_the_canvas_apart_and_visible() -> None:
    for scene in scenes(400):
        assert 1 <= len(scene.things) <= MOST_THINGS
        for i, thing in enumerate(scene.things):
            x, y, width, height = thing.box
            assert min(x, y) >= 0
            assert max(x + width, y + height) <= 1
            assert compatible(thing.colour, scene.background)
            for other in scene.things[i + 1 :]:
                assert max(abs(thing.x - other.x), abs(thing.y - other.y)) > (thing.size + other.size) / 2


def test_a_stated_relation_holds_for_every_pair_of_the_first_two_groups() -> None:
    signs = {"left": ("x", 1), "right": ("x", -1), "above": ("y", 1), "below": ("y", -1)}
    seen = set()
    for scene in (s for s in scenes(500, seed=1) if s.relation is not None):
        seen.add(scene.relation)
        axis, sign = signs[scene.relation]
        members = [[t for t in scene.things if (t.shape, t.colour) == (g.shape, g.colour)] for g in scene.groups[:2]]
        assert all(sign * (getattr(b, axis) - getattr(a, axis)) > 0 for a in members[0] for b in members[1])
    assert seen == set(signs)


@pytest.mark.parametrize("kind", SCENE_KINDS)
def test_a_kind_is_what_was_asked_for(kind: str) -> None:
    assert {scene_kind(scene) for scene in scenes(40, kind=kind)} == {kind}


def test_shapes_and_counts_come_evenly() -> None:
    shapes = Counter(group.shape for scene in scenes(1500, seed=2) for group in scene.groups)
    assert set(shapes) == set(SHAPES)
    assert max(shapes.values()) < 1.5 * min(shapes.values())
    counts = Counter(scene.groups[0].count for scene in scenes(600, seed=3, kind="few"))
    assert set(counts) == {2, 3, 4, 5}
    assert max(counts.values()) < 1.6 * min(counts.values())


def test_same_seed_same_world() -> None:
    assert scenes(20, seed=9) == scenes(20, seed=9)


@pytest.mark.parametrize("name", COLOURS)
def test_a_tint_is_nearest_to_its_own_colour(name: str) -> None:
    inks = {**COLOURS, name: tint(COLOURS[name])}
    made = inks[name]
    distance = {other: sum((a - b) ** 2 for a, b in zip(made, COLOURS[other], strict=True)) for other in COLOURS}
    assert min(distance, key=lambda other: distance[other]) == name


@pytest.mark.parametrize("kind", SCENE_KINDS)
def test_lessons_hold_more_of_what_is_hard(kind: str) -> None:
    def share(made: list[Scene]) -> float:
        return sum(s.style == "outline" or any(g.shape in HARD_SHAPES for g in s.groups) for s in made) / len(made)

    rng = random.Random(kind)
    plain, lessons = share(scenes(600, 4, kind)), share([lesson_scene(rng, kind) for _ in range(600)])
    assert lessons > plain + 0.08
    assert lessons < 0.95
