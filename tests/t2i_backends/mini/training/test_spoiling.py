"""A spoilt thing is no longer what it was, to the exact checker; an uneven one still is."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from imagewright.evals.mini_report import LOOKS
from imagewright.t2i_backends.mini.editions import EDITIONS, Edition
from imagewright.t2i_backends.mini.training.spoiling import REACH, fade, spoil, tear, wobbly
from imagewright.t2i_backends.mini.world import Scene


def read(picture: Image.Image, edition: Edition) -> list[tuple[str, str]]:
    return sorted((piece.shape, piece.colour) for piece in LOOKS[edition.version](picture).pieces)


def wanted(scene: Scene) -> list[tuple[str, str]]:
    return sorted((thing.shape, thing.colour) for thing in scene.things)


def apart(edition: Edition, rng: random.Random) -> Scene:
    while True:
        scene = edition.sample_any(rng)
        if len(scene.things) > 1:
            return scene


@pytest.mark.parametrize("number", sorted(EDITIONS))
def test_a_spoilt_thing_is_seldom_read_as_what_it_was(number: int) -> None:
    edition, rng, right = EDITIONS[number], random.Random(3), 0
    for _ in range(24):
        scene = apart(edition, rng)
        picture, rest = spoil(scene, edition, rng)
        assert len(rest.things) == len(scene.things) - 1
        assert set(rest.things) < set(scene.things)
        right += read(picture, edition) == wanted(scene)
    assert right <= 10


@pytest.mark.parametrize("number", sorted(EDITIONS))
def test_an_uneven_thing_is_read_as_what_it_is(number: int) -> None:
    edition, rng = EDITIONS[number], random.Random(4)
    scenes = [apart(edition, rng) for _ in range(24)]
    assert sum(read(wobbly(scene, edition, rng), edition) == wanted(scene) for scene in scenes) >= 21


@pytest.mark.parametrize("spoil", [tear, fade])
def test_a_torn_or_partly_gone_thing_is_seldom_read_as_what_it_was(
    spoil: Callable[[Scene, Edition, random.Random], Image.Image | None],
) -> None:
    edition, rng, right = EDITIONS[2], random.Random(5), 0
    for _ in range(12):
        scene = apart(edition, rng)
        picture = None
        while picture is None:
            picture = spoil(scene, edition, rng)
        assert picture.size == (edition.side, edition.side)
        right += read(picture, edition) == wanted(scene)
    assert right <= 5


def test_only_the_spoilt_thing_changes() -> None:
    edition = EDITIONS[2]
    for seed in range(30):
        scene = apart(edition, random.Random(seed))
        plain = np.asarray(edition.draw(scene, None), dtype=int)
        exact = replace(edition, draw=lambda scene, rng: edition.draw(scene, None))
        picture, rest = spoil(scene, exact, random.Random(seed))
        gone = next(thing for thing in scene.things if thing not in rest.things)
        rows, columns = np.nonzero((np.asarray(picture, dtype=int) != plain).any(axis=2))
        reach = gone.size * REACH / 2 + 3 / edition.side
        assert len(rows)
        assert np.abs((columns + 0.5) / edition.side - gone.x).max() <= reach
        assert np.abs((rows + 0.5) / edition.side - gone.y).max() <= reach
        assert picture.size == (edition.side, edition.side)
