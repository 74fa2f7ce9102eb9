"""Pictures of mini's world: the right size, the same every time, and each style and pattern its own."""

import random

import numpy as np
import pytest
from PIL import ImageChops

from imagewright.t2i_backends.mini.outlines import holes, outline
from imagewright.t2i_backends.mini.render import draw_scene, pattern_mask
from imagewright.t2i_backends.mini.world import COLOURS, PATTERNS, SHAPES, STYLES, Scene, Thing


def scene(shape: str = "house", style: str = "flat", pattern: str = "plain") -> Scene:
    return Scene((), None, None, "white", (Thing(shape, "blue", 0.5, 0.5, 0.5),), 0.5, pattern, style)


@pytest.mark.parametrize("shape", SHAPES)
def test_outlines_fill_their_boxes_and_hold_their_holes(shape: str) -> None:
    xs, ys = zip(*outline(shape), strict=True)
    assert min(*xs, *ys) > -0.05
    assert max(*xs, *ys) < 1.06
    assert max(xs) - min(xs) > 0.7
    for hole in holes(shape):
        assert all(min(xs) < x < max(xs) and min(ys) < y < max(ys) for x, y in hole)


def test_outline_refuses_an_unknown_shape() -> None:
    with pytest.raises(ValueError, match="hexagon"):
        outline("hexagon")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_thing_stays_in_its_box_in_every_style(shape: str) -> None:
    for style in STYLES:
        picture = np.asarray(draw_scene(scene(shape, style)), dtype=int)
        rows, columns = np.nonzero(np.abs(picture - COLOURS["white"]).sum(axis=-1) > 150)
        assert min(rows.min(), columns.min()) >= 32 - 2
        assert max(rows.max(), columns.max()) <= 95 + 2


def test_styles_and_patterns_differ() -> None:
    pictures = [draw_scene(scene(style=style)) for style in STYLES]
    pictures += [draw_scene(scene(pattern=pattern)) for pattern in PATTERNS[1:]]
    for i, a in enumerate(pictures):
        assert a.size == (128, 128)
        assert all(ImageChops.difference(a, b).getbbox() for b in pictures[i + 1 :])


@pytest.mark.parametrize("pattern", PATTERNS[1:])
def test_a_pattern_leaves_most_of_the_paper(pattern: str) -> None:
    share = np.asarray(pattern_mask(pattern)).mean() / 255
    assert 0.1 < share <= 0.5


def test_same_seed_same_picture() -> None:
    a, b = (draw_scene(scene(), random.Random(1)) for _ in range(2))
    assert ImageChops.difference(a, b).getbbox() is None
