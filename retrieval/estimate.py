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

FloatArray = NDArray[np.float64]
Ints = NDArray[np.int64]

BANDWIDTH = 0.2
"""How far evidence reaches: at similarity 1 - BANDWIDTH the kernel has fallen to exp(-1)."""
Z90 = 1.645
"""Half the width of a 90 % interval, in standard deviations."""
PRIOR_COUNT = 5.0
"""How many scores the prior guesses of the variances below count for."""
NOISE, LOCAL, BETWEEN, UNKNOWN_MODEL = 0.20, 0.10, 0.10, 0.15
"""Prior standard deviations: of one score about its expectation; of a flow from prompt to prompt; from flow to flow of
one base model; and of a base model that was never measured."""
SMALLEST = 0.03
"""No standard deviation of the prior is believed to be smaller, however alike the scores so far."""


@dataclass(frozen=True)
class Scores:
    """Measured scores as arrays of length N."""

    flow: Ints
    """Index into the flows, 0…F-1."""
    prompt: Ints
    """Index into the prompts, 0…P-1."""
    scorer: Ints
    value: FloatArray
    """In the scorer's own unit; higher is better."""
    weight: FloatArray
    """How many scores each counts for: a person's thumb counts for more than one measured seed."""
    flows: int
    prompts: int


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
    """Bring scores of several scorers and prompts to one scale.

    A scorer that stays within [0, 1] keeps its scale; any other is squeezed there by the logistic of its standard
    score. For each scorer the level of each prompt is then estimated beside the flows' means (so that a prompt that
    only good flows were tried on does not look easy) and taken out; what is left is divided by its standard deviation,
    averaged over scorers, and brought back to the average scale of the scorers.
    """
    deviation, level = np.zeros(len(scores.value)), np.zeros((0, scores.prompts))
    spread = np.ones(len(scores.value))
    grand, weights = [], []
    for scorer in np.unique(scores.scorer):
        rows = scores.scorer == scorer
        part = _only(scores, rows)
        centre, by_prompt = _take_out_levels(part, _to_unit(part.value))
        deviation[rows] = _to_unit(part.value) - by_prompt[part.prompt] - centre
        spread[rows] = np.sqrt(_variance(float((deviation[rows] ** 2).sum()), int(rows.sum()), NOISE))
        level = np.vstack([level, by_prompt + centre])
        grand.append(centre)
        weights.append(float(part.weight.sum()))
    if not grand:
        return _nothing(scores.flows, scores.prompts)
    typical = float(np.average(spread, weights=scores.weight))
    levels = np.average(level, axis=0, weights=weights)
    return _cells(scores, deviation / spread * typical, levels, float(np.average(grand, weights=weights)))


def _only(scores: Scores, rows: NDArray[np.bool_]) -> Scores:
    parts = (scores.flow[rows], scores.prompt[rows], scores.scorer[rows], scores.value[rows], scores.weight[rows])
    return Scores(*parts, flows=scores.flows, prompts=scores.prompts)


def _to_unit(value: FloatArray) -> FloatArray:
    if value.min() >= 0.0 and value.max() <= 1.0:
        return value
    scale = max(float(np.std(value)), 1e-9)
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip((value - value.mean()) / scale, -30.0, 30.0))))


def _take_out_levels(scores: Scores, value: FloatArray) -> tuple[float, FloatArray]:
    """The mean, and the deviation of each prompt's level from it, in an additive fit of flows and prompts.

    A prompt on which one flow alone was tried says as much of the flow as of the prompt, and a scorer with few scores
    is not believed about its own middle: so a lone thumb on a new prompt speaks for its flow.
    """
    total = float(scores.weight.sum())
    centre = (float(scores.weight @ value) + PRIOR_COUNT * 0.5) / (total + PRIOR_COUNT)
    tried = np.zeros((scores.flows, scores.prompts), dtype=bool)
    tried[scores.flow, scores.prompt] = True
    ridge = np.where(tried.sum(axis=0) > 1, 0.1, 1.0)
    by_prompt: FloatArray = np.zeros(scores.prompts)
    for _ in range(30):
        rest = value - centre - by_prompt[scores.prompt]
        by_flow = _shrunk_means(scores.flow, rest, scores.weight, np.full(scores.flows, 0.5))
        rest = value - centre - by_flow[scores.flow]
        by_prompt = _shrunk_means(scores.prompt, rest, scores.weight, ridge)
    return centre, by_prompt


