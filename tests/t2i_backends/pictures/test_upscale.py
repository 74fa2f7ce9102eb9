"""Upscaling in tiles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from imagewright.t2i_backends.pictures import upscale
from imagewright.t2i_backends.pictures.pixels import bislerp, grow, scale_latents


class Nearest(torch.nn.Module):
    """A network that repeats each pixel: what it makes of tiles is known exactly."""

    scale = 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(x, scale_factor=2.0)


@pytest.mark.parametrize("size", [(8, 6), (70, 100), (64, 64)])
def test_tiles_leave_no_seams(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setattr(upscale, "TILE", 32)
    monkeypatch.setattr(upscale, "OVERLAP", 8)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    found = upscale.upscale(Nearest(), image, torch.device("cpu"))
    assert found.size == (size[0] * 2, size[1] * 2)
    assert np.array_equal(np.asarray(found), np.asarray(image).repeat(2, 0).repeat(2, 1))


def test_bislerp_turns_and_keeps_lengths() -> None:
    """Between (1, 0) and (0, 1) lies (cos 45°, sin 45°): length 1, where a straight mean would be 0.71 long."""
    two = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).T.reshape(1, 2, 1, 2)
    found = bislerp(two, 1, 3)
    assert torch.allclose(found[0, :, 0, 1], torch.tensor([0.5**0.5, 0.5**0.5]), atol=1e-5)
    assert torch.allclose(found.norm(dim=1), torch.ones(1, 1, 3), atol=1e-5)
    assert scale_latents(two, 2, 4, "bislerp").shape == (1, 2, 2, 4)


def test_a_mask_grows_by_half_the_square() -> None:
    mask = np.zeros((2, 9, 9), dtype=np.float32)
    mask[0, 4, 4] = 1
    assert grow(mask, 0).sum() == 1
    assert np.argwhere(grow(mask, 3)).tolist() == [[0, y, x] for y in (3, 4, 5) for x in (3, 4, 5)]
    assert grow(mask, 6).shape == (2, 9, 9)
    assert grow(mask, 6).sum() == 36
