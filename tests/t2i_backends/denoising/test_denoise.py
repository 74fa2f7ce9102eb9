"""The denoiser: both sides of the guidance share a pass where they can, and come to what two passes come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
import torch

from imagewright.t2i_backends.denoising.denoise import BOTH_CELLS, Conditioned, Denoiser
from imagewright.t2i_backends.families.base import Family, Inputs, Net
from imagewright.t2i_backends.values.noise_levels import Shift, Table


class Adding:
    """Predicts the latents plus each row's text, and counts its passes."""

    unit = 1

    def __init__(self) -> None:
        self.rows: list[int] = []

    def x0(
        self, net: Net, table: Table, x: torch.Tensor, sigma: float, inputs: Inputs, hints: Sequence[Any], context: str
    ) -> torch.Tensor:
        self.rows.append(len(x))
        added = inputs.embeds.mean(dim=(1, 2))
        return x + added[:, None, None, None]


def part(value: float, tokens: int = 3, rows: int = 1, **more: Any) -> Conditioned:
    return Conditioned(Inputs(torch.full((rows, tokens, 4), value), torch.zeros(rows, 4)), **more)


def denoise(positive: Conditioned, negative: Conditioned, x: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
    family = Adding()
    made = Denoiser(cast(Family, family), cast(Net, None), Shift(1.0), (positive,), (negative,), cfg=3.0)
    return made(x, 0.5, 0), family.rows


@pytest.mark.parametrize("rows", [1, 2])
def test_one_pass_serves_both_sides_of_the_guidance(rows: int) -> None:
    x = torch.randn(rows, 4, 8, 8)
    found, passes = denoise(part(2.0, rows=rows), part(1.0, rows=rows), x)
    assert passes == [2 * rows]
    assert torch.allclose(found, x + 1 + 3 * (2 - 1))


SIDE = int(BOTH_CELLS**0.5)


@pytest.mark.parametrize(
    ("negative", "side"),
    [
        (part(1.0, tokens=5), 8),
        (part(1.0, mask=torch.ones(1, 1, 8, 8)), 8),
        (replace(part(1.0), inputs=Inputs(torch.ones(1, 3, 4))), 8),
        (replace(part(1.0), inputs=replace(part(1.0).inputs, mask=torch.ones(1, 1, 2, 2, dtype=torch.bool))), 8),
        (replace(part(1.0), inputs=replace(part(1.0).inputs, guidance=2.0)), 8),
        (part(1.0), SIDE + 1),
    ],
    ids=["other length", "mask", "no pooled", "attention mask", "other guidance", "large canvas"],
)
def test_what_does_not_go_together_takes_two_passes_and_comes_to_the_same(negative: Conditioned, side: int) -> None:
    x = torch.randn(1, 4, side, side)
    found, passes = denoise(part(2.0), negative, x)
    assert passes == [1, 1]
    assert torch.allclose(found, x + 1 + 3 * (2 - 1), atol=1e-5)
