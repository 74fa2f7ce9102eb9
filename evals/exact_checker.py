"""The exact checker of mini's world: classical, on pixels, with nothing trained. It only ever judges.

It finds the background's colour, cuts the picture into connected pieces of each named colour, and names the shape of
every piece by overlap with the six outlines. Nothing that chooses, draws, criticises or scores evidence may use it
(an import contract sees to that), so its verdict is independent.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from imagewright.t2i_backends.mini.render import outline
from imagewright.t2i_backends.mini.world import BACKGROUNDS, SHAPES, Group

_NAMES = tuple(BACKGROUNDS)
_PALETTE = np.array([BACKGROUNDS[n] for n in _NAMES], dtype=np.float32)
_MIN_AREA = 24
"""Pixels of a 64 px picture below which a piece is a stray mark, not a thing (the smallest star has 40)."""
_MIN_MATCH = 0.62
"""Overlap (intersection over union) below which a piece is no shape of this world."""


@dataclass(frozen=True)
class Piece:
    """One thing found: its shape ("" if none fits), colour, box as fractions, and the overlap with its outline."""

    shape: str
    colour: str
    x: float
    y: float
    width: float
    height: float
    match: float

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box."""
        return (self.x + self.width / 2, self.y + self.height / 2)


@dataclass(frozen=True)
class Seen:
    """What is in a picture: the background's colour and the pieces on it."""

    background: str
    pieces: tuple[Piece, ...]


def look(image: Image.Image) -> Seen:
    """Find what is in ``image`` (any size; it is brought to 64 px)."""
    small = image.convert("RGB")
    if small.size != (64, 64):
        small = small.resize((64, 64), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float32)
    classes = np.linalg.norm(pixels[:, :, None, :] - _PALETTE, axis=-1).argmin(axis=-1)
    background = _background(classes)
    paper = np.median(pixels[classes == background], axis=0)
    pieces = [p for c in range(len(_NAMES)) if c != background for p in _pieces(pixels, classes == c, paper, c)]
    return Seen(_NAMES[background], tuple(pieces))


def _background(classes: NDArray[np.intp]) -> int:
    frame = np.concatenate([classes[:2].ravel(), classes[-2:].ravel(), classes[:, :2].ravel(), classes[:, -2:].ravel()])
    votes = np.bincount(frame, minlength=len(_NAMES)) * 4 + np.bincount(classes.ravel(), minlength=len(_NAMES)) * 0.1
    return int(votes.argmax())


def _pieces(
    pixels: NDArray[np.float32], mask: NDArray[np.bool_], paper: NDArray[np.float32], colour: int
) -> list[Piece]:
    """The pieces of one colour class. Blurred rims fall into other classes; they are thin and vanish by erosion."""
    core = ndimage.binary_erosion(mask, np.ones((2, 2)))
    labels, count = ndimage.label(ndimage.binary_dilation(core, np.ones((2, 2)), origin=-1) & mask, np.ones((3, 3)))
    found = []
    for index in range(1, count + 1):
        blob = labels == index
        if blob.sum() >= _MIN_AREA:
            found.append(_name(_cover(pixels, blob, paper), colour))
    return found


