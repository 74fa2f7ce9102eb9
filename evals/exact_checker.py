"""The exact checker of mini's world: classical, on pixels, with nothing trained. It only ever judges.

It finds the background's colour and its tint, takes every pixel off the line between the two for a thing's, cuts those
into connected pieces, splits a piece where two colours meet, and names its shape by the overlap of its silhouette
(holes filled) with silhouettes of renders. Nothing that chooses, draws, criticises or scores evidence may use it (an
import contract sees to that), so its verdict is independent.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from imagewright.t2i_backends.mini.render import SIZE, draw_scene
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES, STYLES, Group, Scene, Thing, tint

_Pixels = NDArray[np.float32]
_Mask = NDArray[np.bool_]

_NAMES = tuple(COLOURS)
_INKS: _Pixels = np.array([COLOURS[n] for n in _NAMES], dtype=np.float32)
_TINTS: _Pixels = np.array([tint(COLOURS[n]) for n in _NAMES], dtype=np.float32)
OFF_PAPER = 30.0
"""Distance in RGB from the background's colours beyond which a pixel belongs to a thing."""
_MIN_AREA = 60
"""_Pixels of a 128 px picture below which a piece is a stray mark (the smallest outlined thing has 150)."""
_MIN_MATCH = 0.74
"""Overlap (intersection over union) below which a silhouette is no shape of this world."""
MOST_SKEW = 1.25
"""By how much the ratio of a silhouette's sides may differ from its shape's."""
SECOND_COLOUR = 0.2
"""The share of a piece's pure pixels from which another colour makes it two pieces."""
PURE = 0.75
"""_Pixels this far off the background, of the farthest, show a thing's own colour and no mixture."""
_GRID = 32


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


@dataclass(frozen=True)
class _Template:
    """A silhouette scaled to a square, the ratio of its sides, and the shape that it is."""

    shape: str
    mask: _Pixels
    ratio: float


def look(image: Image.Image) -> Seen:
    """Find what is in ``image`` (any size; it is brought to 128 px)."""
    small = image.convert("RGB")
    if small.size != (SIZE, SIZE):
        small = small.resize((SIZE, SIZE), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float32)
    paper = _background(pixels)
    off = _distance_off(pixels, *_papers(pixels, paper))
    pieces = [_name(solid, colour) for solid, colour in _pieces(pixels, off)]
    return Seen(_NAMES[paper], tuple(pieces))


def _background(pixels: _Pixels) -> int:
    """The colour of most of the rim, tints counted in; the whole picture decides little."""
    both = np.concatenate([_INKS, _TINTS])
    nearest = np.linalg.norm(pixels[:, :, None, :] - both, axis=-1).argmin(axis=-1) % len(_NAMES)
    frame = np.concatenate([nearest[:3].ravel(), nearest[-3:].ravel(), nearest[:, :3].ravel(), nearest[:, -3:].ravel()])
    votes = np.bincount(frame, minlength=len(_NAMES)) + 0.02 * np.bincount(nearest.ravel(), minlength=len(_NAMES))
    return int(votes.argmax())


def _papers(pixels: _Pixels, paper: int) -> tuple[_Pixels, _Pixels]:
    """The two colours of the background as they are in this picture; twice the same where it has no pattern."""
    away = np.stack([np.linalg.norm(pixels - wanted, axis=-1) for wanted in (_INKS[paper], _TINTS[paper])])
    nearer = away.argmin(axis=0)
    groups = [pixels[(nearer == i) & (away[i] < 40)] for i in (0, 1)]
    base, marks = (np.median(g, axis=0) if len(g) > 0.03 * SIZE * SIZE else None for g in groups)
    if base is None:
        base = marks if marks is not None else _INKS[paper]
    return base, base if marks is None else marks


def _distance_off(pixels: _Pixels, base: _Pixels, marks: _Pixels) -> _Pixels:
    """How far each pixel's colour is from the line between the background's two."""
    along = marks - base
    part = ((pixels - base) @ along) / max(float(along @ along), 1e-6)
    nearest = base + np.clip(part, 0, 1)[:, :, None] * along
    distance: _Pixels = np.linalg.norm(pixels - nearest, axis=-1)
    return distance


