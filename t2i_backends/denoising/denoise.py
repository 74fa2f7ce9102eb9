"""The denoiser of every family: one prediction for each conditioning, blended, guided, and kept where it must stay.

A conditioning has an area, a mask, a strength and a time; where several overlap, the x0 predictions are averaged with
their weights, as in ComfyUI. An area without a mask fades out over its inner edges. Prediction blending of this kind is
published as MultiDiffusion (Bar-Tal et al. 2023, arXiv 2302.08113).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from imagewright.t2i_backends.families.base import Family, Hint, Inputs, Net, stack_inputs
from imagewright.t2i_backends.values.noise_levels import Table

FADE = 8
"""Latent cells over which an area fades in, at most a quarter of it."""
BOTH_CELLS = 64 * 64
"""Latent cells of a canvas up to which both sides of the guidance share one pass."""
_NOTHING = 1e-37
LatentCells = tuple[int, int, int, int]
"""Rows, columns, top and left of an area."""


@dataclass(frozen=True)
class TimedHint:
    """A ControlNet and the noise levels between which it works."""

    hint: Hint
    first: float
    last: float


@dataclass(frozen=True)
class Conditioned:
    """One conditioning, ready for the model."""

    inputs: Inputs
    area: LatentCells | None = None
    mask: torch.Tensor | None = None
    """How much each cell counts, ``(1 or batch, 1, rows, columns)`` of the whole canvas."""
    strength: float = 1.0
    first: float = float("inf")
    last: float = 0.0
    """The noise levels between which it counts."""
    hints: tuple[TimedHint, ...] = ()
    fill: torch.Tensor | None = None
    """What an inpainting model sees beside the latents, of the whole canvas."""

    def weight(self, x: torch.Tensor) -> torch.Tensor:
        """How much each cell of the area counts, ``(1 or batch, 1, rows, columns)``."""
        rows, columns, top, left = self.area or (x.shape[2], x.shape[3], 0, 0)
        if self.mask is not None:
            return self.mask[:, :, top : top + rows, left : left + columns] * self.strength
        found = torch.full((1, 1, rows, columns), self.strength, device=x.device)
        if self.area is not None:
            found *= _fade(rows, top, x.shape[2], x.device)[:, None]
            found *= _fade(columns, left, x.shape[3], x.device)[None, :]
        return found

    def seen(self) -> Inputs:
        """The inputs for the area."""
        if self.fill is None:
            return self.inputs
        rows, columns, top, left = self.area or (*self.fill.shape[2:], 0, 0)
        return replace(self.inputs, fill=self.fill[:, :, top : top + rows, left : left + columns])


def _fade(size: int, start: int, whole: int, device: torch.device) -> torch.Tensor:
    """1 along one side of an area, rising from its ends where they are not the canvas's."""
    found = torch.ones(size, device=device)
    length = min(FADE, size // 4)
    ramp = torch.arange(1, length + 1, device=device) / max(length, 1)
    if start:
        found[:length] *= ramp
    if start + size < whole and length:
        found[-length:] *= ramp.flip(0)
    return found


@dataclass(frozen=True)
class Kept:
    """What must stay of an earlier picture, in latents ``(batch, C, rows, columns)``."""

    original: torch.Tensor
    noise: torch.Tensor
    redrawn: torch.Tensor
    """How much of each value is drawn anew, in [0, 1]."""
    table: Table
    after_all: bool = False
    """Whether the kept part is put back once more when all steps are done. A soft mask counts twice then: that is how
    parts of our own pictures are redrawn, and how the first rules drew; ComfyUI does not."""

    def before(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """``x`` with the kept part set to the original at noise level ``sigma``."""
        from imagewright.t2i_backends.denoising.samplers.base import with_noise

        return x * self.redrawn + with_noise(self.original, self.noise, sigma, self.table) * (1 - self.redrawn)

    def after(self, x0: torch.Tensor) -> torch.Tensor:
        """An x0 estimate with the kept part set to the original."""
        return x0 * self.redrawn + self.original * (1 - self.redrawn)


@dataclass(frozen=True)
class Denoiser:
    """Predicts x0 for a sampler, guided by the negative side where ``cfg`` is not 1."""

    family: Family
    net: Net
    table: Table
    positive: tuple[Conditioned, ...]
    negative: tuple[Conditioned, ...] = ()
    cfg: float = 1.0
    regional: tuple[Conditioned, ...] = ()
    """What is drawn in the first ``regional_steps`` steps instead of ``positive``."""
    regional_steps: int = 0
    kept: Kept | None = None

    def __call__(self, x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
        """The x0 estimate; ComfyUI's CFG, ``negative + cfg * (positive - negative)``, and no negative pass at 1."""
        if self.kept is not None:
            x = self.kept.before(x, sigma)
        parts = self.regional if step < self.regional_steps else self.positive
        x0 = self._guided(x, sigma, parts) if self.negative and self.cfg != 1 else self._blend(x, sigma, parts, "cond")
        return x0 if self.kept is None else self.kept.after(x0)

    def _guided(self, x: torch.Tensor, sigma: float, parts: Sequence[Conditioned]) -> torch.Tensor:
        both = self._in_one_pass(x, sigma, parts)
        wanted, against = both or (
            self._blend(x, sigma, parts, "cond"),
            self._blend(x, sigma, self.negative, "uncond"),
        )
        return against + self.cfg * (wanted - against)

    def _in_one_pass(
        self, x: torch.Tensor, sigma: float, parts: Sequence[Conditioned]
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Both sides' predictions from one pass over twice the rows; None where they need a pass each.

        On a CPU only, and for small canvases: few rows leave it idle, while a GPU is short of memory first.
        """
        if x.device.type != "cpu" or x.shape[2] * x.shape[3] > BOTH_CELLS:
            return None
        sides = _alone(parts, sigma), _alone(self.negative, sigma)
        if sides[0] is None or sides[1] is None or sides[0].hints or sides[1].hints:
            return None
        inputs = stack_inputs(sides[0].seen(), sides[1].seen())
        if inputs is None:
            return None
        found = self.family.x0(self.net, self.table, torch.cat([x, x]), sigma, inputs, (), "both")
        return found[: len(x)], found[len(x) :]

    def _blend(self, x: torch.Tensor, sigma: float, parts: Sequence[Conditioned], context: str) -> torch.Tensor:
        """The weighted mean of the parts' predictions; 0 where no part counts, as in ComfyUI."""
        if (alone := _alone(parts, sigma)) is not None:
            return self._predict(x, sigma, alone, context)
        active = _active(parts, sigma)
        total, weights = torch.zeros_like(x), torch.full_like(x[:, :1], _NOTHING)
        for i, part in enumerate(active):
            rows, columns, top, left = part.area or (x.shape[2], x.shape[3], 0, 0)
            weight = part.weight(x)
            here = x[:, :, top : top + rows, left : left + columns]
            found = self._predict(here, sigma, part, f"{context} {i}" if i else context)
            total[:, :, top : top + rows, left : left + columns] += found * weight
            weights[:, :, top : top + rows, left : left + columns] += weight
        return total / weights

    def _predict(self, x: torch.Tensor, sigma: float, part: Conditioned, context: str) -> torch.Tensor:
        hints = [timed.hint for timed in part.hints if timed.last <= sigma <= timed.first]
        rows, columns, unit = *x.shape[2:], self.family.unit
        if rows % unit or columns % unit:  # an area of odd cells is continued from its other side, as in ComfyUI
            x = torch.nn.functional.pad(x, (0, -columns % unit, 0, -rows % unit), mode="circular")
        found = self.family.x0(self.net, self.table, x, sigma, part.seen(), hints, context)
        return found[:, :, :rows, :columns]


def _active(parts: Sequence[Conditioned], sigma: float) -> list[Conditioned]:
    return [part for part in parts if part.last <= sigma <= part.first]


def _alone(parts: Sequence[Conditioned], sigma: float) -> Conditioned | None:
    """The one part that counts at this noise level, where it governs the whole canvas."""
    active = _active(parts, sigma)
    whole = len(active) == 1 and active[0].area is None and active[0].mask is None and active[0].strength
    return active[0] if whole else None


def match_areas(parts: Sequence[Conditioned], others: Sequence[Conditioned]) -> tuple[Conditioned, ...]:
    """``others`` with one more part for each area of ``parts`` that none of them has, so that both sides of the
    guidance look at the same crops (as in ComfyUI). The new part reads the text of the smallest one around it, with
    the ControlNets of its own area."""
    found = list(others)
    for part in parts:
        around = [other for other in found if _holds(other.area, part.area)]
        if part.area is None or not around:
            continue
        smallest = min(around, key=lambda other: other.area[0] * other.area[1] if other.area else float("inf"))
        if smallest.area != part.area:
            found.append(replace(part, inputs=smallest.inputs))
    return tuple(found)


def _holds(outer: LatentCells | None, inner: LatentCells | None) -> bool:
    if outer is None or inner is None:
        return outer is None
    return (
        outer[2] <= inner[2]
        and outer[3] <= inner[3]
        and outer[2] + outer[0] >= inner[2] + inner[0]
        and outer[3] + outer[1] >= inner[3] + inner[1]
    )
