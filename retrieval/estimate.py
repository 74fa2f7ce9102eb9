"""How well a flow will serve a prompt: a kernel-weighted mean of evidence, shrunk in steps, with an interval.

The model behind the arithmetic, for the score in [0, 1] of flow *f* on prompt *p*::

    score = level(p) + effect(f, p) + noise
    effect(f, p) = mean of f  +  what f gains in p's categories  +  what f gains near p

``level`` is how hard a prompt is for every flow. ``combine_scores`` takes it out, so that a flow that was measured on
hard prompts only is not held down by them. Each term is a normal variable whose prior is the coarser term, with
variances measured from the evidence; the posterior of the sum gives the estimate and its 90 % interval. A flow
without evidence starts from the flows that are most like it. Pure functions over arrays: ``F`` flows, ``P`` prompts of
evidence, ``N`` scores.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imagewright.retrieval.cells import (
    BETWEEN,
    LOCAL,
    NOISE,
    UNKNOWN_MODEL,
    Cells,
    FloatArray,
    Ints,
    Scores,
    Variances,
    fit_cells,
)

__all__ = ["BETWEEN", "LOCAL", "NOISE", "Cells", "FloatArray", "Ints", "Scores", "Variances"]

BANDWIDTH = 0.2
"""How far evidence reaches: at similarity 1 - BANDWIDTH the kernel has fallen to exp(-1)."""
Z90 = 1.645
"""Half the width of a 90 % interval, in standard deviations."""


@dataclass(frozen=True)
class Combined:
    """Scores on one scale, in cells (flow, prompt), with what is common to a prompt taken out."""

    mean: FloatArray
    """F × P: the deviation of a flow from the level of the prompt; 0 where there is no score."""
    count: FloatArray
    """F × P: how many scores stand behind it."""
    level: FloatArray
    """P: the level of each prompt, in [0, 1]."""
    grand: float
    """The level of a prompt about which nothing is known."""
    noise: float
    """Variance of one score."""
    local: float
    """Variance of a flow's deviation from prompt to prompt."""
    between: float
    """Variance of the mean deviation from flow to flow."""
    levels: float
    """Variance of the level from prompt to prompt."""


@dataclass(frozen=True)
class Estimates:
    """For each of F flows: the expected score on the prompt, a 90 % interval for it, and the scores behind it."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray
    count: Ints


@dataclass(frozen=True)
class Setting:
    """What is known of the prompt to estimate for, and of the flows, beside the scores."""

    near: Ints
    """n: the prompts of evidence nearest to the prompt, as indices into P."""
    similarity: FloatArray
    """n: how alike each of them is to the prompt, in [0, 1]."""
    among: FloatArray
    """n × n: how alike they are to one another."""
    shared: NDArray[np.bool_]
    """P: whether it shares a category with the prompt."""
    kin: FloatArray
    """F × F: how alike two flows are, in [0, 1]; 0 between base models."""
    fit: FloatArray = field(default_factory=lambda: np.zeros(0))
    """F: how much nearer a flow's card is to the prompt than the cards of measured flows, in [0, 1]; empty for none."""


# --- from scores to cells -------------------------------------------------------------------


def combine_scores(scores: Scores) -> Combined:
    """The cells of ``scores`` (``cells.fit_cells``) as whole grids: what the sparse way is held to."""
    found = fit_cells(scores)
    mean, count = np.zeros((scores.flows, scores.prompts)), np.zeros((scores.flows, scores.prompts))
    mean[found.flow, found.prompt], count[found.flow, found.prompt] = found.mean, found.count
    common = found.common
    return Combined(mean, count, found.level, common.grand, common.noise, common.local, common.between, common.levels)


# --- from cells to estimates ----------------------------------------------------------------


