"""Samplers that add noise on the way, with k-diffusion's formulas.

Sources: ancestral steps of Song et al. 2020 (arXiv 2010.02502) in k-diffusion's form, and their form for flow-matching
models, which scales what is kept so that the latent stays ``(1 - s) x0 + s noise`` (as ComfyUI); Lu et al. 2022 (arXiv
2211.01095) for the DPM-Solver++ SDE samplers; Luo et al. 2023 (arXiv 2310.04378) for lcm. The SDE samplers run in the
coordinates ``x / (1 - s)`` and ``s / (1 - s)`` for flow-matching models, in which these are diffusion models too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch

from imagewright.t2i_backends.denoising.samplers.base import Denoise, OnLatent, Path, Sampler, Source, Tensor, slope

_ALMOST_START = 1e-4
"""How far into its schedule an SDE sampler starts on a flow-matching model, whose first signal-to-noise ratio is 0."""


def _split(sigma: float, following: float, flow: bool) -> tuple[float, float, float]:
    """The lower sigma that a step goes down to, how much of that is kept, and the noise that brings it back up."""
    if following <= 0:
        return 0.0, 1.0, 0.0
    if not flow:
        up = min(following, math.sqrt(following**2 * (sigma**2 - following**2) / sigma**2))
        return math.sqrt(following**2 - up**2), 1.0, up
    down = following * following / sigma
    keep = (1 - following) / (1 - down)
    return down, keep, math.sqrt(max(following**2 - (down * keep) ** 2, 0.0))


def euler_ancestral(
    denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source
) -> Tensor:
    """Euler's step below the next sigma, then noise up to it."""
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        down, keep, up = _split(sigma, following, source.flow)
        x = x + slope(x, x0, sigma) * (down - sigma) if down else x0
        x = keep * x + up * source.like(x) if up else x
        on_latent(i + 1, x, x0)
    return x


def dpm_2_ancestral(
    denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source
) -> Tensor:
    """The slope at the geometric middle of a step below the next sigma, then noise up to it."""
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        here = slope(x, x0, sigma)
        down, keep, up = _split(sigma, following, source.flow)
        if down > 0:
            middle = math.sqrt(sigma * down) if source.flow else _half_way(sigma, following, down)
            half = x + here * (middle - sigma)
            here = slope(half, denoise(half, middle, i), middle)
        x = x + here * (down - sigma)
        x = keep * x + up * source.like(x) if up else x
        on_latent(i + 1, x, x0)
    return x


def _half_way(sigma: float, following: float, down: float) -> float:
    """The geometric middle between a sigma and the lower one of its step, which is the next sigma but for float32's
    rounding: where that lies half-way between two training steps, ComfyUI's rounding decides between them."""
    high, low = torch.tensor([sigma, following])
    up = min(low, (low**2 * (high**2 - low**2) / high**2) ** 0.5)
    least = (low**2 - up**2) ** 0.5
    return float(high.log().lerp(least.log(), 0.5).exp()) if least > 0 else math.sqrt(sigma * down)


def _middle(sigma: float, down: float) -> float:
    """The sigma at the middle of a step of a flow-matching model in the logarithm of the signal-to-noise ratio."""
    if sigma >= 1:
        return 0.9999
    ratio = math.sqrt((1 - sigma) / sigma * (1 - down) / down)
    return 1 / (1 + ratio)


def dpmpp_2s_ancestral(
    denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source
) -> Tensor:
    """DPM-Solver++(2S) to below the next sigma, then noise up to it; two model calls a step, one in the last."""
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = target = denoise(x, sigma, i)
        down, keep, up = _split(sigma, following, source.flow)
        if down > 0:
            middle = _middle(sigma, down) if source.flow else _half_way(sigma, following, down)
            target = denoise(middle / sigma * x + (1 - middle / sigma) * x0, middle, i)
        x = down / sigma * x + (1 - down / sigma) * target
        x = keep * x + up * source.like(x) if up else x
        on_latent(i + 1, x, x0)
    return x


