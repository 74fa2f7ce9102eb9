"""Draws scenes of mini's world with Pillow: the source of every training picture."""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from imagewright.t2i_backends.mini.world import BACKGROUNDS, COLOURS, RGB, Scene

_Point = tuple[float, float]
_SUPERSAMPLE = 4


def outline(shape: str) -> list[_Point]:
    """The polygon of ``shape`` in its own box, as fractions of the box (origin top left)."""
    if shape == "circle":
        return [(0.5 + 0.5 * math.cos(a), 0.5 + 0.5 * math.sin(a)) for a in _angles(48)]
    if shape == "square":
        return [(0.04, 0.04), (0.96, 0.04), (0.96, 0.96), (0.04, 0.96)]
    if shape == "triangle":
        return [(0.5, 0.02), (1.0, 0.96), (0.0, 0.96)]
    if shape == "star":
        radii = (0.53, 0.22)
        return [
            (0.5 + radii[i % 2] * math.sin(i * math.pi / 5), 0.53 - radii[i % 2] * math.cos(i * math.pi / 5))
            for i in range(10)
        ]
    if shape == "heart":
        return [_heart(a) for a in _angles(60)]
    if shape == "house":
        # A gabled roof, a chimney and a doorway that shows the background.
        return [
            (0.5, 0.0), (0.72, 0.2), (0.72, 0.06), (0.86, 0.06), (0.86, 0.33), (1.0, 0.46), (0.9, 0.46), (0.9, 1.0),
            (0.62, 1.0), (0.62, 0.66), (0.38, 0.66), (0.38, 1.0), (0.1, 1.0), (0.1, 0.46), (0.0, 0.46),
        ]  # fmt: skip
    raise ValueError(f"no such shape: {shape}")


def _angles(count: int) -> list[float]:
    return [2 * math.pi * i / count for i in range(count)]


def _heart(angle: float) -> _Point:
    x = 16 * math.sin(angle) ** 3
    y = 13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle)
    return (0.5 + x / 33, 0.46 - y / 31)


def jitter(colour: RGB, rng: random.Random, amount: int = 8) -> RGB:
    """``colour`` with each channel moved by up to ``amount`` (0–255), clipped."""
    r, g, b = (min(255, max(0, c + rng.randint(-amount, amount))) for c in colour)
    return (r, g, b)


def draw_scene(scene: Scene, size: int = 64, rng: random.Random | None = None) -> Image.Image:
    """Draw ``scene`` as an RGB picture of ``size`` × ``size`` pixels.

    With ``rng`` the colours vary a little, as in the training set; without, they are exact.
    """
    side = size * _SUPERSAMPLE

    def paint(rgb: RGB) -> RGB:
        return jitter(rgb, rng) if rng is not None else rgb

    canvas = Image.new("RGB", (side, side), paint(BACKGROUNDS[scene.background]))
    brush = ImageDraw.Draw(canvas)
    for thing in scene.things:
        x, y, width, height = thing.box
        points = [((x + width * u) * side, (y + height * v) * side) for u, v in outline(thing.shape)]
        brush.polygon(points, fill=paint(COLOURS[thing.colour]))
    return canvas.resize((size, size), Image.Resampling.BOX)


def to_array(image: Image.Image) -> NDArray[np.uint8]:
    """``image`` as a ``(height, width, 3)`` array of 0–255."""
    return np.asarray(image.convert("RGB"), dtype=np.uint8)