def _shrunk_means(index: Ints, value: FloatArray, weight: FloatArray, ridge: FloatArray) -> FloatArray:
    """Weighted means by index, as if ``ridge`` more scores of zero were there."""
    size = len(ridge)
    total = np.asarray(np.bincount(index, weights=weight * value, minlength=size), dtype=np.float64)
    return np.asarray(total / (np.bincount(index, weights=weight, minlength=size) + ridge))


def _cells(scores: Scores, deviation: FloatArray, level: FloatArray, grand: float) -> Combined:
    shape = (scores.flows, scores.prompts)
    cell = scores.flow * scores.prompts + scores.prompt
    count = np.bincount(cell, weights=scores.weight, minlength=shape[0] * shape[1])
    mean = np.bincount(cell, weights=scores.weight * deviation, minlength=len(count)) / np.maximum(count, 1e-9)
    inside = deviation - mean[cell]
    freedom = len(deviation) - int((count > 0).sum())
    noise = _variance(float((inside**2).sum()), freedom, NOISE)
    grid, counts = mean.reshape(shape).astype(np.float64), count.reshape(shape).astype(np.float64)
    seen = counts > 0
    flow_mean = grid.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    about = np.where(seen, (grid - flow_mean[:, None]) ** 2 - noise / np.maximum(counts, 1e-9), 0.0)
    local = _variance(float(about.sum()), int(seen.sum()) - int(seen.any(axis=1).sum()), LOCAL)
    measured = seen.any(axis=1)
    own = flow_mean[measured] ** 2 - (local + noise) / np.maximum(seen.sum(axis=1)[measured], 1)
    between = _variance(float(own.sum()), int(measured.sum()) - 1, BETWEEN)
    touched = seen.any(axis=0)
    levels = _variance(float(((level[touched] - grand) ** 2).sum()), int(touched.sum()) - 1, NOISE)
    return Combined(grid, counts, level, grand, noise, local, between, levels)


def _variance(squares: float, freedom: int, prior: float) -> float:
    """A variance from a sum of squares, drawn toward a prior standard deviation, never below ``SMALLEST``."""
    freedom = max(freedom, 0)
    found = (max(squares, 0.0) + PRIOR_COUNT * prior**2) / (freedom + PRIOR_COUNT)
    return max(found, SMALLEST**2)


def _nothing(flows: int, prompts: int) -> Combined:
    empty = np.zeros((flows, prompts))
    return Combined(empty, empty, np.full(prompts, 0.5), 0.5, NOISE**2, LOCAL**2, BETWEEN**2, NOISE**2)


# --- from cells to estimates ----------------------------------------------------------------