def lcm(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """Jump to the x0 estimate, then noise up to the next sigma."""
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = x = denoise(x, sigma, i)
        if following > 0:
            x = source.add_noise(x0, following)
        on_latent(i + 1, x, x0)
    return x


def as_diffusion(sampler: Sampler) -> Sampler:
    """The same sampler, where a flow-matching model is seen as a diffusion model."""

    def sample(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
        if not source.flow:
            return sampler(denoise, x, sigmas, on_latent, source)
        first = min(sigmas[0], source.table.at(_ALMOST_START))
        steps = [first, *sigmas[1:]]
        back = {s / (1 - s): s for s in steps}

        def seen(x: Tensor, sigma: float, step: int) -> Tensor:
            flow_sigma = sigma / (1 + sigma)
            return denoise(x * (1 - flow_sigma), flow_sigma, step)

        def tell(step: int, y: Tensor, x0: Tensor) -> None:
            on_latent(step, y * (1 - steps[step]), x0)

        told = source.seen(lambda sigma: back.get(sigma, sigma / (1 + sigma)), top=sigmas[0])
        found = sampler(seen, x / (1 - first), [s / (1 - s) for s in steps], tell, told)
        return found * (1 - steps[-1])

    return sample


def _dpmpp_sde(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """DPM-Solver++ with the SDE's noise at the middle and at the end of each step; two model calls a step."""
    path = source.path(x, sigmas)
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        if following <= 0:
            x = x0
        else:
            middle = math.sqrt(sigma * following)
            down, _, up = _split(sigma, middle, flow=False)
            half = down / sigma * x + (1 - down / sigma) * x0 + up * path(sigma, middle)
            target = denoise(half, middle, i)
            down, _, up = _split(sigma, following, flow=False)
            x = down / sigma * x + (1 - down / sigma) * target + up * path(sigma, following)
        on_latent(i + 1, x, x0)
    return x


def _sde_step(x: Tensor, x0: Tensor, sigma: float, following: float, path: Path) -> tuple[Tensor, float, Tensor]:
    """The first-order SDE step, ``2 h`` with ``h = log(sigma / following)``, and the noise that ends it."""
    twice = 2 * math.log(sigma / following)
    noise = path(sigma, following) * following * math.sqrt(-math.expm1(-twice))
    return math.exp(-twice) * x - math.expm1(-twice) * x0, twice, noise


def _dpmpp_2m_sde(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """DPM-Solver++(2M) SDE, midpoint form; one model call a step."""
    path = source.path(x, sigmas)
    earlier, before = x, 0.0
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        if following <= 0:
            x = x0
        else:
            x, twice, noise = _sde_step(x, x0, sigma, following, path)
            if before:
                x = x - 0.5 * math.expm1(-twice) * (twice / before) * (x0 - earlier)
            x, before = x + noise, twice
        earlier = x0
        on_latent(i + 1, x, x0)
    return x


def _dpmpp_3m_sde(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """DPM-Solver++(3M) SDE; one model call a step."""
    path = source.path(x, sigmas)
    past: list[tuple[Tensor, float]] = []
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        if following <= 0:
            x = x0
        else:
            x, twice, noise = _sde_step(x, x0, sigma, following, path)
            x = x + _third_order(x0, past, twice) + noise
            past = [(x0, twice), *past][:2]
        on_latent(i + 1, x, x0)
    return x


def _third_order(x0: Tensor, past: Sequence[tuple[Tensor, float]], twice: float) -> Tensor | float:
    """What the earlier x0 estimates, each with its step, add to the first-order step."""
    if not past:
        return 0.0
    phi_2 = math.expm1(-twice) / twice + 1
    ratio = past[0][1] / twice
    first = (x0 - past[0][0]) / ratio
    if len(past) == 1:
        return phi_2 * first
    older = past[1][1] / twice
    second = (past[0][0] - past[1][0]) / older
    bend = (first - second) / (ratio + older)
    return phi_2 * (first + bend * ratio) - (phi_2 / twice - 0.5) * bend


dpmpp_sde = as_diffusion(_dpmpp_sde)
dpmpp_2m_sde = as_diffusion(_dpmpp_2m_sde)
dpmpp_3m_sde = as_diffusion(_dpmpp_3m_sde)
