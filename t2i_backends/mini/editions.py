"""The editions of mini: each a world, the sizes of the model that draws it, and the folder of its weights.

One set of scripts trains, measures and describes any of them (``--world 2``).
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from imagewright.t2i_backends.mini import captions, render, shipped, world
from imagewright.t2i_backends.mini.arrangements import arrange
from imagewright.t2i_backends.mini.world import RGB, Scene, Thing


@dataclass(frozen=True)
class Lessons:
    """How long an edition's parts are trained where the command line does not say: optimiser steps."""

    autoencoder: int
    autoencoder_batch: int
    """Pictures a step."""
    text: int
    """The text encoders' own lessons before the first picture."""
    model: int


@dataclass(frozen=True)
class Edition:
    """One mini: what it draws, how people say it, and how large its parts are."""

    version: int
    weights: Path
    """The folder with its ``pipeline`` and its detectors."""
    side: int
    """The side of its square pictures, in pixels."""
    shapes: tuple[str, ...]
    colours: Mapping[str, RGB]
    """The colours of things."""
    backgrounds: Mapping[str, RGB]
    patterns: tuple[str, ...]
    styles: tuple[str, ...]
    most_things: int
    kinds: Mapping[str, tuple[float, float]]
    """The kinds of scenes with their shares in training: at the first step, and once the curriculum is over."""
    sample: Callable[[random.Random, str], Scene]
    """A random scene of a kind, for training."""
    sample_any: Callable[[random.Random], Scene]
    """A random scene, as the world likes them mixed."""
    arrange: Callable[[Scene, random.Random], Scene] | None
    """A scene as most of those stand that captions are learned from; None to leave them as they fall."""
    draw: Callable[[Scene, random.Random | None], Image.Image]
    caption: Callable[[Scene, random.Random], str]
    lesson_caption: Callable[[Scene, random.Random], str]
    """A caption that the model learns from."""
    fresh_caption: Callable[[Scene, random.Random], str]
    """A caption in wordings that training never uses, where the edition holds some out."""
    thing_caption: Callable[[Thing], str]
    vocabulary: Callable[[], list[str]]
    synonyms: Mapping[str, str]
    """Other words of its captions, and the shape or colour that each means."""
    compatible: Callable[[str, str], bool]
    """Whether a thing of one colour can be seen on a background of another."""
    length: int
    """Tokens of a prompt, with its start and end."""
    autoencoder: tuple[int, ...]
    """The channels of the autoencoder's levels; each level but the first halves the sides."""
    latent_channels: int
    double_blocks: int
    single_blocks: int
    pooled: int
    """The width of the pooled text vector."""
    map_weight: float
    """The weight of the map loss (``train.map_loss``); 0 for none."""
    place_weight: float
    """The weight of asking T5's nouns for places (``reading.PlaceReader``); 0 not to ask."""
    noise_shift: float
    """Added to the normal under the logistic of the training's times: flat pictures show their shapes through much
    noise, and what stands where is settled there. (The model after 5,300 steps with 0.8: from latents
    with 60 % noise it finished 73 of 80 pictures rightly, from noise alone 10.)"""
    steps: int
    """The steps of the card's call."""
    scale: float
    """The guidance of the card's call."""
    lessons: Lessons

    @property
    def grid(self) -> int:
        """Packed latent tokens a side."""
        return int(self.side // 2 ** len(self.autoencoder))

    @property
    def pipeline(self) -> Path:
        """The diffusers folder."""
        return self.weights / "pipeline"


SECOND = Edition(
    version=2, weights=shipped.WEIGHT_FOLDERS[2], side=render.SIZE, shapes=world.SHAPES,
    colours=world.COLOURS, backgrounds=world.COLOURS, patterns=world.PATTERNS, styles=world.STYLES,
    most_things=world.MOST_THINGS,
    kinds={"one": (0.6, 0.26), "few": (0.15, 0.16), "two": (0.25, 0.38), "mixed": (0.0, 0.12), "many": (0.0, 0.08)},
    sample=world.lesson_scene, sample_any=world.sample_scene, arrange=arrange, draw=render.draw_scene,
    caption=captions.caption, lesson_caption=functools.partial(captions.caption, lesson=True),
    fresh_caption=functools.partial(captions.caption, held_out=True),
    thing_caption=captions.thing_caption, vocabulary=captions.vocabulary,
    synonyms=captions.synonyms(), compatible=world.compatible,
    length=32, autoencoder=(16, 24, 48, 96), latent_channels=16, double_blocks=2, single_blocks=6, pooled=128,
    map_weight=0.3, place_weight=0.1, noise_shift=1.5, steps=20, scale=4.0, lessons=Lessons(8000, 16, 4400, 30_000),
)  # fmt: skip
EDITIONS: Mapping[int, Edition] = {2: SECOND}
SHIPPED = EDITIONS[shipped.EDITION]
"""The edition whose weights ship as ``mini``."""
