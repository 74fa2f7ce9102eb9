"""The small model's detectors: each looks closer at every thing that it sees."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imagewright.t2i_backends.mini.detector import closer, find_things, load_detector
from imagewright.t2i_backends.mini.render import draw_scene
from imagewright.t2i_backends.mini.world import Scene, Thing, sample_scene
from imagewright.tools.detect import SURE, MiniDetector, Name, weights_file

HOUSE = Thing("house", "red", 0.35, 0.4, 0.4)
STAR = Thing("star", "blue", 0.8, 0.8, 0.3)


def picture(*things: Thing) -> Image.Image:
    return draw_scene(Scene((), None, None, "white", things, 0.5))


def halved(image: Image.Image) -> Image.Image:
    """The house cut in two by a white band."""
    cut = image.copy()
    ImageDraw.Draw(cut).line((10, 52, 90, 52), fill="white", width=7)
    return cut


@pytest.mark.parametrize("name", ["critic", "evidence"])
def test_a_whole_thing_is_sure_and_a_torn_one_is_not(name: Name) -> None:
    eye = MiniDetector.load(name)
    assert eye.sure == SURE[name]
    whole = {found.object: found.score for found in eye.detect(picture(HOUSE, STAR))}
    torn = {found.object: found.score for found in eye.detect(halved(picture(HOUSE, STAR)))}
    assert min(whole["house"], whole["star"], torn["star"]) >= eye.sure
    assert torn.get("house", 0.0) < eye.sure


def test_closer_looks_change_nothing_but_scores_and_order() -> None:
    net = load_detector(weights_file("critic"))
    rng = random.Random(8)
    for _ in range(5):
        image = draw_scene(sample_scene(rng), rng)
        found, _ = find_things(net, image)
        again = closer(net, image, found)
        assert {(f.shape, f.colour, f.box) for f in again} == {(f.shape, f.colour, f.box) for f in found}
        assert [f.score for f in again] == sorted((f.score for f in again), reverse=True)
    assert closer(net, image, ()) == ()


@pytest.mark.parametrize("side", [64, 128, 300])
def test_a_thing_at_the_edge_and_a_picture_of_another_size_are_looked_at_too(side: int) -> None:
    net = load_detector(weights_file("critic"))
    image = picture(Thing("heart", "green", 0.15, 0.85, 0.3)).resize((side, side))
    found, _ = find_things(net, image)
    scores = [f.score for f in closer(net, image, found)]
    assert scores
    assert np.isfinite(scores).all()
