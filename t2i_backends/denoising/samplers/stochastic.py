"""Later samplers that add noise: DDPM's step, extended reverse-time SDEs, and SEEDS.

Sources: Ho et al. 2020 (arXiv 2006.11239) for ddpm; Cui et al. 2023 (arXiv 2309.06169) for er_sde, with their noise
scale and their 200 points of integration; Gonzalez et al. 2023 (arXiv 2305.14267) for seeds_2 and seeds_3. All but ddpm
run in the coordinates of a diffusion model (``as_diffusion``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from imagewright.t2i_backends.denoising.samplers.base import Denoise, OnLatent, Source, Tensor, slope
from imagewright.t2i_backends.denoising.samplers.noisy import as_diffusion

_POINTS = 200


def ddpm(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """The ancestral step of a variance-preserving diffusion; one model call a step."""
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        kept, later = 1 / (1 + sigma**2), 1 / (1 + following**2)
        change = 1 - kept / later
        seen = x * math.sqrt(kept) - change / math.sqrt(1 - kept) * slope(x, x0, sigma)
        x = seen * math.sqrt(later / kept)
        if following > 0:
            x = x + math.sqrt(change * (1 - later) / (1 - kept)) * source.like(x)
            x = x / math.sqrt(later)
        on_latent(i + 1, x, x0)
    return x


def _scale(sigma: float) -> float:
    """How fast noise is added at a sigma."""
    return float(sigma * (math.exp(sigma**0.3) + 10))


def _integrals(high: float, low: float) -> tuple[float, float]:
    """``∫ 1 / scale`` and ``∫ (s - high) / scale`` from ``low`` to ``high``, by sums over ``_POINTS`` points."""
    width = (high - low) / _POINTS
    at = low + width * np.arange(_POINTS)
    scales = at * (np.exp(at**0.3) + 10)
    return float((1 / scales).sum() * width), float(((at - high) / scales).sum() * width)


def _er_sde(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """Up to the third order from the changes of the x0 estimate; one model call a step."""
    past: list[tuple[float, Tensor]] = []
    rate: Tensor | None = None
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        if following <= 0:
            x = x0
        else:
            share = _scale(following) / _scale(sigma)
            x = share * x + (1 - share) * x0
            even, tilted = _integrals(sigma, following)
            step = following - sigma
            if past:
                before, rate = rate, (x0 - past[-1][1]) / (sigma - past[-1][0])
                x = x + (step + even * _scale(following)) * rate
                if before is not None:
                    bend = (rate - before) / ((sigma - past[-2][0]) / 2)
                    x = x + (step**2 / 2 + tilted * _scale(following)) * bend
            x = x + math.sqrt(max(following**2 - (sigma * share) ** 2, 0.0)) * source.like(x)
        past.append((sigma, x0))
        on_latent(i + 1, x, x0)
    return x


class _Segment:
    """One step of SEEDS from a sigma: the stations on its way, and the noise gathered so far."""

    def __init__(self, x: Tensor, sigma: float, following: float, source: Source) -> None:
        self.x, self.sigma, self.source = x, sigma, source
        self.h = math.log(sigma / following)
        self._noise: Tensor | float = 0.0
        self._from = 0.0

    def at(self, share: float) -> float:
        """The sigma at ``share`` of the way in ``-log(sigma)``."""
        return self.sigma * math.exp(-share * self.h)

    def go(self, share: float, weighted: Tensor) -> Tensor:
        """``x`` at ``share`` of the way: what is left of it, the x0 estimates as they count, and the noise so far."""
        fades = (share - self._from) * self.h
        fresh = math.sqrt(-math.expm1(-2 * fades)) * self.source.like(self.x)
        self._noise, self._from = self._noise * math.exp(-fades) + fresh, share
        return math.exp(-2 * share * self.h) * self.x + weighted + self.at(share) * self._noise

    def one(self, share: float) -> float:
        """How much a constant x0 estimate counts at ``share`` of the way."""
        return -math.expm1(-2 * share * self.h)

    def rising(self, share: float) -> float:
        """How much an estimate counts that rises from 0 at the start to 1 at ``share``."""
        whole = 2 * share * self.h
        return 1 + math.expm1(-whole) / whole


_Step = Callable[[Denoise, _Segment, Tensor, int], Tensor]


def _seeds(step: _Step) -> Callable[..., Tensor]:
    """A sampler of such steps; the last one jumps to the x0 estimate."""

    def sample(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
        for i, (sigma, following) in enumerate(pairwise(sigmas)):
            x0 = denoise(x, sigma, i)
            x = x0 if following <= 0 else step(denoise, _Segment(x, sigma, following, source), x0, i)
            on_latent(i + 1, x, x0)
        return x

    return sample


def _two(denoise: Denoise, way: _Segment, x0: Tensor, number: int) -> Tensor:
    half = denoise(way.go(0.5, way.one(0.5) * x0), way.at(0.5), number)
    return way.go(1, way.one(1) * half)


def _three(denoise: Denoise, way: _Segment, x0: Tensor, number: int) -> Tensor:
    one, two = 1 / 3, 2 / 3
    first = denoise(way.go(one, way.one(one) * x0), way.at(one), number)
    there = way.one(two) * x0 + two / one * way.rising(two) * (first - x0)
    second = denoise(way.go(two, there), way.at(two), number)
    return way.go(1, way.one(1) * x0 + way.rising(1) / two * (second - x0))


er_sde = as_diffusion(_er_sde)
seeds_2 = as_diffusion(_seeds(_two))
"""The x0 estimate at the middle of a step counts for all of it; two model calls a step."""
seeds_3 = as_diffusion(_seeds(_three))
"""The x0 estimate at a third and at two thirds of a step; three model calls a step."""
