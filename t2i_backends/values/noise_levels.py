"""The noise levels that a model was trained on, and how it tells the time: what schedules and samplers need of it.

Two kinds of model, with the sigmas of Karras et al. 2022 (arXiv 2206.00364):

- **flow matching** (``Shift``): a latent is ``(1 - sigma) * x0 + sigma * noise``, sigma from 1 (noise) to 0 (picture).
  A static shift ``a`` (Esser et al. 2024, "Scaling Rectified Flow Transformers", eq. 23) gives
  ``sigma(t) = a t / (1 + (a - 1) t)`` over 1000 times; a dynamic shift ``mu`` gives
  ``sigma(t) = e^mu / (e^mu + 1/t - 1)``, the same with ``a = e^mu``, over 10,000 times, ``mu`` linear in the number
  of image tokens as the pipeline's scheduler config says (diffusers' ``calculate_shift``). ComfyUI without a
  ModelSamplingFlux node keeps ``mu`` at 1.15 for all sizes, which is this value at 4096 tokens (1024 x 1024).
- **diffusion** (``Betas``): a latent is ``x0 + sigma * noise`` with ``sigma = sqrt((1 - abar) / abar)`` over the
  1000 training steps (Ho et al. 2020, arXiv 2006.11239; k-diffusion's form). Between two steps ``log(sigma)`` runs
  straight. Both are computed by torch in float32, number by number: a time half-way between two steps belongs to the
  one that this rounding leaves nearer, as in ComfyUI.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]

STATIC_TABLE = 1000
DYNAMIC_TABLE = 10_000
FEW_TOKENS, MANY_TOKENS = 256, 4096
"""The two picture sizes, in image tokens, between which a dynamic shift grows, where its config does not say."""


class Table(Protocol):
    """A model's noise levels."""

    @property
    def flow(self) -> bool:
        """Whether the model is a flow-matching one."""
        ...

    def sigmas(self) -> Floats:
        """The table, rising."""
        ...

    def sigma(self, time: Floats) -> Floats:
        """The sigma at each of the model's own times."""
        ...

    def time(self, sigma: Floats) -> Floats:
        """The model's own time at each sigma, as schedulers use it."""
        ...

    def at(self, percent: float) -> float:
        """The sigma when ``percent`` (0 to 1) of the way from noise to picture is done."""
        ...


@dataclass(frozen=True)
class Shift:
    """A flow-matching model: how it maps time in (0, 1] to sigma; ``alpha`` is ``e ** mu`` of a dynamic shift."""

    alpha: float
    table: int = STATIC_TABLE
    """How many times the model's sigma table holds."""

    @property
    def flow(self) -> bool:
        """True."""
        return True

    def sigma(self, time: Floats) -> Floats:
        """The sigma of each time in (0, 1]."""
        return self.alpha * time / (1 + (self.alpha - 1) * time)

    def sigmas(self) -> Floats:
        """The table, rising, shape ``(table,)``; the last entry is 1."""
        return self.sigma(np.arange(1, self.table + 1, dtype=np.float64) / self.table)

    def time(self, sigma: Floats) -> Floats:
        """``sigma`` itself: ComfyUI takes the times of these models to be their sigmas, and flows are tuned with it."""
        return sigma

    def at(self, percent: float) -> float:
        """1 at 0, 0 at 1, shifted in between."""
        if percent <= 0 or percent >= 1:
            return float(percent <= 0)
        return float(self.sigma(np.array(1 - percent)))


@dataclass(frozen=True)
class Betas:
    """A diffusion model with discrete training steps."""

    beta_start: float = 0.00085
    beta_end: float = 0.012
    steps: int = 1000
    beta_schedule: str = "scaled_linear"
    zero_terminal_snr: bool = False
    """Whether the last step is pure noise (Lin et al. 2023, arXiv 2305.08891); 4518 stands for its infinite sigma."""

    @property
    def flow(self) -> bool:
        """False."""
        return False

    @cached_property
    def _table(self) -> Floats:
        if self.beta_schedule == "linear":
            betas = np.linspace(self.beta_start, self.beta_end, self.steps)
        else:
            betas = np.linspace(self.beta_start**0.5, self.beta_end**0.5, self.steps) ** 2
        kept = np.cumprod(1 - betas)
        if self.zero_terminal_snr:
            root = np.sqrt(kept)
            root = (root - root[-1]) * root[0] / (root[0] - root[-1])
            kept = root**2
            kept[-1] = 4.8973451890853435e-08
        found: Floats = np.sqrt((1 - kept) / kept)
        return found

    def sigmas(self) -> Floats:
        """The sigmas of the training steps, rising, shape ``(steps,)``."""
        return self._table

    @cached_property
    def _logs(self) -> torch.Tensor:
        return _logs_of(self._table)

    def sigma(self, time: Floats) -> Floats:
        """The sigma at each step number, whole or not, clamped to the table."""
        return _between(self._logs, time)

    def time(self, sigma: Floats) -> Floats:
        """The training step whose sigma is nearest on a log scale."""
        return _nearest(self._logs, sigma)

    def at(self, percent: float) -> float:
        """Infinite (1e9) at 0, 0 at 1, the sigma of step ``999 * (1 - percent)`` in between."""
        if percent <= 0:
            return 1e9
        return 0.0 if percent >= 1 else float(self.sigma(np.array((1 - percent) * (self.steps - 1))))


