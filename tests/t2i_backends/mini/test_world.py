"""Mini's world: scenes, captions, pictures."""

import random

import pytest
from PIL import ImageChops

from imagewright.t2i_backends.mini.render import draw_scene, outline
from imagewright.t2i_backends.mini.world import (
    SHAPES,
    Scene,
    Thing,
    caption,
    compatible,
    sample_scene,
    thing_caption,
    vocabulary,
)


def scenes(count: int, seed: int = 0) -> list[Scene]:
    rng = random.Random(seed)
    return [sample_scene(rng) for _ in range(count)]


def test_things_stay_on_the_canvas_apart_and_visible() -> None:
    for scene in scenes(300):
        for i, thing in enumerate(scene.things):
            x, y, width, height = thing.box
            assert min(x, y) >= 0
            assert max(x + width, y + height) <= 1
            assert compatible(thing.colour, scene.background)
            for other in scene.things[i + 1 :]:
                apart = max(abs(thing.x - other.x), abs(thing.y - other.y))
                assert apart > (thing.size + other.size) / 2


def test_a_stated_relation_holds_for_every_pair() -> None:
    signs = {"left": ("x", 1), "right": ("x", -1), "above": ("y", 1), "below": ("y", -1)}
    seen = set()
    for scene in scenes(400, seed=1):
        if scene.relation is None:
            continue
        seen.add(scene.relation)
        axis, sign = signs[scene.relation]
        first, second = ([t for t in scene.things if (t.shape, t.colour) == (g.shape, g.colour)] for g in scene.groups)
        for a in first:
            for b in second:
                assert sign * (getattr(b, axis) - getattr(a, axis)) > 0
    assert seen == set(signs)


def test_captions_use_only_the_vocabulary_and_name_every_group() -> None:
    words, rng = set(vocabulary()), random.Random(2)
    for scene in scenes(500, seed=3):
        text = caption(scene, rng)
        assert set(text.split()) <= words, text
        for group in scene.groups:
            assert group.colour in text
            assert group.shape in text


def test_same_seed_same_world() -> None:
    assert scenes(20, seed=9) == scenes(20, seed=9)
    a, b = (draw_scene(scenes(1, seed=4)[0], 64, random.Random(1)) for _ in range(2))
    assert ImageChops.difference(a, b).getbbox() is None


@pytest.mark.parametrize("shape", SHAPES)
def test_outlines_fill_their_boxes(shape: str) -> None:
    xs, ys = zip(*outline(shape), strict=True)
    assert min(xs) > -0.1
    assert max(xs) < 1.1
    assert max(xs) - min(xs) > 0.85
    assert max(ys) - min(ys) > 0.85


def test_outline_refuses_an_unknown_shape() -> None:
    with pytest.raises(ValueError, match="hexagon"):
        outline("hexagon")


def test_region_captions_have_articles() -> None:
    assert thing_caption(Thing("star", "orange", 0.5, 0.5, 0.3)) == "an orange star"
    assert thing_caption(Thing("house", "red", 0.5, 0.5, 0.3)) == "a red house"
