"""Later samplers without noise: weighted slopes, gradient estimates, and exponential multistep.

Sources: ``res_multistep`` the second-order exponential multistep of Zhang et al. 2023 (arXiv 2308.02157);
``gradient_estimation`` Permenter and Yuan 2023 (arXiv 2306.04848), with gamma 2; ``ipndm_v`` the variable-step form in
the published code of Chen et al. 2024 (zju-pi/diff-sampler); ``heunpp2`` Heun's method with weights by the sigmas, as
ComfyUI has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from imagewright.t2i_backends.denoising.samplers.base import Denoise, OnLatent, Source, Tensor, slope
from imagewright.t2i_backends.denoising.samplers.plain import follow_slopes

_GAMMA = 2.0


def res_multistep(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """A line through the last two x0 estimates in ``-log(sigma)``, integrated exactly; one model call a step."""
    earlier: Tensor | None = None
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = target = denoise(x, sigma, i)
        if following <= 0:
            x = x0
        else:
            h = math.log(sigma / following)
            if earlier is not None:
                grows = (h + math.expm1(-h)) / (-math.expm1(-h) * math.log(sigmas[i - 1] / sigma))
                target = x0 + grows * (x0 - earlier)
            x = following / sigma * x - math.expm1(-h) * target
        earlier = x0
        on_latent(i + 1, x, x0)
    return x


def gradient_estimation(
    denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source
) -> Tensor:
    """Euler's step along the slope, moved on by its change since the last step; one model call a step."""
    before: Tensor | None = None
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        here = slope(x, x0, sigma)
        if following <= 0:
            x = x0
        else:
            along = here if before is None else _GAMMA * here + (1 - _GAMMA) * before
            x = x + along * (following - sigma)
        before = here
        on_latent(i + 1, x, x0)
    return x


def heunpp2(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """The slopes at the next one or two sigmas count by those sigmas' share of the first; up to three calls a step."""
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        slopes, at, ahead = [slope(x, x0, sigma)], x, [s for s in sigmas[i + 1 : i + 3] if s > sigmas[-1]]
        for start, end in pairwise((sigma, *ahead)):
            at = at + slopes[-1] * (end - start)
            slopes.append(slope(at, denoise(at, end, i), end))
        shares = [end / (len(slopes) * sigmas[0]) for end in ahead]
        along = (1 - sum(shares)) * slopes[0]
        for share, other in zip(shares, slopes[1:], strict=True):
            along = along + share * other
        x = x + along * (following - sigma)
        on_latent(i + 1, x, x0)
    return x


def _uneven_weights(sigmas: Sequence[float], step: int, count: int) -> Sequence[float]:
    """Adams-Bashforth weights for uneven steps as that code has them: those of the third order are exact for equal
    steps alone, those of the fourth not even there."""
    h, *before = [sigmas[step + 1 - k] - sigmas[step - k] for k in range(count)]
    found = [1.0] + [0.0] * (count - 1)
    parts: list[tuple[float, tuple[float, ...]]] = []
    if count > 1:
        parts.append((h / before[0] / 2, (1.0, -1.0)))
    if count > 2:
        one, two = before[:2]
        ratio = one / two
        parts.append(((1 - h * h / (3 * one * (one + two))) / 2, (1.0, -1 - ratio, ratio)))
    if count > 3:
        one, two, three = before
        ratio, bend = one / two, one * (one + two) / (two * (two + three))
        reach = (1 - h / (3 * (h + one))) / 2 + (1 - h / (2 * (h + one))) * h / (6 * (h + one + two))
        reach *= h * (h + one) * (h + one + two) / (one * (one + two) * (one + two + three))
        parts.append((reach, (1.0, -1 - ratio - bend, ratio + bend * (1 + two / three), -bend * ratio)))
    for factor, shares in parts:
        for k, share in enumerate(shares):
            found[k] += factor * share
    return [weight * h for weight in found]


ipndm_v = follow_slopes(4, _uneven_weights, jump=True)
"""Adams-Bashforth weights of the last four slopes for steps of any length."""
