"""UniPC, Zhao et al. 2023 (arXiv 2302.04867): a multistep predictor and corrector on x0, in ``t = -log(sigma)``.

As in ComfyUI the order is 3, falls at the end, and the last sigma is 0.001 instead of 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from imagewright.t2i_backends.denoising.samplers.base import Denoise, OnLatent, Source, Tensor
from imagewright.t2i_backends.values.noise_levels import Floats

_LAST = 1e-3


class _UniPC:
    """The x0 estimates so far, newest last, each with the sigma it was made at."""

    def __init__(self, denoise: Denoise, second: bool) -> None:
        self.denoise, self.second = denoise, second
        self.past: list[tuple[float, Tensor]] = []

    def step(self, x: Tensor, sigma: float, number: int, order: int, correct: bool) -> Tensor:
        """``x`` at the next ``sigma``; with ``correct`` the model is asked there and its answer kept."""
        before, newest = self.past[-1]
        h = math.log(before / sigma)
        ratios = [math.log(before / at) / h for at, _ in self.past[-2 : -order - 1 : -1]] + [1.0]
        changes = [(found - newest) / r for (_, found), r in zip(self.past[-2 : -order - 1 : -1], ratios, strict=False)]
        matrix, right, scale = self._system(ratios, h)
        line = sigma / before * x - math.expm1(-h) * newest
        weights = [0.5] if order == 2 else np.linalg.solve(matrix[:-1, :-1], right[:-1]).tolist()
        ahead: Tensor = line - scale * sum(w * c for w, c in zip(weights, changes, strict=True))
        if not correct:
            return ahead
        there = self.denoise(ahead, sigma, number)
        weights = [0.5] if order == 1 else np.linalg.solve(matrix, right).tolist()
        changes = [*changes, there - newest]
        self.past.append((sigma, there))
        corrected: Tensor = line - scale * sum(w * c for w, c in zip(weights, changes, strict=True))
        return corrected

    def _system(self, ratios: Sequence[float], h: float) -> tuple[Floats, Floats, float]:
        """The linear system for the weights, and the ``B(h)`` that scales them."""
        scale = math.expm1(-h) if self.second else -h
        phi, factorial = math.expm1(-h) / -h - 1, 1
        right = []
        for i in range(1, len(ratios) + 1):
            right.append(phi * factorial / scale)
            factorial *= i + 1
            phi = phi / -h - 1 / factorial
        matrix = np.array([[r ** (i - 1) for r in ratios] for i in range(1, len(ratios) + 1)])
        return matrix, np.array(right), scale


def _sample(second: bool, denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent) -> Tensor:
    steps = [*sigmas[:-1], sigmas[-1] or _LAST]
    last, most = len(steps) - 1, max(1, min(3, len(steps) - 2))
    solver = _UniPC(denoise, second)
    solver.past.append((steps[0], denoise(x, steps[0], 0)))
    for number in range(1, last + 1):
        order = min(most, number, last + 1 - number)
        x0 = solver.past[-1][1]
        x = solver.step(x, steps[number], number, order, correct=number < last)
        on_latent(number, x, x0)
    return x


def uni_pc(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """UniPC with ``B(h) = h``; one model call a step."""
    return _sample(False, denoise, x, sigmas, on_latent)


def uni_pc_bh2(denoise: Denoise, x: Tensor, sigmas: Sequence[float], on_latent: OnLatent, source: Source) -> Tensor:
    """UniPC with ``B(h) = e^h - 1``; one model call a step."""
    return _sample(True, denoise, x, sigmas, on_latent)
