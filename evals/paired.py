"""Comparing arms on the same prompts and seeds: shares with intervals, and paired differences, bootstrapped by prompt.

The prompt is what is drawn anew in the bootstrap (Efron 1979), with all its seeds: two pictures of one prompt are no
independent witnesses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagewright.errors import BadInput

_Floats = NDArray[np.float64]
ROUNDS = 4000
_SEED = 11


@dataclass(frozen=True)
class ArmOutcome:
    """What one arm made of one prompt with one seed."""

    arm: str
    prompt: str
    seed: int
    score: float
    """The judge's, in [0, 1]."""
    images: int
    seconds: float
    category: str


@dataclass(frozen=True)
class ArmRow:
    """One arm of the table; ``low`` and ``high`` bound the mean score with 95 %."""

    arm: str
    overall: float
    low: float
    high: float
    images_per_prompt: float
    seconds_per_prompt: float
    by_category: Mapping[str, float]


@dataclass(frozen=True)
class PairRow:
    """How much better ``a`` is than ``b`` on the prompts and seeds of both, with a 95 % interval."""

    a: str
    b: str
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class RemovedRow:
    """What share of the failures of ``b`` is gone in ``a`` (below 0 where it has more), with a 95 % interval."""

    a: str
    b: str
    share: float
    low: float
    high: float


def arm_rows(outcomes: Iterable[ArmOutcome]) -> list[ArmRow]:
    """A row for each arm, in the order of their first outcomes."""
    arms: dict[str, list[ArmOutcome]] = {}
    for outcome in outcomes:
        arms.setdefault(outcome.arm, []).append(outcome)
    return [_arm(name, mine) for name, mine in arms.items()]


def _arm(name: str, mine: Sequence[ArmOutcome]) -> ArmRow:
    low, high = interval(_by_prompt({(o.prompt, o.seed): o.score for o in mine}))
    kinds: dict[str, list[float]] = {}
    for outcome in mine:
        kinds.setdefault(outcome.category, []).append(outcome.score)
    return ArmRow(
        name,
        float(np.mean([o.score for o in mine])),
        low,
        high,
        float(np.mean([o.images for o in mine])),
        float(np.mean([o.seconds for o in mine])),
        {k: float(np.mean(v)) for k, v in sorted(kinds.items())},
    )


def pair_row(outcomes: Sequence[ArmOutcome], a: str, b: str) -> PairRow:
    """The paired difference of two arms.

    Raises:
        BadInput: they share no prompt and seed.
    """
    shared = {cell: mine - theirs for cell, (mine, theirs) in _shared(outcomes, a, b).items()}
    low, high = interval(_by_prompt(shared))
    return PairRow(a, b, float(np.mean(list(shared.values()))), low, high)


def row_of_removed(outcomes: Sequence[ArmOutcome], a: str, b: str) -> RemovedRow | None:
    """The share of the failures of ``b`` that ``a`` removes; None where ``b`` fails too seldom for an interval.

    Raises:
        BadInput: they share no prompt and seed.
    """
    shared = _shared(outcomes, a, b)
    gained = _totals(_by_prompt({cell: mine - theirs for cell, (mine, theirs) in shared.items()}))
    missed = _totals(_by_prompt({cell: 1 - theirs for cell, (_, theirs) in shared.items()}))
    drawn = _draws(len(missed))
    failures = missed[drawn].sum(axis=1)
    if not failures.all():
        return None
    low, high = np.quantile(gained[drawn].sum(axis=1) / failures, (0.025, 0.975))
    return RemovedRow(a, b, float(gained.sum() / missed.sum()), float(low), float(high))


def _shared(outcomes: Sequence[ArmOutcome], a: str, b: str) -> dict[tuple[str, int], tuple[float, float]]:
    """The scores of ``a`` and ``b`` on every prompt and seed that both have."""
    mine, theirs = ({(o.prompt, o.seed): o.score for o in outcomes if o.arm == arm} for arm in (a, b))
    shared = {cell: (score, theirs[cell]) for cell, score in mine.items() if cell in theirs}
    if not shared:
        raise BadInput(f"the arms {a!r} and {b!r} share no prompt", "run both arms on the same prompts and seeds")
    return shared


def _by_prompt(cells: Mapping[tuple[str, int], float]) -> list[list[float]]:
    """The values of each prompt."""
    found: dict[str, list[float]] = {}
    for (prompt, _), value in sorted(cells.items()):
        found.setdefault(prompt, []).append(value)
    return list(found.values())


def interval(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of all values, whole groups drawn with replacement."""
    totals, drawn = _totals(groups), _draws(len(groups))
    counts = np.array([len(group) for group in groups], dtype=np.float64)
    means: _Floats = totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _totals(groups: Sequence[Sequence[float]]) -> _Floats:
    return np.array([sum(group) for group in groups], dtype=np.float64)


def _draws(count: int) -> NDArray[np.int64]:
    """Which of ``count`` groups each round of the bootstrap draws, ``(rounds, count)``."""
    return np.random.default_rng(_SEED).integers(0, count, (ROUNDS, count))


@dataclass(frozen=True)
class Comparison:
    """Every arm, and the pairs of arms that were asked for."""

    arms: tuple[ArmRow, ...]
    pairs: tuple[PairRow, ...]
    removed: tuple[RemovedRow, ...] = ()


def report(
    outcomes: Sequence[ArmOutcome], pairs: Sequence[tuple[str, str]], removed: Sequence[tuple[str, str]] = ()
) -> Comparison:
    """The rows of all arms and pairs, and what share of failures is ``removed``; without those that lack an arm."""
    there = {outcome.arm for outcome in outcomes}
    rows = (pair_row(outcomes, a, b) for a, b in pairs if {a, b} <= there)
    gone = (row_of_removed(outcomes, a, b) for a, b in removed if {a, b} <= there)
    return Comparison(tuple(arm_rows(outcomes)), tuple(rows), tuple(row for row in gone if row is not None))
