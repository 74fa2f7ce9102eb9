"""SA-Solver, Xue et al. 2023 (arXiv 2309.05019): a stochastic Adams method that predicts with three x0 estimates and
corrects with four, in ``l = -log(sigma)``.

As in ComfyUI noise is added between 20 % and 80 % of the way from noise to picture, the order falls at the end, and a
corrected state is not asked for again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from imagewright.t2i_backends.denoising.samplers.base import Denoise, OnLatent, Source, Tensor
from imagewright.t2i_backends.denoising.samplers.noisy import as_diffusion

_PREDICTS, _CORRECTS = 3, 4
_NOISY = (0.2, 0.8)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


def _shares(times: Sequence[float], start: float, end: float, noise: float) -> list[float]:
    """How much the x0 estimate at each of ``times`` counts on the way from ``start`` to ``end``: the integral of its
    Lagrange polynomial under ``k e^(k (l - end))``, ``k = 1 + noise ** 2``."""
    rate, half = 1 + noise**2, (end - start) / 2
    at = start + (_NODES + 1) * half
    under = rate * np.exp(rate * (at - end)) * _WEIGHTS * half
    found = []
    for k, mine in enumerate(times):
        polynomial = np.ones_like(at)
        for j, other in enumerate(times):
            polynomial = polynomial if j == k else polynomial * (at - other) / (mine - other)
        found.append(float((under * polynomial).sum()))
    return found


class _Adams:
    """The x0 estimates so far, newest last, and the last step's noise."""

    def __init__(self, sigmas: Sequence[float]) -> None:
        self.times = [-math.log(sigma) if sigma > 0 else math.inf for sigma in sigmas]
        self.sigmas = sigmas
        self.past: list[Tensor] = []
        self.amount = 0.0
        """How strong the noise of the last step was: 0 or 1."""
        self.noise: Tensor | float = 0.0

    def go(self, x: Tensor, step: int, newest: int, order: int) -> Tensor:
        """``x`` over ``step``, with ``order`` estimates up to that of sigma ``newest``, without its noise."""
        start, end = self.times[step], self.times[step + 1]
        shares = _shares(self.times[newest - order + 1 : newest + 1], start, end, self.amount)
        left = self.sigmas[step + 1] / self.sigmas[step] * math.exp(-(self.amount**2) * (end - start))
        found = left * x
        for share, x0 in zip(shares, self.past[-order:], strict=True):
            found = found + share * x0
        return found

    def draw(self, step: int, source: Source, x: Tensor) -> Tensor | float:
        """The noise of ``step``."""
        h = self.times[step + 1] - self.times[step]
        scale = self.sigmas[step + 1] * math.sqrt(-math.expm1(-2 * self.amount**2 * h))
        return scale * source.like(x) if self.amount else 0.0


def _sa_solver(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """Predicts, asks the model, corrects; one model call a step."""
    adams, ahead, before, last = _Adams(sigmas), x, x, len(sigmas) - 1
    high, low = (source.table.at(share) for share in _NOISY)
    for i in range(last):
        x0 = denoise(ahead, sigmas[i], i)
        adams.past = [*adams.past, x0][-_CORRECTS:]
        known, left = len(adams.past), last - i if sigmas[-1] <= 0 else last
        x = ahead
        if i and sigmas[i + 1] > 0:
            x = adams.go(before, i - 1, i, min(_CORRECTS, known, left)) + adams.noise
        if sigmas[i + 1] <= 0:
            ahead = x0
        else:
            adams.amount = float(low <= source.back(sigmas[i + 1]) <= high)
            before, ahead = x, adams.go(x, i, i, min(_PREDICTS, known, left - 1 if sigmas[-1] <= 0 else left))
            adams.noise = adams.draw(i, source, x)
            ahead = ahead + adams.noise
        on_latent(i + 1, ahead, x0)
    return ahead


sa_solver = as_diffusion(_sa_solver)
