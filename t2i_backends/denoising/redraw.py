"""Drawing only a part of an earlier picture anew, boxes or a mask: what is redrawn, on latents and on pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from imagewright.ports import Redraw
from imagewright.schemas import Region

_Floats = npt.NDArray[np.float32]


def soft_boxes(regions: Sequence[Region], width: int, height: int, border: float) -> _Floats:
    """1 inside the boxes, falling in a straight line to 0 at ``border`` cells outside: float32, ``(height, width)``.

    Boxes are fractions of the canvas, ``border`` counts cells of this grid; cells are judged by their centres.
    """
    found = np.zeros((height, width), dtype=np.float32)
    for region in regions:
        across = _outside(region.x * width, region.right * width, width)
        down = _outside(region.y * height, region.bottom * height, height)
        distance = np.maximum(across[None, :], down[:, None])
        found = np.maximum(found, np.clip(1 - distance / border, 0, 1).astype(np.float32))
    return found


def _outside(low: float, high: float, count: int) -> npt.NDArray[np.float64]:
    """How far the centre of each of ``count`` cells lies outside the span ``low`` to ``high``; 0 inside."""
    centres = np.arange(count) + 0.5
    outside: npt.NDArray[np.float64] = np.maximum(np.maximum(low - centres, centres - high), 0.0)
    return outside


def redrawn_share(redraw: Redraw, width: int, height: int, border: float) -> _Floats:
    """How much of each cell of a grid is drawn anew: float32 in [0, 1], ``(height, width)``.

    A mask decides where there is one, and a cell has the most of its pixels; else the boxes, soft by ``border``.
    """
    if redraw.mask is None:
        return soft_boxes(redraw.regions, width, height, border)
    each = max(round(redraw.mask.width / width), 1), max(round(redraw.mask.height / height), 1)
    fitted = redraw.mask.convert("L").resize((width * each[0], height * each[1]), Image.Resampling.NEAREST)
    values = np.asarray(fitted, dtype=np.float32).reshape(height, each[1], width, each[0])
    found: _Floats = values.max(axis=(1, 3)) / np.float32(255)
    return found


def paste(
    drawn: Image.Image,
    original: Image.Image,
    regions: Sequence[Region],
    border: int,
    mask: Image.Image | None = None,
) -> Image.Image:
    """``drawn`` inside the boxes, or by the mask, ``original`` elsewhere; ``border`` pixels outside boxes blend both.

    Pixels farther than ``border`` from every box, and those that a mask keeps, are the original's, bit for bit.
    """
    redraw = Redraw(original, tuple(regions), mask=mask)
    share = redrawn_share(redraw, *original.size, border)[..., None]
    old = np.asarray(original.convert("RGB"), dtype=np.float32)
    new = np.asarray(drawn.convert("RGB"), dtype=np.float32)
    return Image.fromarray(np.rint(old + share * (new - old)).clip(0, 255).astype(np.uint8))