@dataclass(frozen=True)
class Distilled:
    """A diffusion model distilled to some of its steps (latent consistency models, arXiv 2310.04378): the last of every
    ``steps / count``."""

    base: Betas
    count: int = 50

    @property
    def flow(self) -> bool:
        """False."""
        return False

    @property
    def _stride(self) -> int:
        return self.base.steps // self.count

    @cached_property
    def _logs(self) -> torch.Tensor:
        return _logs_of(self.sigmas().astype(np.float32))

    def sigmas(self) -> Floats:
        """The sigmas of its steps, rising, shape ``(count,)``; the last one is the base's."""
        return self.base.sigmas()[::-1][:: self._stride][: self.count][::-1]

    def sigma(self, time: Floats) -> Floats:
        """The sigma at each step number of the base, clamped to the table."""
        return _between(self._logs, (np.asarray(time, dtype=np.float32) - (self._stride - 1)) / self._stride)

    def time(self, sigma: Floats) -> Floats:
        """The base's step number of the nearest step on a log scale."""
        return _nearest(self._logs, sigma) * self._stride + self._stride - 1

    def at(self, percent: float) -> float:
        """As the base, over its own steps."""
        if percent <= 0 or percent >= 1:
            return self.base.at(percent)
        return float(self.sigma(np.array((1 - percent) * (self.base.steps - 1))))


def _logs_of(sigmas: npt.NDArray[Any]) -> torch.Tensor:
    """The logarithms of a table, float32."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(sigmas)).log().float()


def _between(logs: torch.Tensor, time: Floats) -> Floats:
    """The sigma at each place of a table of logarithms, clamped to it."""
    import torch

    def one(time: float) -> float:
        at = torch.tensor(time).clamp(0, len(logs) - 1)
        share = at.frac()
        return float(((1 - share) * logs[at.floor().long()] + share * logs[at.ceil().long()]).exp())

    return np.array([one(float(each)) for each in np.ravel(time)]).reshape(np.shape(time))


def _nearest(logs: torch.Tensor, sigma: Floats) -> Floats:
    """The place of a table of logarithms that each sigma is nearest to; the first of two that are equally near."""
    import torch

    def one(sigma: float) -> int:
        return int((torch.tensor([max(sigma, 1e-10)]).log() - logs[:, None]).abs().argmin(dim=0))

    return np.array([float(one(float(each))) for each in np.ravel(sigma)]).reshape(np.shape(sigma))


LCM_DATA, LCM_TIME = 0.5, 10.0
"""The spread of data and the scale of times in the boundary condition of latent consistency models."""


def boundary(time: float) -> tuple[float, float]:
    """How much of the noisy latents and of the x0 estimate a latent consistency model gives at a time."""
    scaled = time * LCM_TIME
    whole = scaled**2 + LCM_DATA**2
    return LCM_DATA**2 / whole, scaled / math.sqrt(whole)


def shift_of(config: Mapping[str, Any], tokens: int) -> Shift:
    """The shift that a ``FlowMatchEulerDiscreteScheduler`` config means for a picture of ``tokens`` image tokens."""
    if not config.get("use_dynamic_shifting"):
        return Shift(float(config.get("shift", 1.0)), int(config.get("num_train_timesteps", STATIC_TABLE)))
    few, many = config.get("base_image_seq_len", FEW_TOKENS), config.get("max_image_seq_len", MANY_TOKENS)
    mu = dynamic_mu(tokens, config.get("base_shift", 0.5), config.get("max_shift", 1.15), few, many)
    alpha = mu if config.get("time_shift_type") == "linear" else math.exp(mu)
    return Shift(alpha, DYNAMIC_TABLE)


def dynamic_mu(
    tokens: float, base_shift: float, max_shift: float, few: int = FEW_TOKENS, many: int = MANY_TOKENS
) -> float:
    """The line through ``(few, base_shift)`` and ``(many, max_shift)``, at ``tokens``."""
    return float(base_shift + (max_shift - base_shift) / (many - few) * (tokens - few))


def betas_of(config: Mapping[str, Any]) -> Betas:
    """The table that the scheduler config of a diffusion pipeline means."""
    return Betas(
        float(config.get("beta_start", 0.00085)),
        float(config.get("beta_end", 0.012)),
        int(config.get("num_train_timesteps", 1000)),
        str(config.get("beta_schedule", "scaled_linear")),
        bool(config.get("rescale_betas_zero_snr", False)),
    )