def estimate(data: Combined, setting: Setting) -> Estimates:
    """The expected score of each flow on the prompt, and the 90 % interval of that expectation, all in [0, 1].

    What a near prompt says is by how much a flow did better there than it does on prompts of *that* kind: a count of
    two beside a count of one is near in words, and would else carry what the flow gains at counting over to one thing.

    ``count`` is the number of scores of the flow. The estimate of a flow with few scores whose card fits the prompt
    better than the cards of measured flows is raised toward the upper end of its interval (``card_bonus``).
    """
    overall, overall_var = _flow_means(data, setting.kin)
    split = bool(setting.shared.any() and not setting.shared.all())
    spread = data.local / 2 if split else data.local
    inside, outside = (_sums(data, columns, spread) for columns in (setting.shared, ~setting.shared))
    near = NearCells(
        kernel=to_kernel(setting.similarity),
        among=to_kernel(setting.among),
        count=data.count[:, setting.near],
        mean=data.mean[:, setting.near],
        level=data.level[setting.near],
        flows=(data.count[:, setting.near] > 0).sum(axis=0).astype(np.float64),
        shared=setting.shared[setting.near],
    )
    common = Variances(data.grand, data.noise, data.local, data.between, data.levels)
    standing = Standing(
        overall, overall_var, inside, outside, split, (data.count > 0).sum(axis=1), data.count.sum(axis=1)
    )
    return conclude(common, standing, near, setting.fit)


