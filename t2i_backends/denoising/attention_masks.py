"""Which token may look at which, so that a region's prompt governs its box: pure functions over a token grid.

The sequence is ``[base text, text of region 0, text of region 1, ..., image tokens]``; the image tokens are the grid
row by row. After Chen et al. 2024, "Training-free Regional Prompting for Diffusion Transformers" (arXiv 2411.02395),
with two changes: the base prompt stays in the sequence and sees the whole picture, and image tokens see each other
without restriction, because isolated image attention draws disconnected pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from imagewright.errors import BadInput
from imagewright.geometry import clip
from imagewright.schemas import Region


def own_tokens(regions: Sequence[Region], rows: int, columns: int) -> torch.Tensor:
    """The image tokens of each region: bool, shape ``(regions, rows * columns)``.

    A region owns the tokens whose centre lies in its box, and at least the one under the box's own centre. Boxes are
    clipped to the canvas; they may overlap.

    Raises:
        BadInput: a box is not finite or has no area.
    """
    owned = torch.zeros(len(regions), rows, columns, dtype=torch.bool)
    for i, region in enumerate(regions):
        left, top, right, bottom = _edges(region)
        across = (torch.arange(columns) + 0.5) / columns
        down = (torch.arange(rows) + 0.5) / rows
        owned[i] = ((down >= top) & (down < bottom))[:, None] & ((across >= left) & (across < right))[None, :]
        if not owned[i].any():
            row = min(int((top + bottom) / 2 * rows), rows - 1)
            owned[i, row, min(int((left + right) / 2 * columns), columns - 1)] = True
    return owned.flatten(1)


def _edges(region: Region) -> tuple[float, float, float, float]:
    """``left, top, right, bottom`` in [0, 1]."""
    left, top, right, bottom = clip(region.edges)
    if not all(side == side for side in region.edges) or right <= left or bottom <= top:
        raise BadInput(f"the box of {region.caption[:40]!r} has no area on the canvas", "boxes are fractions in [0, 1]")
    return left, top, right, bottom


def attention_mask(base_length: int, region_length: int, owned: torch.Tensor) -> torch.Tensor:
    """Who may attend to whom: bool, shape ``(1, 1, S, S)``; True at ``[..., i, j]`` lets token ``i`` read token ``j``.

    ``S = base_length + regions * region_length + image tokens``. Base text reads base text and the picture; region
    text reads itself and its own tokens; an image token reads the picture, the base text and the text of every region
    that owns it. Nothing else. No row is empty, and the mask is symmetric.
    """
    regions, tokens = owned.shape
    text = base_length + regions * region_length
    mask = torch.zeros(text + tokens, text + tokens, dtype=torch.bool)
    mask[:base_length, :base_length] = True
    mask[:base_length, text:] = True
    mask[text:, :base_length] = True
    mask[text:, text:] = True
    for i in range(regions):
        own = slice(base_length + i * region_length, base_length + (i + 1) * region_length)
        mask[own, own] = True
        mask[own, text:] = owned[i]
        mask[text:, own] = owned[i][:, None]
    return mask[None, None]
