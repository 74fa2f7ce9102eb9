"""What samplers take: an x0 predictor, falling sigmas, a listener, and a source of noise."""

from __future__ import annotations

import math
import warnings
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


Path = Callable[[float, float], Tensor]
"""Increments of one Brownian path over sigma from a high one down to a low one, scaled to variance 1; they belong
together where they overlap."""


class Source:
    """What a sampler that adds noise knows beside its sigmas: the model's table, and noise from one seed.

    Noise is drawn on the CPU in float32, so that a seed means one picture on every device; it is ComfyUI's noise on a
    CPU. ``own_path`` draws the paths of the SDE samplers as the first rules did, ``back`` gives the model's sigma for
    that of a sampler in other coordinates, ``top`` the model's sigma where its schedule begins.
    """

    def __init__(
        self, table: Table | None = None, seed: int = 0, own_path: bool = False,
        back: Callable[[float], float] = lambda sigma: sigma, top: float | None = None,
    ) -> None:  # fmt: skip
        self.table: Table = Shift(1.0) if table is None else table
        self.seed, self.own_path, self.back, self.top = seed, own_path, back, top
        self._generator = torch.Generator("cpu").manual_seed((seed + 1) % 2**64)

    @property
    def flow(self) -> bool:
        """Whether the model is a flow-matching one."""
        return self.table.flow

    def like(self, x: Tensor) -> Tensor:
        """Fresh standard normal noise of the shape of ``x``."""
        return torch.randn(x.shape, generator=self._generator).to(x.device, x.dtype)

    def path(self, x: Tensor, sigmas: Sequence[float]) -> Path:
        """A Brownian path for a sampler over ``sigmas``.

        It is torchsde's Brownian tree over the model's sigmas (Li et al. 2020, arXiv 2001.01328), as k-diffusion and
        ComfyUI draw it.
        """
        if self.own_path:
            return _OwnPath(self.like, x)
        low = min(sigma for sigma in sigmas if sigma > 0)
        top = self.back(sigmas[0]) if self.top is None else self.top
        return BrownianPath(x, self.back(low), top, self.seed, self.back)

    def seen(self, back: Callable[[float], float], top: float) -> Source:
        """The same source for a sampler in other coordinates, whose schedule begins at the model's sigma ``top``."""
        other = Source(self.table, self.seed, self.own_path, back, top)
        other._generator = self._generator
        return other

    def add_noise(self, x: Tensor, sigma: float) -> Tensor:
        """Clean latents ``x`` with fresh noise at level ``sigma``."""
        return with_noise(x, self.like(x), sigma, self.table)


class BrownianPath:
    """Increments of torchsde's Brownian tree between two sigmas, of the shape of ``x``, drawn on the CPU."""

    def __init__(
        self, x: Tensor, low: float, high: float, seed: int, back: Callable[[float], float] = lambda sigma: sigma
    ) -> None:
        import torchsde

        self._ends, self._back, self._like = (torch.tensor(low), torch.tensor(high)), back, x
        start = torch.zeros(x.shape, dtype=torch.float32)
        self._tree = torchsde.BrownianTree(self._ends[0], start, self._ends[1], entropy=seed) if low < high else None

    def __call__(self, high: float, low: float) -> Tensor:
        """The increment from ``high`` down to ``low``, scaled to variance 1: the tree's own with its sign turned."""
        first, last = (torch.tensor(self._back(at)).clamp(*self._ends) for at in (low, high))
        if self._tree is None or not first < last:
            return torch.zeros_like(self._like)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it rounds its ends and remarks on times at the true ones
            found: Tensor = -self._tree(first, last) / (last - first).sqrt()
        return found.to(self._like.device, self._like.dtype)


class _OwnPath:
    """The path of the first rules. Each call must start where an earlier one ended (or be the first)."""

    def __init__(self, draw: Callable[[Tensor], Tensor], like: Tensor) -> None:
        self._draw, self._like = draw, like
        self._path: dict[float, Tensor] = {}

    def __call__(self, high: float, low: float) -> Tensor:
        x = self._like
        self._path = {at: value for at, value in self._path.items() if at <= high} or {high: torch.zeros_like(x)}
        if low not in self._path:
            last = min(self._path)
            self._path[low] = self._path[last] + self._draw(x) * math.sqrt(last - low)
        return (self._path[low] - self._path[high]) / math.sqrt(high - low)


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