@dataclass(frozen=True)
class Sums:
    """For each of F flows the precisions of its cells in some prompts, and what these weigh, added up."""

    precision: FloatArray
    weighted: FloatArray

    def posterior(self, prior: FloatArray, prior_var: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Normal posterior of each flow's mean over these prompts: ``(mean, variance)``, each of length F."""
        total = 1.0 / prior_var + self.precision
        return (prior / prior_var + self.weighted) / total, 1.0 / total


@dataclass(frozen=True)
class Standing:
    """What is known of F flows beside their cells at the nearest prompts."""

    overall: FloatArray
    """The mean deviation of each, and its variance."""
    overall_var: FloatArray
    inside: Sums
    """Of the cells at prompts of the prompt's categories."""
    outside: Sums
    """Of all others."""
    split: bool
    """Whether the categories tell any prompts apart; then half of the local variance is theirs."""
    cells: Ints
    """How many cells each has."""
    scores: FloatArray
    """How many scores."""


@dataclass(frozen=True)
class NearCells:
    """The n nearest prompts, and the cells of F flows at them."""

    kernel: FloatArray
    """n: the correlation of each with the prompt."""
    among: FloatArray
    """n × n: with one another."""
    count: FloatArray
    """F × n."""
    mean: FloatArray
    """F × n."""
    level: FloatArray
    """n."""
    flows: FloatArray
    """n: how many flows of the whole index have a cell there."""
    shared: NDArray[np.bool_]
    """n: whether it shares a category with the prompt."""


def conclude(common: Variances, known: Standing, near: NearCells, fit: FloatArray) -> Estimates:
    """The estimates from what is known of the flows; ``fit`` as in ``Setting``."""
    level, level_var = _level(common, near)
    local, mean, mean_var, other = common.local, known.overall, known.overall_var, known.overall
    if known.split:
        local = common.local / 2
        mean, mean_var = known.inside.posterior(known.overall, local + known.overall_var)
        other, _ = known.outside.posterior(known.overall, local + known.overall_var)
    expected = np.where(near.shared[None, :], mean[:, None], other[:, None])
    looks = _Near(near.kernel, near.among, near.count)
    above, share, local_var = looks.mean(near.mean - expected, common.noise / local)
    centre = level + mean + share * above
    spread = np.sqrt(local * local_var + (1.0 - share) ** 2 * mean_var + level_var)
    low, high = np.clip(centre - Z90 * spread, 0.0, 1.0), np.clip(centre + Z90 * spread, 0.0, 1.0)
    raised = np.clip(centre, 0.0, 1.0)
    if len(fit):
        raised = np.minimum(raised + _bonus(known.cells, fit, np.sqrt(local + mean_var)), np.maximum(high, raised))
    return Estimates(raised, low, high, known.scores.round().astype(np.int64))


def card_bonus(data: Combined, fit: FloatArray, spread: FloatArray) -> FloatArray:
    """The benefit of the doubt that an unmeasured flow gets on a prompt that its card describes.

    An author's claim is weak evidence, but it is the only evidence there is before the first measurement: a flow whose
    card fits (``fit`` 1) is taken at the upper end of its own uncertainty. The bonus shrinks as ``1 / (1 + cells
    measured)`` and never leaves the interval, so that measured scores soon have the only word.
    """
    return _bonus((data.count > 0).sum(axis=1), fit, spread)


def _bonus(measured: Ints, fit: FloatArray, spread: FloatArray) -> FloatArray:
    return np.asarray(fit * Z90 * spread / (1.0 + measured))


def to_kernel(similarity: FloatArray) -> FloatArray:
    """The correlation that a similarity in [0, 1] stands for."""
    return np.asarray(np.exp(-(1.0 - np.clip(similarity, 0.0, 1.0)) / BANDWIDTH))


@dataclass(frozen=True)
class _Near:
    """The nearest prompts: kernel to the prompt (n) and among themselves (n × n), and scores of each row there."""

    kernel: FloatArray
    among: FloatArray
    count: FloatArray

    def mean(self, value: FloatArray, ratio: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The kernel-weighted mean of each row of ``value``, how much of it to believe, and the variance left.

        ``ratio`` is the variance of one score over the variance of what is looked for. A cell of ``count`` scores at
        kernel ``k`` weighs ``k² / (1 + ratio / count - k²)``: the precision that one noisy look at a variable gives
        about another that is correlated with it by ``k``. The share to believe and the variance left (in units of what
        is looked for) are those of the best linear shrinkage of that mean, with the neighbours' own correlations taken
        into account: ten prompts that are nearly one count as little more than one.
        """
        noise = ratio / np.maximum(self.count, 1e-9)
        square = np.minimum(self.kernel, 0.999) ** 2
        weight = np.where(self.count > 0, square / (1.0 + noise - square), 0.0)
        weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
        spread = ((weight @ self.among) * weight).sum(axis=1) + (weight**2 * noise).sum(axis=1)
        cover = weight @ self.kernel
        share = np.clip(cover / np.maximum(spread, 1e-12), 0.0, 1.0)
        return (weight * value).sum(axis=1), share, 1.0 - 2.0 * share * cover + share**2 * spread


def _level(common: Variances, near: NearCells) -> tuple[float, float]:
    """How hard the prompt is, from the levels of the nearest prompts, and the variance of that."""
    columns = _Near(near.kernel, near.among, near.flows[None, :])
    ratio = (common.local + common.noise) / common.levels
    above, share, left = columns.mean(near.level[None, :] - common.grand, ratio)
    return common.grand + float(share[0] * above[0]), float(common.levels * left[0])


def _flow_means(data: Combined, kin: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean deviation of each flow and its variance: its own cells, with the means of its kin as prior."""
    whole = _sums(data, np.ones(data.mean.shape[1], dtype=bool), data.local)
    measured = data.count.sum(axis=1) > 0
    own, _ = whole.posterior(np.zeros(1), np.full(1, data.between))
    others = kin * measured[None, :]
    np.fill_diagonal(others, 0.0)
    prior, prior_var = take_prior(
        data.between, others @ own, others.sum(axis=1), others.max(axis=1, initial=0.0), measured
    )
    return whole.posterior(prior, prior_var)


def take_prior(
    between: float, kin_total: FloatArray, kin_weight: FloatArray, nearest: FloatArray, measured: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """What the kin of each flow say of its mean deviation, and the variance of that.

    ``kin_total`` is the sum of the means of its measured kin, weighted by kinship, ``kin_weight`` the sum of these
    weights, ``nearest`` the greatest of them: a flow without scores whose next kin is far off is a stranger.
    """
    stranger = np.where(measured, 0.0, (1.0 - nearest) * UNKNOWN_MODEL**2)
    return kin_total / (kin_weight + 0.5), between + stranger


def _sums(data: Combined, columns: NDArray[np.bool_], local: float) -> Sums:
    count = data.count * columns[None, :]
    precision = np.where(count > 0, 1.0 / (local + data.noise / np.maximum(count, 1e-9)), 0.0)
    return Sums(precision.sum(axis=1), (precision * data.mean).sum(axis=1))
