"""Samplers that add no noise, with k-diffusion's formulas.

Sources: Karras et al. 2022 (arXiv 2206.00364) for euler, heun and dpm_2 without churn; Lu et al. 2022 (arXiv
2211.01095) for DPM-Solver++(2M); linear multistep and its improved pseudo form (Liu et al. 2022, arXiv 2202.09778) for
lms and ipndm; Zhang and Chen 2022 (arXiv 2204.13902), tAB-DEIS, for deis. For a flow-matching model the predictor is
``x0 = x - sigma * velocity``, and ``(x - x0) / sigma`` is the velocity again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from imagewright.t2i_backends.denoising.samplers.base import Denoise, OnLatent, Source, Tensor, slope

_ADAMS = ((1.0,), (1.5, -0.5), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))
"""Adams-Bashforth weights of the newest slope and those before it, for equal steps."""


def euler(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """One model call a step along the straight line to the x0 estimate."""
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        x = x + slope(x, x0, sigma) * (following - sigma)
        on_latent(i + 1, x, x0)
    return x


def heun(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """Euler's step, then the mean of the slopes at both ends; two model calls a step, one in the last."""
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        here = slope(x, x0, sigma)
        if following > 0:
            ahead = x + here * (following - sigma)
            here = (here + slope(ahead, denoise(ahead, following, i), following)) / 2
        x = x + here * (following - sigma)
        on_latent(i + 1, x, x0)
    return x


def dpm_2(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """The slope at the geometric middle of the step; two model calls a step, one in the last."""
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        here = slope(x, x0, sigma)
        if following > 0:
            middle = math.sqrt(sigma * following)
            half = x + here * (middle - sigma)
            here = slope(half, denoise(half, middle, i), middle)
        x = x + here * (following - sigma)
        on_latent(i + 1, x, x0)
    return x


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """Second order in ``t = -log(sigma)`` from the last two x0 estimates; one model call a step."""
    earlier: Tensor | None = None
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        target = x0
        if earlier is not None and following > 0:
            ratio = math.log(sigmas[i - 1] / sigma) / math.log(sigma / following)
            target = (1 + 1 / (2 * ratio)) * x0 - 1 / (2 * ratio) * earlier
        x = following / sigma * x + (1 - following / sigma) * target
        earlier = x0
        on_latent(i + 1, x, x0)
    return x


Weights = Callable[[Sequence[float], int, int], Sequence[float]]
"""The weights of the newest slope and those before it: of sigmas, the step's number, and how many slopes."""


def follow_slopes(order: int, weights: Weights, jump: bool) -> Callable[..., Tensor]:
    """A sampler that goes along a weighted sum of the last ``order`` slopes; ``jump`` ends on the x0 estimate."""

    def sample(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
        slopes: list[Tensor] = []
        for i, (sigma, following) in enumerate(pairwise(sigmas)):
            x0 = denoise(x, sigma, i)
            slopes = [slope(x, x0, sigma), *slopes][:order]
            if jump and following <= 0:
                x = x0
            else:
                found = weights(sigmas, i, len(slopes))
                x = x + sum(w * s for w, s in zip(found, slopes, strict=True))
            on_latent(i + 1, x, x0)
        return x

    return sample


def _adams(sigmas: Sequence[float], step: int, count: int) -> Sequence[float]:
    length = sigmas[step + 1] - sigmas[step]
    return [weight * length for weight in _ADAMS[count - 1]]


def _integrals(times: Sequence[float], sigmas: Sequence[float], to: float, at: Callable[..., object]) -> list[float]:
    """``∫ L_k(time(s)) ds`` from ``sigmas[0]`` to ``to`` for each Lagrange polynomial over ``times``."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    length = to - sigmas[0]
    taus = np.asarray(at(sigmas[0] + (nodes + 1) / 2 * length))
    found = []
    for k, mine in enumerate(times):
        polynomial = np.ones_like(nodes)
        for j, other in enumerate(times):
            polynomial = polynomial if j == k else polynomial * (taus - other) / (mine - other)
        found.append(float((weights * polynomial).sum() / 2 * length))
    return found


def _lms_weights(sigmas: Sequence[float], step: int, count: int) -> Sequence[float]:
    past = [sigmas[step - k] for k in range(count)]
    return _integrals(past, past, sigmas[step + 1], lambda sigma: sigma)


def _vp_time(sigma: object) -> object:
    """The time of a variance-preserving diffusion with ``sigma`` 0.002 at time 0.001 and 80 at time 1, as DEIS's
    published sampler for sigma-parametrised models takes it."""
    low, high, first = math.log(0.002**2 + 1), math.log(80**2 + 1), 1e-3
    slope_, start = 2 * (low / first - high) / (first - 1), 0.0
    start = high - 0.5 * slope_
    return (np.sqrt(start**2 + 2 * slope_ * np.log(np.asarray(sigma) ** 2 + 1)) - start) / slope_


def _deis_weights(sigmas: Sequence[float], step: int, count: int) -> Sequence[float]:
    if sigmas[step + 1] <= 0 or count == 1:
        return [sigmas[step + 1] - sigmas[step], *[0.0] * (count - 1)]
    past = [sigmas[step - k] for k in range(count)]
    return _integrals([float(np.asarray(_vp_time(s))) for s in past], past, sigmas[step + 1], _vp_time)


lms = follow_slopes(4, _lms_weights, jump=True)
"""A polynomial through the last four slopes, integrated over sigma."""
ipndm = follow_slopes(4, _adams, jump=True)
"""Adams-Bashforth weights of the last four slopes, as if the steps were equal."""
deis = follow_slopes(3, _deis_weights, jump=False)
"""A polynomial in the diffusion's time through the last three slopes, integrated over sigma."""
