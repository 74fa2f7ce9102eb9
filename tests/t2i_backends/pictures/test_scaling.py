"""Pictures at other sizes and latents tile by tile, as ComfyUI makes them; the figures are computed by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imagewright.t2i_backends.denoising.controls import _fit
from imagewright.t2i_backends.nodes.table import NODES
from imagewright.t2i_backends.pictures.pixels import Vae, decode, scale_image
from imagewright.t2i_backends.pictures.tiles import decode_in_tiles

ROW = (0, 40, 80, 120, 160, 200)


def row(*values: int) -> Image.Image:
    """A picture one pixel high."""
    return Image.fromarray(np.repeat(np.array(values, dtype=np.uint8)[None, :, None], 3, axis=2))


def greys(image: Image.Image) -> list[int]:
    return [int(value) for value in np.asarray(image)[0, :, 0]]


@pytest.mark.parametrize(
    ("method", "smaller"),
    [("nearest-exact", [40, 160]), ("bilinear", [40, 160]), ("area", [40, 160])],
)
def test_pictures_are_made_smaller_without_a_filter(method: str, smaller: list[int]) -> None:
    assert greys(scale_image(row(*ROW), 2, 1, method)) == smaller


def test_a_point_is_missed_where_nothing_is_filtered() -> None:
    """Pillow's filter, by the earlier rules, saw it."""
    point = row(255, 0, 0, 0, 0, 0, 0, 0)
    assert greys(scale_image(point, 2, 1, "bilinear")) == [0, 0]
    assert greys(scale_image(point, 2, 1, "bilinear", by_pillow=True))[0] > 0


def test_the_middle_is_cut_to_the_new_shape() -> None:
    assert greys(scale_image(row(*ROW), 2, 1, "nearest-exact", centred=True)) == [80, 120]


def test_a_control_picture_of_another_shape_is_cut_not_stretched() -> None:
    assert greys(_fit(row(*ROW), (2, 1), stretched=False)) == [80, 120]
    assert greys(_fit(row(*ROW), (2, 1), stretched=True))[0] < 80


class Pointwise(torch.nn.Module):
    """A VAE whose cells know nothing of one another, but for where their tile begins."""

    device, dtype = torch.device("cpu"), torch.float32
    config = SimpleNamespace(scaling_factor=1.0, shift_factor=None)

    def __init__(self, by_tile: bool = False) -> None:
        super().__init__()
        self.by_tile = by_tile
        self.seen: list[tuple[int, ...]] = []

    def decode(self, values: torch.Tensor, return_dict: bool) -> tuple[torch.Tensor]:
        self.seen.append(tuple(values.shape[2:]))
        values = values[:, :, :1, :1].expand_as(values) if self.by_tile else values
        return (values.repeat_interleave(8, 2).repeat_interleave(8, 3),)


def test_tiles_of_three_shapes_make_the_picture_that_one_would_be() -> None:
    made = torch.rand((1, 3, 20, 24), generator=torch.Generator().manual_seed(0)) * 2 - 1
    vae: Any = Vae(Pointwise(), 8)
    assert np.abs(np.asarray(decode_in_tiles(vae, made, 64, 16), int) - np.asarray(decode(vae, made), int)).max() <= 1
    assert {shape for shape in vae.model.seen if shape != (20, 24)} >= {(16, 4), (4, 16), (8, 8)}


def test_tiles_fade_into_one_another() -> None:
    """Over the 16 pixels that two tiles share: the square ones that begin at cells 0 and 6, and the tall ones at 4 and
    6. A wide one holds the whole row."""
    made = torch.zeros((1, 3, 8, 14))
    made[..., 6:] = 1
    vae: Any = Vae(Pointwise(by_tile=True), 8)
    found = greys(decode_in_tiles(vae, made, 64, 16))
    square = [0.0] * 48 + [(x + 1) / ((x + 1) + (16 - x)) for x in range(16)] + [1.0] * 48
    tall = [*([0.0] * 48), *[(x + 1) / ((x + 1) + (16 - x)) for x in range(16)], *([1.0] * 48)]
    wide = [0.0] * 112
    by_hand = [(s + t + w) / 3 / 2 + 0.5 for s, t, w in zip(square, tall, wide, strict=True)]
    assert found == pytest.approx([255 * value for value in by_hand], abs=1)


def test_an_empty_search_is_found_between_all_letters() -> None:
    assert NODES["StringReplace"].run(None, string="ab", find="", replace="-") == ("-a-b-",)
