"""What samplers take: an x0 predictor, falling sigmas, a listener, and a source of noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from imagewright.t2i_backends.values.noise_levels import Shift, Table

Tensor = torch.Tensor


class Denoise(Protocol):
    """Predicts the finished latents."""

    def __call__(self, x: Tensor, sigma: float, step: int) -> Tensor:
        """The x0 estimate of ``x`` at noise level ``sigma``, in sampler step ``step`` (counted from 0)."""
        ...


OnLatent = Callable[[int, Tensor, Tensor], None]
"""Called after each step with the steps done, the latents and the x0 estimate."""


class Source:
    """What a sampler that adds noise knows beside its sigmas: the model's table, and noise from one seed.

    Noise is drawn on the CPU in float32, so that a seed means one picture on every device. ComfyUI draws the noise of
    its SDE samplers from another generator (torchsde), so there the same seed gives another picture of the same kind.
    """

    def __init__(self, table: Table | None = None, seed: int = 0) -> None:
        self.table: Table = Shift(1.0) if table is None else table
        self._generator = torch.Generator("cpu").manual_seed((seed + 1) % 2**64)
        self._path: dict[float, Tensor] = {}

    @property
    def flow(self) -> bool:
        """Whether the model is a flow-matching one."""
        return self.table.flow

    def like(self, x: Tensor) -> Tensor:
        """Fresh standard normal noise of the shape of ``x``."""
        return torch.randn(x.shape, generator=self._generator).to(x.device, x.dtype)

    def between(self, x: Tensor, high: float, low: float) -> Tensor:
        """The increment of one Brownian path over sigma from ``high`` down to ``low``, scaled to variance 1.

        Increments that overlap belong together. Each call must start where an earlier one ended (or be the first).
        """
        self._path = {at: value for at, value in self._path.items() if at <= high} or {high: torch.zeros_like(x)}
        if low not in self._path:
            last = min(self._path)
            self._path[low] = self._path[last] + self.like(x) * math.sqrt(last - low)
        return (self._path[low] - self._path[high]) / math.sqrt(high - low)

    def add_noise(self, x: Tensor, sigma: float) -> Tensor:
        """Clean latents ``x`` with fresh noise at level ``sigma``."""
        return with_noise(x, self.like(x), sigma, self.table)


def with_noise(x0: Tensor, noise: Tensor, sigma: float, table: Table, start: bool = False) -> Tensor:
    """``x0`` at noise level ``sigma``; at the ``start`` of a diffusion model's whole schedule the noise alone has
    the variance ``1 + sigma ** 2`` that the model saw in training, as in ComfyUI and diffusers."""
    if table.flow:
        return sigma * noise + (1 - sigma) * x0
    top = float(table.sigmas()[-1])
    if start and (sigma > top or math.isclose(sigma, top, rel_tol=1e-5)):
        return x0 + noise * math.sqrt(1 + sigma**2)
    return x0 + noise * sigma


Sampler = Callable[[Denoise, Tensor, Sequence[float], OnLatent, Source], Tensor]


def slope(x: Tensor, x0: Tensor, sigma: float) -> Tensor:
    """``dx / dsigma`` along the straight line to ``x0``."""
    return (x - x0) / sigma
