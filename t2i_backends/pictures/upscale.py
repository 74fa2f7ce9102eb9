"""A picture through an upscaling network, in overlapping tiles so that memory stays bounded."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from imagewright.t2i_backends.pictures.pixels import to_image, to_tensor

TILE = 512
"""Pixels of a tile's side."""
OVERLAP = 32


@torch.inference_mode()
def upscale(model: Any, image: Image.Image, device: torch.device) -> Image.Image:
    """``image`` at ``model.scale`` times its size; tiles fade into each other over ``OVERLAP`` pixels."""
    pixels = to_tensor(image).to(device)
    scale = int(model.scale)
    height, width = pixels.shape[2] * scale, pixels.shape[3] * scale
    total, weights = torch.zeros(1, 3, height, width), torch.zeros(1, 1, height, width)
    for top in _starts(pixels.shape[2]):
        for left in _starts(pixels.shape[3]):
            tile = pixels[:, :, top : top + TILE, left : left + TILE]
            found = model(tile).float().cpu()
            weight = (
                _weight(found.shape[2], OVERLAP * scale)[:, None] * _weight(found.shape[3], OVERLAP * scale)[None, :]
            )
            rows, columns = (
                slice(top * scale, top * scale + found.shape[2]),
                slice(left * scale, left * scale + found.shape[3]),
            )
            total[:, :, rows, columns] += found * weight
            weights[:, :, rows, columns] += weight
    return to_image(total / weights)


def _starts(size: int) -> list[int]:
    """Where tiles begin along one side, so that the last one ends at the edge."""
    if size <= TILE:
        return [0]
    step = TILE - OVERLAP
    return [*range(0, size - TILE, step), size - TILE]


def _weight(size: int, overlap: int) -> torch.Tensor:
    """1 in the middle, falling toward both ends over the overlap; never 0."""
    ramp = torch.clamp((torch.arange(size) + 1) / overlap, max=1.0)
    return torch.minimum(ramp, ramp.flip(0))
