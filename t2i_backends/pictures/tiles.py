"""Latents to a picture tile by tile, for less memory, as ComfyUI's VAEDecodeTiled does it.

Three shapes of tile (tall, wide, square) go over the canvas; where tiles overlap they fade into one another, and the
picture is the mean of the three.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from PIL import Image

from imagewright.t2i_backends.pictures.pixels import Vae, decode_values, to_image

Shape = tuple[int, int]


@torch.inference_mode()
def decode_in_tiles(vae: Vae, latents: torch.Tensor, tile: int, overlap: int) -> Image.Image:
    """Latents ``(1, C, h, w)`` to a picture by tiles of ``tile`` pixels that share ``overlap``, a quarter at most."""
    side, shared = max(tile // vae.scale, 2), min(overlap, tile // 4) // vae.scale
    shapes = ((side * 2, side // 2), (side // 2, side * 2), (side, side))
    tall, wide, square = (_decode_by(vae, latents, shape, shared) for shape in shapes)
    return to_image((tall + wide + square) / 3 / 2 + 0.5)


def _decode_by(vae: Vae, latents: torch.Tensor, tile: Shape, shared: int) -> torch.Tensor:
    """The picture by tiles of one shape in cells, ``(1, 3, H, W)`` in float32."""
    rows, columns = latents.shape[2:]
    if rows <= tile[0] and columns <= tile[1]:
        return decode_values(vae, latents).float()
    total, weight = None, None
    for top, left in _places((rows, columns), tile, shared):
        part = latents[:, :, top : top + tile[0], left : left + tile[1]]
        drawn = decode_values(vae, part).float()
        if total is None or weight is None:
            total = drawn.new_zeros((1, drawn.shape[1], rows * vae.scale, columns * vae.scale))
            weight = drawn.new_zeros((1, 1, *total.shape[2:]))
        share = _fade(drawn, shared * vae.scale)
        y, x = (slice(at * vae.scale, at * vae.scale + side) for at, side in
                zip((top, left), drawn.shape[2:], strict=True))  # fmt: skip
        total[..., y, x] += drawn * share
        weight[..., y, x] += share
    assert total is not None
    assert weight is not None
    return total / weight


def _places(canvas: Shape, tile: Shape, shared: int) -> Iterator[Shape]:
    starts = [range(0, whole - shared, side - shared) if whole > side else (0,)
              for whole, side in zip(canvas, tile, strict=True)]  # fmt: skip
    for top in starts[0]:
        for left in starts[1]:
            yield top, left


def _fade(drawn: torch.Tensor, width: int) -> torch.Tensor:
    """How much each pixel of a tile counts, ``(1, 1, H, W)``: less towards every edge, over ``width`` pixels."""
    share = drawn.new_ones((1, 1, *drawn.shape[2:]))
    for axis in (2, 3):
        side = drawn.shape[axis]
        if not width or width >= side:
            continue
        rising = torch.arange(1, width + 1, device=drawn.device) / width
        for edge, slope in ((0, rising), (side - width, rising.flip(0))):
            share.narrow(axis, edge, width).mul_(slope.reshape((-1, 1) if axis == 2 else (1, -1)))
    return share
