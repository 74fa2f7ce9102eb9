"""A spoilt thing is no longer what it was, to the exact checker; an uneven one still is."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from imagewright.evals.exact_checker import look
from imagewright.t2i_backends.mini.render import SIZE, draw_scene
from imagewright.t2i_backends.mini.training.spoiling import REACH, fade, spoil, tear, wobbly
from imagewright.t2i_backends.mini.world import Scene, sample_scene


def read(picture: Image.Image) -> list[tuple[str, str]]:
    return sorted((piece.shape, piece.colour) for piece in look(picture).pieces)


def wanted(scene: Scene) -> list[tuple[str, str]]:
    return sorted((thing.shape, thing.colour) for thing in scene.things)


def apart(rng: random.Random) -> Scene:
    while True:
        scene = sample_scene(rng)
        if len(scene.things) > 1:
            return scene


def test_a_spoilt_thing_is_seldom_read_as_what_it_was() -> None:
    rng, right = random.Random(3), 0
    for _ in range(24):
        scene = apart(rng)
        picture, rest = spoil(scene, rng)
        assert len(rest.things) == len(scene.things) - 1
        assert set(rest.things) < set(scene.things)
        right += read(picture) == wanted(scene)
    assert right <= 10


def test_an_uneven_thing_is_read_as_what_it_is() -> None:
    rng = random.Random(4)
    scenes = [apart(rng) for _ in range(24)]
    assert sum(read(wobbly(scene, rng)) == wanted(scene) for scene in scenes) >= 21


@pytest.mark.parametrize("spoil", [tear, fade])
def test_a_torn_or_partly_gone_thing_is_seldom_read_as_what_it_was(
    spoil: Callable[[Scene, random.Random], Image.Image | None],
) -> None:
    rng, right = random.Random(5), 0
    for _ in range(12):
        scene = apart(rng)
        picture = None
        while picture is None:
            picture = spoil(scene, rng)
        assert picture.size == (SIZE, SIZE)
        right += read(picture) == wanted(scene)
    assert right <= 5


def test_only_the_spoilt_thing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "imagewright.t2i_backends.mini.training.spoiling.draw_scene", lambda scene, rng: draw_scene(scene)
    )
    for seed in range(30):
        scene = apart(random.Random(seed))
        plain = np.asarray(draw_scene(scene), dtype=int)
        picture, rest = spoil(scene, random.Random(seed))
        gone = next(thing for thing in scene.things if thing not in rest.things)
        rows, columns = np.nonzero((np.asarray(picture, dtype=int) != plain).any(axis=2))
        reach = gone.size * REACH / 2 + 3 / SIZE
        assert len(rows)
        assert np.abs((columns + 0.5) / SIZE - gone.x).max() <= reach
        assert np.abs((rows + 0.5) / SIZE - gone.y).max() <= reach
        assert picture.size == (SIZE, SIZE)
