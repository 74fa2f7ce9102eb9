"""Samplers over an x0 predictor, with k-diffusion's formulas: euler, heun, dpmpp_2m.

Source: Karras et al. 2022 (arXiv 2206.00364) for euler and heun without churn, Lu et al. 2022 (arXiv 2211.01095) for
DPM-Solver++(2M); the form is k-diffusion's, which ComfyUI's samplers of these names follow. For a flow-matching model
the predictor is ``x0 = x - sigma * velocity``, and ``(x - x0) / sigma`` is the velocity again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Protocol

import torch

Tensor = torch.Tensor


class Denoise(Protocol):
    """Predicts the finished latents."""

    def __call__(self, x: Tensor, sigma: float, step: int) -> Tensor:
        """The x0 estimate of ``x`` at noise level ``sigma``, in sampler step ``step`` (counted from 0)."""
        ...


OnLatent = Callable[[int, Tensor, Tensor], None]
"""Called after each step with the steps done, the latents and the x0 estimate."""
Sampler = Callable[[Denoise, Tensor, Sequence[float], OnLatent], Tensor]


def euler(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent) -> Tensor:
    """One model call a step along the straight line to the x0 estimate."""
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        x = x + (x - x0) / sigma * (following - sigma)
        on_latent(i + 1, x, x0)
    return x


def heun(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent) -> Tensor:
    """Euler's step, then the mean of the slopes at both ends; two model calls a step, one in the last."""
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        x0 = denoise(x, sigma, i)
        slope = (x - x0) / sigma
        if following > 0:
            ahead = x + slope * (following - sigma)
            slope = (slope + (ahead - denoise(ahead, following, i)) / following) / 2
        x = x + slope * (following - sigma)
        on_latent(i + 1, x, x0)
    return x


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent) -> Tensor:
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


SAMPLERS: Mapping[str, Sampler] = {"euler": euler, "heun": heun, "dpmpp_2m": dpmpp_2m}