def estimate(data: Combined, setting: Setting) -> Estimates:
    """The expected score of each flow on the prompt, and the 90 % interval of that expectation, all in [0, 1].

    What a near prompt says is by how much a flow did better there than it does on prompts of *that* kind: a count of
    two beside a count of one is near in words, and would else carry what the flow gains at counting over to one thing.

    ``count`` is the number of scores of the flow. The estimate of a flow with few scores whose card fits the prompt
    better than the cards of measured flows is raised toward the upper end of its interval (``card_bonus``).
    """
    near = _Near(_kernel(setting.similarity), _kernel(setting.among), data.count[:, setting.near])
    level, level_var = _level(data, setting.near, near)
    overall, overall_var = _flow_means(data, setting.kin)
    mean, mean_var, local = _category_means(data, setting.shared, overall, overall_var)
    other, _, _ = _category_means(data, ~setting.shared, overall, overall_var)
    expected = np.where(setting.shared[setting.near][None, :], mean[:, None], other[:, None])
    above, share, local_var = near.mean(data.mean[:, setting.near] - expected, data.noise / local)
    centre = level + mean + share * above
    spread = np.sqrt(local * local_var + (1.0 - share) ** 2 * mean_var + level_var)
    low, high = np.clip(centre - Z90 * spread, 0.0, 1.0), np.clip(centre + Z90 * spread, 0.0, 1.0)
    raised = np.clip(centre, 0.0, 1.0)
    if len(setting.fit):
        raised = np.minimum(raised + card_bonus(data, setting.fit, np.sqrt(local + mean_var)), np.maximum(high, raised))
    return Estimates(raised, low, high, data.count.sum(axis=1).round().astype(np.int64))


def card_bonus(data: Combined, fit: FloatArray, spread: FloatArray) -> FloatArray:
    """The benefit of the doubt that an unmeasured flow gets on a prompt that its card describes.

    An author's claim is weak evidence, but it is the only evidence there is before the first measurement: a flow whose
    card fits (``fit`` 1) is taken at the upper end of its own uncertainty. The bonus shrinks as ``1 / (1 + cells
    measured)`` and never leaves the interval, so that measured scores soon have the only word.
    """
    measured = (data.count > 0).sum(axis=1)
    return np.asarray(fit * Z90 * spread / (1.0 + measured))


def _kernel(similarity: FloatArray) -> FloatArray:
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


def _level(data: Combined, near: Ints, neighbours: _Near) -> tuple[float, float]:
    """How hard the prompt is, from the levels of the nearest prompts, and the variance of that."""
    flows = (neighbours.count > 0).sum(axis=0, keepdims=True).astype(np.float64)
    columns = _Near(neighbours.kernel, neighbours.among, flows)
    above, share, left = columns.mean(data.level[near][None, :] - data.grand, (data.local + data.noise) / data.levels)
    return data.grand + float(share[0] * above[0]), float(data.levels * left[0])


def _flow_means(data: Combined, kin: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean deviation of each flow and its variance: its own cells, with the means of its kin as prior."""
    own, _ = _posterior(data, np.ones(data.mean.shape[1], dtype=bool), np.zeros(1), np.full(1, data.between))
    others = kin * (data.count.sum(axis=1) > 0)[None, :]
    np.fill_diagonal(others, 0.0)
    weight = others.sum(axis=1)
    prior = others @ own / (weight + 0.5)
    nearest = others.max(axis=1, initial=0.0)
    measured = data.count.sum(axis=1) > 0
    stranger = np.where(measured, 0.0, (1.0 - nearest) * UNKNOWN_MODEL**2)
    return _posterior(data, np.ones(data.mean.shape[1], dtype=bool), prior, data.between + stranger)


def _category_means(
    data: Combined, shared: NDArray[np.bool_], mean: FloatArray, var: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """The same with only the cells of the prompt's categories; half of the local variance is theirs where any are."""
    if not shared.any() or shared.all():
        return mean, var, data.local
    half = data.local / 2
    found, found_var = _posterior(data, shared, mean, half + var, half)
    return found, found_var, half


def _posterior(
    data: Combined, columns: NDArray[np.bool_], prior: FloatArray, prior_var: FloatArray, local: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Normal posterior of each flow's mean over some prompts: ``(mean, variance)``, each of length F."""
    count = data.count * columns[None, :]
    spread = data.local if local is None else local
    precision = np.where(count > 0, 1.0 / (spread + data.noise / np.maximum(count, 1e-9)), 0.0)
    total = 1.0 / prior_var + precision.sum(axis=1)
    return (prior / prior_var + (precision * data.mean).sum(axis=1)) / total, 1.0 / total