def _cover(pixels: NDArray[np.float32], blob: NDArray[np.bool_], paper: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of each pixel the piece covers, in [0, 1]: its place between the paper's colour and the piece's own."""
    inner = ndimage.binary_erosion(blob)
    ink = np.median(pixels[inner if inner.sum() >= 4 else blob], axis=0)
    along = ink - paper
    cover = ((pixels - paper) @ along) / max(float(along @ along), 1.0)
    away = np.linalg.norm(pixels - paper - cover[:, :, None] * along, axis=-1)
    near = ndimage.binary_dilation(blob, np.ones((3, 3)), iterations=2) & (away < 70)
    clipped: NDArray[np.float32] = np.where(near, np.clip(cover, 0, 1), 0).astype(np.float32)
    return clipped


def _name(cover: NDArray[np.float32], colour: int) -> Piece:
    solid = cover > 0.5
    rows, columns = np.nonzero(solid.any(axis=1))[0], np.nonzero(solid.any(axis=0))[0]
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    scores = [max(_overlap(cover, shape, _grown(box, dx, dy)) for dx, dy in _GROWTHS) for shape in SHAPES]
    best = int(np.argmax(scores))
    width, height = box[2] - box[0], box[3] - box[1]
    fits = scores[best] >= _MIN_MATCH and max(width, height) / min(width, height) < 1.5
    return Piece(
        SHAPES[best] if fits else "", _NAMES[colour], box[0] / 64, box[1] / 64, width / 64, height / 64, scores[best]
    )


# Thin tips cover less than half a pixel, so the outline may reach past the solid box.
_GROWTHS = tuple((dx, dy) for dx in (0.0, 0.6, 1.2) for dy in (0.0, 0.6, 1.2))


def _grown(box: tuple[float, float, float, float], dx: float, dy: float) -> tuple[float, float, float, float]:
    return (box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy)


def _overlap(cover: NDArray[np.float32], shape: str, box: tuple[float, float, float, float]) -> float:
    """Intersection over union of the covered area with ``shape``'s outline in ``box`` (pixels), both soft."""
    left, top, right, bottom = box
    x0, y0 = max(int(left) - 2, 0), max(int(top) - 2, 0)
    x1, y1 = min(int(right) + 3, cover.shape[1]), min(int(bottom) + 3, cover.shape[0])
    canvas = Image.new("L", ((x1 - x0) * 4, (y1 - y0) * 4))
    points = [((left + (right - left) * u - x0) * 4, (top + (bottom - top) * v - y0) * 4) for u, v in _unit(shape)]
    ImageDraw.Draw(canvas).polygon(points, fill=255)
    drawn = np.asarray(canvas.resize((x1 - x0, y1 - y0), Image.Resampling.BOX), dtype=np.float32) / 255
    window = cover[y0:y1, x0:x1]
    return float(np.minimum(window, drawn).sum() / max(np.maximum(window, drawn).sum(), 1e-6))


@functools.cache
def _unit(shape: str) -> tuple[tuple[float, float], ...]:
    """The outline stretched to fill its box exactly."""
    points = np.array(outline(shape))
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    return tuple((float(x), float(y)) for x, y in points)


# --- judging --------------------------------------------------------------------------------


def judge(
    seen: Seen, groups: Sequence[Group], relation: str | None = None, background: str | None = None
) -> tuple[str, ...]:
    """What is wrong with a picture: nothing missing, nothing extra, the relation kept, the background right.

    Returns:
        Complaints in words; empty when the picture is exactly right.
    """
    wanted = Counter({(g.colour, g.shape): g.count for g in groups})
    there = Counter((p.colour, p.shape) for p in seen.pieces)
    wrong = [
        f"{there[key]} {key[0]} {key[1] or 'unnamed piece'} instead of {wanted[key]}"
        for key in sorted(wanted | there)
        if wanted[key] != there[key]
    ]
    if relation is not None and len(groups) == 2 and not _related(seen, groups, relation):
        wrong.append(f"the first is not {relation} of the second")
    if background is not None and seen.background != background:
        wrong.append(f"background {seen.background} instead of {background}")
    return tuple(wrong)


def _related(seen: Seen, groups: Sequence[Group], relation: str) -> bool:
    first, second = ([p for p in seen.pieces if (p.colour, p.shape) == (g.colour, g.shape)] for g in groups)
    axis = 0 if relation in ("left", "right") else 1
    sign = 1 if relation in ("left", "above") else -1
    pairs = [(a, b) for a in first for b in second]
    return bool(pairs) and all(sign * (b.centre[axis] - a.centre[axis]) > 0 for a, b in pairs)
