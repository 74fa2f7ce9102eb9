"""Drawing only some boxes of an earlier picture anew: the soft masks, on latents and on pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

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


def paste(drawn: Image.Image, original: Image.Image, regions: Sequence[Region], border: int) -> Image.Image:
    """``drawn`` inside the boxes, ``original`` outside; in between a border of ``border`` pixels blends the two.

    Pixels farther than ``border`` from every box are the original's, bit for bit.
    """
    share = soft_boxes(regions, *original.size, border)[..., None]
    old = np.asarray(original.convert("RGB"), dtype=np.float32)
    new = np.asarray(drawn.convert("RGB"), dtype=np.float32)
    return Image.fromarray(np.rint(old + share * (new - old)).clip(0, 255).astype(np.uint8))
