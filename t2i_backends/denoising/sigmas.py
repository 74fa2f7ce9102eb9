"""Sigma schedules, with ComfyUI's meaning of a sampler's ``scheduler`` and ``denoise``, over a model's ``Table``.

Sources: ``karras`` Karras et al. 2022 (arXiv 2206.00364) eq. 5 with rho 7; ``exponential`` k-diffusion; ``beta`` Lee et
al. 2024, "Beta Sampling is All You Need" (arXiv 2407.12173); ``kl_optimal`` Sabour et al. 2024, "Align Your Steps"
(arXiv 2404.14507) eq. 11; ``linear_quadratic`` the schedule of Mochi 1, by Genmo; ``normal``, ``sgm_uniform``,
``simple`` and ``ddim_uniform`` are spacings over the table in the way of k-diffusion, Stability's generative-models,
ComfyUI and DDIM (arXiv 2010.02502).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from imagewright.t2i_backends.values.noise_levels import Floats, Table

LAST_BUT_ONE_DROPPED = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})
"""Samplers for which a KSampler takes one step more and leaves out the last sigma before 0, as k-diffusion advises."""
_ZERO = 1e-5


def _falling(sigmas: Floats) -> list[float]:
    """The sigmas, then 0."""
    return [float(sigma) for sigma in sigmas] + [0.0]


def _ends(table: Table) -> tuple[float, float]:
    found = table.sigmas()
    return float(found[0]), float(found[-1])


def simple(table: Table, steps: int) -> list[float]:
    """Evenly strided picks from the table's end, then 0.

    For a flow-matching model where ``steps`` divides the table this is exactly diffusers' ``linspace(1, 1 / steps,
    steps)`` shifted; elsewhere the stride is rounded to the table's grid (less than 1/1000 of the time axis away).
    """
    found = table.sigmas()
    stride = len(found) / steps
    return _falling(found[[-(1 + int(i * stride)) for i in range(steps)]])


def normal(table: Table, steps: int) -> list[float]:
    """``steps`` evenly spaced times from the table's largest sigma to its smallest, then 0.

    Where the last sigma is itself 0 (to 1e-5) one more step is taken and no 0 is added. For flow-matching models the
    smallest time has been shifted once already (see ``Shift.time``).
    """
    zero = float(table.sigma(np.array(_times(table)[1]))) < _ZERO
    found = table.sigma(_even(table, steps + 1 if zero else steps))
    return [float(sigma) for sigma in found] if zero else _falling(found)


def _even(table: Table, count: int) -> Floats:
    """Evenly spaced times from the first one to the last. Where a model has training steps they are rounded as torch
    rounds them: half-way between two steps that decides which of them it is."""
    first, last = _times(table)
    if table.flow:
        return np.linspace(first, last, count)
    import torch

    found: Floats = torch.linspace(first, last, count).numpy().astype(np.float64)
    return found


def _times(table: Table) -> tuple[float, float]:
    low, high = _ends(table)
    first, last = table.time(np.array([high, low]))
    return float(first), float(last)


def sgm_uniform(table: Table, steps: int) -> list[float]:
    """``steps + 1`` evenly spaced times from the largest sigma to the smallest, the last one replaced by 0."""
    return _falling(table.sigma(_even(table, steps + 1)[:-1]))


def ddim_uniform(table: Table, steps: int) -> list[float]:
    """Every ``len // steps``-th entry from the second one on; where ``steps`` divides the table these are the
    timesteps of diffusers' ``leading`` spacing with ``steps_offset`` 1. The count may differ from ``steps`` by some."""
    found = table.sigmas()
    zero = float(found[1]) < _ZERO
    stride = max(len(found) // (steps + 1 if zero else steps), 1)
    picks = [float(sigma) for sigma in found[1::stride][::-1]]
    return picks if zero else [*picks, 0.0]


def beta(table: Table, steps: int) -> list[float]:
    """Picks from the table at the quantiles of Beta(0.6, 0.6), dense at both ends, then 0.

    Picks that fall on one entry are taken once, so that many steps on a small table give fewer.
    """
    return beta_quantiles(table, steps, 0.6, 0.6)


def beta_quantiles(table: Table, steps: int, alpha: float, beta: float) -> list[float]:
    """The same for any Beta distribution (BetaSamplingScheduler)."""
    from scipy.stats import beta as distribution

    found = table.sigmas()
    quantiles = distribution.ppf(1 - np.linspace(0, 1, steps, endpoint=False), alpha, beta)
    picks = dict.fromkeys(int(i) for i in np.rint(quantiles * (len(found) - 1)))
    return _falling(found[list(picks)])


def karras(table: Table, steps: int) -> list[float]:
    """Even steps in ``sigma ** (1 / 7)`` from the largest sigma to the smallest, then 0."""
    low, high = _ends(table)
    return karras_between(low, high, steps)


def karras_between(low: float, high: float, steps: int, rho: float = 7.0) -> list[float]:
    """Even steps in ``sigma ** (1 / rho)`` from ``high`` to ``low``, then 0."""
    return _falling(np.linspace(high ** (1 / rho), low ** (1 / rho), steps) ** rho)


def exponential(table: Table, steps: int) -> list[float]:
    """Even steps in ``log(sigma)`` from the largest sigma to the smallest, then 0."""
    low, high = _ends(table)
    return _falling(np.exp(np.linspace(math.log(high), math.log(low), steps)))


def kl_optimal(table: Table, steps: int) -> list[float]:
    """Even steps in ``atan(sigma)`` from the largest sigma to the smallest, then 0."""
    low, high = _ends(table)
    return _falling(np.tan(np.linspace(math.atan(high), math.atan(low), steps)))


def linear_quadratic(table: Table, steps: int, threshold: float = 0.025) -> list[float]:
    """The first half of the steps falls evenly by ``threshold`` in all, the rest quadratically to 0.

    The parabola meets the line in value and slope; everything is scaled by the largest sigma.
    """
    high = _ends(table)[1]
    if steps == 1:
        return [high, 0.0]
    line = steps // 2
    slope = threshold / line
    rest = steps - line
    curve = (1 - threshold - slope * rest) / rest**2
    ahead = [i * slope for i in range(line)]
    ahead += [threshold + slope * i + curve * i * i for i in range(rest)]
    return [high * (1 - done) for done in ahead] + [0.0]


_SCHEDULES: Mapping[str, Callable[[Table, int], list[float]]] = {
    "simple": simple,
    "sgm_uniform": sgm_uniform,
    "karras": karras,
    "exponential": exponential,
    "ddim_uniform": ddim_uniform,
    "beta": beta,
    "normal": normal,
    "linear_quadratic": linear_quadratic,
    "kl_optimal": kl_optimal,
}
SCHEDULERS = tuple(_SCHEDULES)


def schedule(scheduler: str, table: Table, steps: int, denoise: float = 1.0, sampler: str = "") -> list[float]:
    """The falling sigmas of a KSampler, ``steps + 1`` of them, ending in 0.

    ``denoise`` below 1 keeps the last ``steps + 1`` of a schedule of ``int(steps / denoise)`` steps, as ComfyUI does;
    0 gives no step at all (an empty list). ``sampler`` is the KSampler's, which may leave out the last but one sigma.
    """
    if denoise <= 0:
        return []
    whole = steps if denoise > 0.9999 else int(steps / denoise)
    if sampler in LAST_BUT_ONE_DROPPED:
        found = _SCHEDULES[scheduler](table, whole + 1)
        found = [*found[:-2], found[-1]]
    else:
        found = _SCHEDULES[scheduler](table, whole)
    return found if denoise > 0.9999 else found[-(steps + 1) :]
