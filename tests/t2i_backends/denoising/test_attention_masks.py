"""Every rule of the region mask, on every pair of tokens of small grids."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from imagewright.errors import BadInput
from imagewright.schemas import Region
from imagewright.t2i_backends.denoising.attention_masks import attention_mask, own_tokens


def region(x: float, y: float, width: float, height: float) -> Region:
    return Region(caption="a cat", x=x, y=y, width=width, height=height)


LEFT, RIGHT, MIDDLE = region(0, 0, 0.5, 1), region(0.5, 0, 0.5, 1), region(0.25, 0.25, 0.5, 0.5)


def test_halves_own_their_columns() -> None:
    owned = own_tokens([LEFT, RIGHT], 2, 4).reshape(2, 2, 4)
    assert owned[0].tolist() == [[True, True, False, False]] * 2
    assert owned[1].tolist() == [[False, False, True, True]] * 2


def test_rows_run_downward() -> None:
    owned = own_tokens([region(0, 0, 1, 0.5)], 2, 3).reshape(2, 3)
    assert owned.tolist() == [[True] * 3, [False] * 3]


def test_overlapping_boxes_share_tokens() -> None:
    owned = own_tokens([LEFT, MIDDLE], 4, 4)
    assert (owned[0] & owned[1]).sum() == 2


def test_a_box_between_token_centres_owns_the_token_under_its_own_centre() -> None:
    for size, x, y in itertools.product((1, 2, 3, 5), (0.0, 0.31, 0.5, 0.99), (0.0, 0.49, 0.98)):
        owned = own_tokens([region(x, y, 0.01, 0.01)], size, size).reshape(size, size)
        assert owned.sum() == 1
        assert owned[min(int((y + 0.005) * size), size - 1), min(int((x + 0.005) * size), size - 1)]


def test_boxes_are_clipped_to_the_canvas() -> None:
    assert own_tokens([region(-1, -1, 3, 3)], 3, 3).all()
    assert own_tokens([region(0.9, 0.9, 5, 5)], 2, 2).reshape(2, 2).tolist() == [[False, False], [False, True]]


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 1), (0, 0, 1, -1), (1.2, 0, 1, 1), (math.nan, 0, 1, 1), (0, 0, math.nan, 1), (0, 0, 1, math.nan)]
)
def test_boxes_without_area_are_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(BadInput):
        own_tokens([region(*box)], 4, 4)


@pytest.mark.parametrize("regions", [[LEFT], [LEFT, RIGHT], [LEFT, MIDDLE, RIGHT], [MIDDLE, MIDDLE]])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (2, 2), (3, 4)])
def test_every_pair_follows_the_rules(regions: list[Region], rows: int, columns: int) -> None:
    base, length = 3, 2
    owned = own_tokens(regions, rows, columns)
    mask = attention_mask(base, length, owned)[0, 0]
    kinds: list[tuple[str, int]] = [("base", 0)] * base
    kinds += [("region", i) for i in range(len(regions)) for _ in range(length)]
    kinds += [("image", k) for k in range(rows * columns)]
    assert mask.shape == (len(kinds), len(kinds))
    for (i, (kind, a)), (j, (other, b)) in itertools.product(enumerate(kinds), repeat=2):
        wanted = {
            ("base", "base"): True,
            ("base", "region"): False,
            ("region", "base"): False,
            ("base", "image"): True,
            ("image", "base"): True,
            ("region", "region"): a == b,
            ("image", "image"): True,
        }.get((kind, other))
        if wanted is None:
            wanted = bool(owned[a, b] if kind == "region" else owned[b, a])
        assert bool(mask[i, j]) == wanted, (kinds[i], kinds[j])


def test_no_row_is_empty_and_the_shape_is_what_attention_takes() -> None:
    for rows, columns in itertools.product(range(1, 5), repeat=2):
        mask = attention_mask(2, 2, own_tokens([region(0.4, 0.4, 0.01, 0.01), RIGHT], rows, columns))
        assert mask.dtype == torch.bool
        assert mask.shape == (1, 1, 6 + rows * columns, 6 + rows * columns)
        assert mask.any(dim=-1).all()
        assert torch.equal(mask, mask.transpose(2, 3))
