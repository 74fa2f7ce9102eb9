"""Sigma schedules of flow-matching models, with ComfyUI's meaning of sampler schedulers and ``denoise``.

A flow-matching latent is ``x = (1 - sigma) * x0 + sigma * noise`` with sigma from 1 (noise) to 0 (picture). A model
brings a table of sigmas, from its shift:

- static shift ``a`` (Esser et al. 2024, "Scaling Rectified Flow Transformers", eq. 23):
  ``sigma(t) = a t / (1 + (a - 1) t)`` over 1000 times ``t``;
- dynamic shift ``mu`` (FLUX): ``sigma(t) = e^mu / (e^mu + 1/t - 1)`` over 10,000 times, with ``mu`` linear in the
  number of image tokens as the pipeline's scheduler config says (diffusers' ``calculate_shift``). ComfyUI without a
  ModelSamplingFlux node keeps ``mu`` at 1.15 for all sizes, which is this value at 4096 tokens (1024 x 1024).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SCHEDULERS = ("simple", "normal", "beta")
STATIC_TABLE = 1000
DYNAMIC_TABLE = 10_000


@dataclass(frozen=True)
class Shift:
    """How a model maps time in (0, 1] to sigma: a static ``alpha``, which is ``e ** mu`` of a dynamic one."""

    alpha: float
    table: int
    """How many times the model's sigma table holds."""

    def sigma(self, time: Floats) -> Floats:
        """The sigma of each time in (0, 1]; both formulas of the module are this one, with ``alpha = e ** mu``."""
        return self.alpha * time / (1 + (self.alpha - 1) * time)

    def sigmas(self) -> Floats:
        """The table, rising, shape ``(table,)``; the last entry is 1."""
        return self.sigma(np.arange(1, self.table + 1, dtype=np.float64) / self.table)


def shift_of(config: Mapping[str, Any], tokens: int) -> Shift:
    """The shift that a ``FlowMatchEulerDiscreteScheduler`` config means for a picture of ``tokens`` image tokens."""
    if not config.get("use_dynamic_shifting"):
        return Shift(float(config.get("shift", 1.0)), int(config.get("num_train_timesteps", STATIC_TABLE)))
    mu = _mu(config, tokens)
    alpha = mu if config.get("time_shift_type") == "linear" else math.exp(mu)
    return Shift(alpha, DYNAMIC_TABLE)


def _mu(config: Mapping[str, Any], tokens: int) -> float:
    """The line through (base_image_seq_len, base_shift) and (max_image_seq_len, max_shift), at ``tokens``."""
    few, many = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    low, high = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    slope = (high - low) / (many - few)
    return float(low + slope * (tokens - few))


def simple(shift: Shift, steps: int) -> list[float]:
    """Evenly strided picks from the table, then 0: ComfyUI's ``simple``.

    Where ``steps`` divides the table this is exactly diffusers' ``linspace(1, 1 / steps, steps)`` shifted; elsewhere
    the stride is rounded to the table's grid (less than 1/1000 of the time axis away).
    """
    table = shift.sigmas()
    stride = len(table) / steps
    return [float(table[-(1 + int(i * stride))]) for i in range(steps)] + [0.0]


def normal(shift: Shift, steps: int) -> list[float]:
    """``steps`` evenly spaced times from the table's largest sigma to its smallest, shifted, then 0.

    ComfyUI takes the times of these models to be their sigmas, so that the smallest time has been shifted once
    already; the quirk is kept, because flows are tuned with it. Where the last sigma is itself 0 (to 1e-5) one more
    step is taken and no 0 is added.
    """
    table = shift.sigmas()
    ends = np.array([table[-1], table[0]])
    last = float(shift.sigma(ends)[1])
    ends_at_zero = math.isclose(last, 0.0, abs_tol=1e-5)
    times = np.linspace(ends[0], ends[1], steps + 1 if ends_at_zero else steps)
    return [float(s) for s in shift.sigma(times)] + ([] if ends_at_zero else [0.0])


def beta(shift: Shift, steps: int) -> list[float]:
    """Picks from the table at the quantiles of Beta(0.6, 0.6), dense at both ends, then 0 (Lee et al. 2024, "Beta
    Sampling is All You Need", arXiv 2407.12173). Picks that fall on one entry are taken once, so that many steps on a
    small table give fewer."""
    from scipy.stats import beta as distribution

    table = shift.sigmas()
    quantiles = distribution.ppf(1 - np.linspace(0, 1, steps, endpoint=False), 0.6, 0.6)
    picks = dict.fromkeys(int(i) for i in np.rint(quantiles * (len(table) - 1)))
    return [float(table[i]) for i in picks] + [0.0]


_TABLE: Mapping[str, Callable[[Shift, int], list[float]]] = {"simple": simple, "normal": normal, "beta": beta}


def schedule(scheduler: str, shift: Shift, steps: int, denoise: float = 1.0) -> list[float]:
    """The falling sigmas of a KSampler, ``steps + 1`` of them, ending in 0.

    ``denoise`` below 1 keeps the last ``steps + 1`` of a schedule of ``int(steps / denoise)`` steps, as ComfyUI does;
    0 gives no step at all (an empty list).
    """
    if denoise <= 0:
        return []
    if denoise > 0.9999:
        return _TABLE[scheduler](shift, steps)
    return _TABLE[scheduler](shift, int(steps / denoise))[-(steps + 1) :]
