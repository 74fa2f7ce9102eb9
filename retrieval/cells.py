"""Scores on one scale, in sparse cells (flow, prompt), with what is common to a prompt taken out.

The size of everything here follows the number of scores, never flows times prompts. The model behind the arithmetic
is told in ``estimate``. ``F`` flows, ``P`` prompts of evidence, ``N`` scores, ``n`` cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Ints = NDArray[np.int64]

PRIOR_COUNT = 5.0
"""How many scores the prior guesses of the variances below count for."""
NOISE, LOCAL, BETWEEN, UNKNOWN_MODEL = 0.20, 0.10, 0.10, 0.15
"""Prior standard deviations: of one score about its expectation; of a flow from prompt to prompt; from flow to flow of
one base model; and of a base model that was never measured."""
SMALLEST = 0.03
"""No standard deviation of the prior is believed to be smaller, however alike the scores so far."""
_ROUNDS = 30
_FLOW_RIDGE = 0.5


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
class Variances:
    """What is common to all cells."""

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
class Scale:
    """How the values of one scorer become deviations."""

    scorer: int
    unit: bool
    """Whether its values stay within [0, 1] and keep their scale."""
    middle: float
    """Mean and standard deviation of its values: what the logistic squeezes any other by."""
    width: float
    centre: float
    """The mean of its values on the scale of [0, 1]."""
    by_prompt: FloatArray
    """P: how much easier than that each prompt is."""
    by_flow: FloatArray
    """F: how much better than that each flow is."""
    spread: float
    """The standard deviation of what is left."""

    def to_unit(self, value: FloatArray) -> FloatArray:
        """Values of the scorer on the scale of [0, 1]."""
        if self.unit:
            return np.clip(value, 0.0, 1.0)
        return _logistic((value - self.middle) / self.width)


@dataclass(frozen=True)
class Cells:
    """The cells that have scores, sorted by flow and then prompt, and how they were made."""

    flow: Ints
    prompt: Ints
    mean: FloatArray
    """The deviation of the flow from the level of the prompt."""
    count: FloatArray
    """How many scores stand behind it."""
    flows: int
    prompts: int
    level: FloatArray
    """P: the level of each prompt, in [0, 1]."""
    common: Variances
    scales: tuple[Scale, ...]
    typical: float
    """The spread that every scorer is brought to."""


def fit_cells(scores: Scores) -> Cells:
    """Bring scores of several scorers and prompts to one scale.

    A scorer that stays within [0, 1] keeps its scale; any other is squeezed there by the logistic of its standard
    score. For each scorer the level of each prompt is then estimated beside the flows' means (so that a prompt that
    only good flows were tried on does not look easy) and taken out; what is left is divided by its standard deviation,
    averaged over scorers, and brought back to the average scale of the scorers.
    """
    deviation, spread = np.zeros(len(scores.value)), np.ones(len(scores.value))
    scales, weights = [], []
    for scorer in np.unique(scores.scorer):
        rows = scores.scorer == scorer
        part = _only(scores, rows)
        scale, deviation[rows] = fit_scale(part, int(scorer))
        spread[rows] = scale.spread
        scales.append(scale)
        weights.append(float(part.weight.sum()))
    if not scales:
        return _no_cells(scores.flows, scores.prompts)
    typical = float(np.average(spread, weights=scores.weight))
    levels = np.average([scale.by_prompt + scale.centre for scale in scales], axis=0, weights=weights)
    grand = float(np.average([scale.centre for scale in scales], weights=weights))
    return _gather(scores, deviation / spread * typical, levels, grand, tuple(scales), typical)


def fit_scale(part: Scores, scorer: int) -> tuple[Scale, FloatArray]:
    """The scale of one scorer from its scores, and their deviations from the level of their prompts."""
    unit = bool(part.value.min() >= 0.0 and part.value.max() <= 1.0)
    middle, width = float(part.value.mean()), max(float(np.std(part.value)), 1e-9)
    value = part.value if unit else _logistic((part.value - middle) / width)
    centre, by_prompt, by_flow = _take_out_levels(part, value)
    deviation = value - by_prompt[part.prompt] - centre
    spread = float(np.sqrt(_variance(float((deviation**2).sum()), len(deviation), NOISE)))
    return Scale(scorer, unit, middle, width, centre, by_prompt, by_flow, spread), deviation


def _only(scores: Scores, rows: NDArray[np.bool_]) -> Scores:
    parts = (scores.flow[rows], scores.prompt[rows], scores.scorer[rows], scores.value[rows], scores.weight[rows])
    return Scores(*parts, flows=scores.flows, prompts=scores.prompts)


def _logistic(value: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(value, -30.0, 30.0))))


def _take_out_levels(scores: Scores, value: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """The mean, and the deviation of each prompt's level and each flow's mean from it, in an additive fit of both.

    A prompt on which one flow alone was tried says as much of the flow as of the prompt, and a scorer with few scores
    is not believed about its own middle: so a lone thumb on a new prompt speaks for its flow.
    """
    total = float(scores.weight.sum())
    centre = (float(scores.weight @ value) + PRIOR_COUNT * 0.5) / (total + PRIOR_COUNT)
    tried = np.unique(scores.flow * scores.prompts + scores.prompt) % max(scores.prompts, 1)
    ridge = np.where(np.bincount(tried, minlength=scores.prompts) > 1, 0.1, 1.0)
    by_prompt: FloatArray = np.zeros(scores.prompts)
    by_flow: FloatArray = np.zeros(scores.flows)
    for _ in range(_ROUNDS):
        rest = value - centre - by_prompt[scores.prompt]
        by_flow = _shrunk_means(scores.flow, rest, scores.weight, np.full(scores.flows, _FLOW_RIDGE))
        rest = value - centre - by_flow[scores.flow]
        by_prompt = _shrunk_means(scores.prompt, rest, scores.weight, ridge)
    return centre, by_prompt, by_flow


def _shrunk_means(index: Ints, value: FloatArray, weight: FloatArray, ridge: FloatArray) -> FloatArray:
    """Weighted means by index, as if ``ridge`` more scores of zero were there."""
    size = len(ridge)
    total = np.asarray(np.bincount(index, weights=weight * value, minlength=size), dtype=np.float64)
    return np.asarray(total / (np.bincount(index, weights=weight, minlength=size) + ridge))


def _gather(
    scores: Scores, deviation: FloatArray, level: FloatArray, grand: float, scales: tuple[Scale, ...], typical: float
) -> Cells:
    """The cells of deviations, and the variances that they show."""
    keys, cell = np.unique(scores.flow * scores.prompts + scores.prompt, return_inverse=True)
    flow, prompt = keys // scores.prompts, keys % scores.prompts
    count = np.bincount(cell, weights=scores.weight).astype(np.float64)
    mean = np.bincount(cell, weights=scores.weight * deviation).astype(np.float64) / np.maximum(count, 1e-9)
    noise = _variance(float(((deviation - mean[cell]) ** 2).sum()), len(deviation) - len(keys), NOISE)
    tried = np.bincount(flow, minlength=scores.flows)
    measured = tried > 0
    flow_mean = np.bincount(flow, weights=mean, minlength=scores.flows) / np.maximum(tried, 1)
    about = (mean - flow_mean[flow]) ** 2 - noise / np.maximum(count, 1e-9)
    local = _variance(float(about.sum()), len(keys) - int(measured.sum()), LOCAL)
    own = flow_mean[measured] ** 2 - (local + noise) / np.maximum(tried[measured], 1)
    between = _variance(float(own.sum()), int(measured.sum()) - 1, BETWEEN)
    touched = np.bincount(prompt, minlength=scores.prompts) > 0
    levels = _variance(float(((level[touched] - grand) ** 2).sum()), int(touched.sum()) - 1, NOISE)
    common = Variances(grand, noise, local, between, levels)
    return Cells(flow, prompt, mean, count, scores.flows, scores.prompts, level, common, scales, typical)


def _variance(squares: float, freedom: int, prior: float) -> float:
    """A variance from a sum of squares, drawn toward a prior standard deviation, never below ``SMALLEST``."""
    freedom = max(freedom, 0)
    found = (max(squares, 0.0) + PRIOR_COUNT * prior**2) / (freedom + PRIOR_COUNT)
    return max(found, SMALLEST**2)


def _no_cells(flows: int, prompts: int) -> Cells:
    none, empty = np.zeros(0, dtype=np.int64), np.zeros(0)
    common = Variances(0.5, NOISE**2, LOCAL**2, BETWEEN**2, NOISE**2)
    return Cells(none, none, empty, empty, flows, prompts, np.full(prompts, 0.5), common, (), NOISE)
