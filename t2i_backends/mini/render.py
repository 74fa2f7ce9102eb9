"""Draws scenes of mini's world with Pillow: patterned backgrounds, and things flat, outlined or soft.

The source of every training picture.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from imagewright.t2i_backends.mini.outlines import Point, holes, outline
from imagewright.t2i_backends.mini.world import COLOURS, RGB, Scene, Thing, tint

SIZE = 128
"""The side of a picture, in pixels."""
_CELL = 16
"""The period of the patterns, in pixels."""
STROKE = 5.0
"""The width of an outlined thing's stroke, in pixels."""
BLUR = 1.4
"""The blur of a soft thing's rim, in pixels."""
_SHADE = 0.2
"""How far a soft thing's colour goes toward white at its top left, and half as far toward black at its bottom right."""
_FINE = 4
"""Masks are drawn this many times larger."""
_MARGIN = 6


def jitter(colour: RGB, rng: random.Random, amount: int) -> RGB:
    """``colour`` with each channel moved by up to ``amount`` (0–255), clipped."""
    r, g, b = (min(255, max(0, c + rng.randint(-amount, amount))) for c in colour)
    return (r, g, b)


def draw_scene(scene: Scene, rng: random.Random | None = None) -> Image.Image:
    """Draw ``scene`` as an RGB picture of 128 × 128 pixels.

    With ``rng`` the colours vary a little, as in the training set; without, they are exact.
    """

    def paint(rgb: RGB) -> RGB:
        return jitter(rgb, rng, 6) if rng is not None else rgb

    paper = paint(COLOURS[scene.background])
    picture = Image.new("RGB", (SIZE, SIZE), paper)
    if scene.pattern != "plain":
        picture.paste(tint(paper), (0, 0), pattern_mask(scene.pattern))
    for thing in scene.things:
        _PAINTERS[scene.style](picture, _Stencil(thing), paint(COLOURS[thing.colour]), paper)
    return picture


def to_array(image: Image.Image) -> NDArray[np.uint8]:
    """``image`` as a ``(height, width, 3)`` array of 0–255."""
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


@functools.cache
def pattern_mask(pattern: str) -> Image.Image:
    """Where a patterned background shows its second colour: ``L``, 128 × 128."""
    cell = _CELL * _FINE
    tile = Image.new("L", (2 * cell, 2 * cell))
    brush = ImageDraw.Draw(tile)
    for row in range(2):
        for column in range(2):
            x, y = column * cell, row * cell
            if pattern == "striped":
                brush.rectangle((x, y, x + cell // 2 - 1, y + cell - 1), fill=255)
            elif pattern == "checkered" and row == column:
                brush.rectangle((x, y, x + cell - 1, y + cell - 1), fill=255)
            elif pattern == "dotted":
                brush.ellipse((x + cell * 0.25, y + cell * 0.25, x + cell * 0.75, y + cell * 0.75), fill=255)
    small = np.asarray(tile.reduce(_FINE))
    times = math.ceil(SIZE / small.shape[0])
    return Image.fromarray(np.tile(small, (times, times))[:SIZE, :SIZE])


class _Stencil:
    """A thing's masks on the small square of the picture that holds it."""

    def __init__(self, thing: Thing) -> None:
        self.thing = thing
        x, y, width, height = (v * SIZE for v in thing.box)
        self.corner = (math.floor(x) - _MARGIN, math.floor(y) - _MARGIN)
        self.sides = (math.ceil(x + width) + _MARGIN - self.corner[0], math.ceil(y + height) + _MARGIN - self.corner[1])

    def _points(self, path: Sequence[Point], inset: float = 0.0) -> list[Point]:
        x, y, width, height = (v * SIZE for v in self.thing.box)
        x, y, width, height = x + inset, y + inset, width - 2 * inset, height - 2 * inset
        return [((x + width * u - self.corner[0]) * _FINE, (y + height * v - self.corner[1]) * _FINE) for u, v in path]

    def _blank(self) -> Image.Image:
        return Image.new("L", (self.sides[0] * _FINE, self.sides[1] * _FINE))

    def fill(self, inset: float = 0.0, pierced: bool = True) -> Image.Image:
        """The silhouette, with its holes unless ``pierced`` is false; ``L``."""
        mask = self._blank()
        brush = ImageDraw.Draw(mask)
        brush.polygon(self._points(outline(self.thing.shape), inset), fill=255)
        for hole in holes(self.thing.shape) if pierced else ():
            brush.polygon(self._points(hole, inset), fill=0)
        return mask.reduce(_FINE)

    def stroke(self, width: float) -> Image.Image:
        """The silhouette's rim, ``width`` pixels wide and inside the thing's box; ``L``."""
        mask = self._blank()
        points = self._points(outline(self.thing.shape), width / 2)
        ImageDraw.Draw(mask).line([*points, *points[:2]], fill=255, width=round(width * _FINE), joint="curve")
        return mask.reduce(_FINE)


def _flat(picture: Image.Image, stencil: _Stencil, ink: RGB, paper: RGB) -> None:
    picture.paste(ink, stencil.corner, stencil.fill())


def _outlined(picture: Image.Image, stencil: _Stencil, ink: RGB, paper: RGB) -> None:
    """A stroke of the thing's colour; inside, the background's first colour without its pattern."""
    picture.paste(paper, stencil.corner, stencil.fill(STROKE / 2, pierced=False))
    picture.paste(ink, stencil.corner, stencil.stroke(STROKE))


def _soft(picture: Image.Image, stencil: _Stencil, ink: RGB, paper: RGB) -> None:
    """A blurred rim, lighter at the top left and darker at the bottom right."""
    mask = stencil.fill().filter(ImageFilter.GaussianBlur(BLUR))
    width, height = stencil.sides
    down, across = np.mgrid[0:height, 0:width]
    light = (1 - (across / width + down / height))[:, :, None] * _SHADE
    colour = np.asarray(ink, dtype=np.float32)
    shaded = np.where(light > 0, colour + (255 - colour) * light, colour * (1 + light * 0.5))
    picture.paste(Image.fromarray(shaded.astype(np.uint8)), stencil.corner, mask)


_PAINTERS = {"flat": _flat, "outline": _outlined, "soft": _soft}