def _pieces(pixels: _Pixels, off: _Pixels) -> list[tuple[_Mask, int]]:
    """The filled silhouette and the colour of every piece."""
    labels, _ = ndimage.label(off > OFF_PAPER, np.ones((3, 3)))
    found = []
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        blob = labels[window] == number
        if blob.sum() < _MIN_AREA:
            continue
        for part, colour in _split(pixels[window], off[window], blob):
            ink = np.median(off[window][part & (off[window] > PURE * np.percentile(off[window][part], 95))])
            cores, count = ndimage.label(part & (off[window] > 0.5 * ink), np.ones((3, 3)))
            solids = [cores == core for core in range(1, count + 1)]
            found += [(_filled(s, window, off), colour) for s in solids if s.sum() >= _MIN_AREA * 0.75]
    return found


def _filled(solid: _Mask, window: tuple[slice, slice], off: _Pixels) -> _Mask:
    """A part of the picture's ``window`` as a mask of the whole picture, its holes filled."""
    whole = np.zeros(off.shape, dtype=bool)
    whole[window] = ndimage.binary_fill_holes(solid)
    return whole


def _split(pixels: _Pixels, off: _Pixels, blob: _Mask) -> list[tuple[_Mask, int]]:
    """The parts of a connected piece, one a colour; most pieces have one. Rims go to the nearest pure pixel."""
    pure = blob & (off > PURE * np.percentile(off[blob], 95))
    nearest = np.linalg.norm(pixels[:, :, None, :] - _INKS, axis=-1).argmin(axis=-1)
    counts = np.bincount(nearest[pure], minlength=len(_NAMES))
    colours = [int(c) for c in np.argsort(-counts) if counts[c] >= max(SECOND_COLOUR * counts.sum(), _MIN_AREA)]
    if len(colours) < 2:
        return [(blob, int(counts.argmax()))]
    known = pure & np.isin(nearest, colours)
    rows, columns = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    owner = nearest[rows, columns]
    return [(blob & (owner == colour), colour) for colour in colours]


def _scaled(solid: _Mask) -> tuple[_Pixels, float, tuple[int, int, int, int]]:
    """The silhouette stretched to ``_GRID`` squares, width over height, and its box ``left, top, right, bottom``."""
    rows, columns = np.nonzero(solid.any(axis=1))[0], np.nonzero(solid.any(axis=0))[0]
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    crop = Image.fromarray(solid[box[1] : box[3], box[0] : box[2]].astype(np.uint8) * 255)
    stretched: _Pixels = np.asarray(
        crop.resize((_GRID, _GRID), Image.Resampling.BILINEAR), dtype=np.float32
    ) / np.float32(255)
    return stretched, (box[2] - box[0]) / (box[3] - box[1]), box


@functools.cache
def _templates() -> tuple[_Template, ...]:
    """Every shape in every style at three sizes, black on white, seen as pictures are seen."""
    made = []
    for shape in SHAPES:
        for style in STYLES:
            for size in (0.21, 0.3, 0.5):
                thing = Thing(shape, "black", 0.5, 0.5, size)
                picture = draw_scene(Scene((), None, None, "white", (thing,), 0.5, "plain", style))
                pixels = np.asarray(picture, dtype=np.float32)
                ((solid, _),) = _pieces(pixels, _distance_off(pixels, *_papers(pixels, _NAMES.index("white"))))
                mask, ratio, _ = _scaled(solid)
                made.append(_Template(shape, mask, ratio))
    return tuple(made)


def _name(solid: _Mask, colour: int) -> Piece:
    mask, ratio, (left, top, right, bottom) = _scaled(solid)
    scores = [(_overlap(mask, t), t.shape) for t in _templates() if 1 / MOST_SKEW < ratio / t.ratio < MOST_SKEW]
    match, shape = max(scores, default=(0.0, ""))
    return Piece(
        shape if match >= _MIN_MATCH else "",
        _NAMES[colour],
        left / SIZE,
        top / SIZE,
        (right - left) / SIZE,
        (bottom - top) / SIZE,
        match,
    )


def _overlap(mask: _Pixels, template: _Template) -> float:
    return float(np.minimum(mask, template.mask).sum() / np.maximum(mask, template.mask).sum())


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
