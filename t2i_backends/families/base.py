"""What every family's loop is made of: a loaded diffusion model, its inputs for one text, and the x0 prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import torch

from imagewright.t2i_backends.families.facts import Facts
from imagewright.t2i_backends.values.handles import Conditioning, Sampling, Shape
from imagewright.t2i_backends.values.noise_levels import Table


@dataclass(frozen=True)
class Net:
    """A loaded diffusion model and what belongs to it."""

    model: Any
    facts: Facts
    scheduler: Mapping[str, Any]
    """The config of the pipeline's scheduler: it says what the model's noise levels are."""
    scale: int
    """Pixels per latent cell of the VAE it was trained with."""
    channels: int
    """Latent channels."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fills(self) -> bool:
        """Whether it has channels for a mask and a masked picture: an inpainting model of SD1.5 or SDXL."""
        return self.facts.fills(int(self.model.config.in_channels), self.channels)

    @cached_property
    def dtype(self) -> torch.dtype:
        """The number format that it computes in."""
        found: torch.dtype = self.extra.get("compute_dtype") or self.model.dtype
        return found


@dataclass(frozen=True)
class Inputs:
    """What one pass of the model attends to, on its device and in its number format."""

    embeds: torch.Tensor
    """``(batch, tokens, width)``."""
    pooled: torch.Tensor | None = None
    """``(batch, width)``."""
    guidance: float = 0.0
    """The distilled guidance; used by models that embed it."""
    sizes: torch.Tensor | None = None
    """SDXL's size numbers, ``(batch, 6)`` or ``(batch, 5)``."""
    mask: torch.Tensor | None = None
    """Bool, ``(1, 1, S, S)`` over text then image tokens; None lets every token see every other."""
    fill: torch.Tensor | None = None
    """What an inpainting model sees beside the latents: mask, masked picture; ``(batch, 1 + C, rows, columns)``."""


def stack_inputs(first: Inputs, second: Inputs) -> Inputs | None:
    """One pass's inputs: the rows of ``first``, then those of ``second``; None where they do not go together."""
    shapes = [[None if t is None else t.shape for t in (i.embeds, i.pooled, i.sizes, i.fill)] for i in (first, second)]
    if shapes[0] != shapes[1] or first.guidance != second.guidance or not (first.mask is second.mask is None):
        return None

    def rows(one: torch.Tensor | None, other: torch.Tensor | None) -> torch.Tensor | None:
        return None if one is None or other is None else torch.cat([one, other])

    return Inputs(
        torch.cat([first.embeds, second.embeds]), rows(first.pooled, second.pooled), first.guidance,
        rows(first.sizes, second.sizes), fill=rows(first.fill, second.fill),
    )  # fmt: skip


class Hint(Protocol):
    """A ControlNet at work: what it adds to the model."""

    def residuals(self, net: Net, x: torch.Tensor, sigma: float, time: float, inputs: Inputs) -> Mapping[str, Any]:
        """Keyword arguments for the diffusion model; ``x`` is what the model sees."""
        ...


class Family(Protocol):
    """How one family denoises."""

    def table(self, net: Net, sampling: Sampling, shape: Shape) -> Table:
        """The model's noise levels for latents of ``shape``."""
        ...

    def inputs(self, net: Net, found: Conditioning, shape: Shape, negative: bool) -> Inputs:
        """A conditioning for the model, still on the CPU; ``negative`` is what counts against."""
        ...

    def x0(
        self, net: Net, table: Table, x: torch.Tensor, sigma: float, inputs: Inputs, hints: Sequence[Hint], context: str
    ) -> torch.Tensor:
        """The x0 estimate of latents ``x`` at noise level ``sigma``, float32."""
        ...


def merge_residuals(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The residuals of several ControlNets, added up block by block."""
    total: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = value if name not in total else _plus(total[name], value)
    return total


def _plus(one: Any, other: Any) -> Any:
    if isinstance(one, (list, tuple)):
        return [_plus(a, b) for a, b in zip(one, other, strict=True)]
    return one + other if isinstance(one, torch.Tensor) else one
