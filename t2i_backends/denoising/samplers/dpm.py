"""DPM-Solver of Lu et al. 2022 (arXiv 2206.00927) in ``t = -log(sigma)``, of fixed orders and with adaptive steps.

Both end at the last sigma above 0, as in k-diffusion and ComfyUI: the steps between are the solver's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch

from imagewright.errors import CannotDraw
from imagewright.t2i_backends.denoising.samplers.base import Denoise, OnLatent, Source, Tensor, slope

_RELATIVE, _ABSOLUTE = 0.05, 0.0078
"""How far two orders may lie apart in an adaptive step, as a share of a value and at least."""
_FIRST_STEP, _ACCEPTED, _NEAR = 0.05, 0.81, 1e-5
_MOST_TRIES = 2000


class _Solver:
    """One step from sigma to sigma, of order 1, 2 or 3; the slope at its start is asked for once."""

    def __init__(self, denoise: Denoise, number: int, x: Tensor, sigma: float) -> None:
        self.denoise, self.number, self.x, self.sigma = denoise, number, x, sigma
        self.x0 = denoise(x, sigma, number)
        self.start = slope(x, self.x0, sigma)
        self._third: Tensor | None = None

    def first(self, following: float) -> Tensor:
        """``x`` at ``following`` along the first slope."""
        return self.x + (following - self.sigma) * self.start

    def second(self, following: float, share: float = 0.5) -> Tensor:
        """With the slope at ``share`` of the way in ``t`` too."""
        change = self._slope_third(following) if share == 1 / 3 else self._slope(self._at(following, share))
        return self.first(following) + (following - self.sigma) / (2 * share) * (change - self.start)

    def third(self, following: float) -> Tensor:
        """With the slopes at a third and two thirds of the way."""
        h, two = math.log(self.sigma / following), self._at(following, 2 / 3)
        bend = self._slope_third(following) - self.start
        there = self.first(two) - two * 2 * (math.expm1(2 * h / 3) / (2 * h / 3) - 1) * bend
        change = slope(there, self.denoise(there, two, self.number), two) - self.start
        return self.first(following) - following * 1.5 * (math.expm1(h) / h - 1) * change

    def _at(self, following: float, share: float) -> float:
        return float(self.sigma ** (1 - share) * following**share)

    def _slope(self, sigma: float) -> Tensor:
        there = self.first(sigma)
        return slope(there, self.denoise(there, sigma, self.number), sigma)

    def _slope_third(self, following: float) -> Tensor:
        if self._third is None:
            self._third = self._slope(self._at(following, 1 / 3))
        return self._third


def _ends(sigmas: Sequence[float]) -> tuple[float, float]:
    """The first sigma and the last above 0."""
    return sigmas[0], sigmas[-1] or sigmas[-2]


def dpm_fast(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """Steps of order 3, the last ones lower, even in ``t``: as many model calls as the schedule has steps."""
    calls = len(sigmas) - 1
    high, low = _ends(sigmas)
    orders = [3] * (calls // 3) + [calls % 3] if calls % 3 else [3] * (calls // 3 - 1) + [2, 1]
    stops = [high * (low / high) ** (i / len(orders)) for i in range(len(orders) + 1)]
    done = 0
    for order, (sigma, following) in zip(orders, pairwise(stops), strict=True):
        solver = _Solver(denoise, min(done, calls - 1), x, sigma)
        if following < sigma:
            x = (solver.first, solver.second, solver.third)[order - 1](following)
        done += order
        on_latent(done, x, solver.x0)
    return x


def dpm_adaptive(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """Order 3 checked against order 2: a step is taken where they agree, and the next one is as long as they allow.

    Raises:
        CannotDraw: the steps become endlessly small.
    """
    total = len(sigmas) - 1
    high, low = _ends(sigmas)
    time, end, h = -math.log(high), -math.log(low), _FIRST_STEP
    lower, solver, done = x, None, 0
    for _ in range(_MOST_TRIES):
        if time >= end - _NEAR:
            break
        sigma, following = math.exp(-time), math.exp(-min(end, time + h))
        solver = solver or _Solver(denoise, done, x, sigma)
        solver._third = None
        two, three = solver.second(following, 1 / 3), solver.third(following)
        far = torch.clamp(_RELATIVE * torch.maximum(two.abs(), lower.abs()), min=_ABSOLUTE)
        apart = float(torch.linalg.vector_norm((two - three) / far)) / math.sqrt(x.numel())
        factor = 1 + math.atan((1 / (apart + 1e-8)) ** (1 / 3) - 1)
        if not factor < _ACCEPTED:
            time, x, lower = -math.log(following), three, two
            done = min(int(total * (time + math.log(high)) / (end + math.log(high))), total - 1)
            on_latent(done, x, solver.x0)
            solver = None
        h *= factor
        if math.isnan(factor):
            return three
    else:
        raise CannotDraw("the sampler dpm_adaptive came to no end", "use another sampler, or a lower cfg")
    on_latent(total, x, x if solver is None else solver.x0)
    return x
