"""How much a perfect choice of flow could gain, without fooling oneself: picked on one half, valued on the other.

A cell is a kind of prompt. The best flow of a cell is picked on one half of its prompts and seeds and valued on the
rest, and the other way round; picking and valuing on the same scores would count luck as gain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from imagewright.evals.paired import interval
from imagewright.schemas import Evidence


@dataclass(frozen=True)
class Ceiling:
    """The best fixed flow, the best flow of each cell, the gap between them, and what a selector got of it."""

    best_fixed: float
    best_per_cell: float
    gap: float
    low: float
    high: float
    recovered: float | None
    """The selector's share of the gap; None where the gap's 95 % interval holds 0, for then there is none to share."""


def ceiling(
    rows: Sequence[Evidence], cell_of: Mapping[str, str], chosen: Mapping[str, str] | None = None
) -> Ceiling:  # fmt: skip
    """The ceiling over ``rows``, scores of all flows on the same prompts and seeds.

    Args:
        rows: the scores.
        cell_of: the cell of each prompt.
        chosen: the flow that a selector picked for each prompt, where its share is asked for.
    """
    prompts, seeds = sorted({row.prompt for row in rows}), sorted({row.seed for row in rows})
    halves = [
        [row for row in rows if (prompts.index(row.prompt) + seeds.index(row.seed)) % 2 == side] for side in (0, 1)
    ]
    fixed: dict[str, list[float]] = {}
    best: dict[str, list[float]] = {}
    picked: dict[str, list[float]] = {}
    for picking, valuing in (halves, halves[::-1]):
        overall, by_cell = _winners(picking, dict.fromkeys(cell_of, "")), _winners(picking, cell_of)
        for row in valuing:
            if row.flow == overall[""]:
                fixed.setdefault(row.prompt, []).append(row.value)
            if row.flow == by_cell.get(cell_of[row.prompt], overall[""]):
                best.setdefault(row.prompt, []).append(row.value)
            if chosen is not None and row.flow == chosen[row.prompt]:
                picked.setdefault(row.prompt, []).append(row.value)
    gaps = [[float(np.mean(best[p])) - float(np.mean(fixed[p]))] for p in prompts]
    low, high = interval(gaps)
    gap = float(np.mean(gaps))
    recovered = None
    if chosen is not None and low > 0:
        recovered = float(np.mean([np.mean(picked[p]) - np.mean(fixed[p]) for p in prompts])) / gap
    means = [float(np.mean([np.mean(values) for values in table.values()])) for table in (fixed, best)]
    return Ceiling(means[0], means[1], gap, low, high, recovered)


def _winners(rows: Sequence[Evidence], cell_of: Mapping[str, str]) -> dict[str, str]:
    """The flow with the best mean in each cell; ties go to the first name."""
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        values.setdefault(cell_of[row.prompt], {}).setdefault(row.flow, []).append(row.value)
    return {cell: max(sorted(flows), key=lambda f: np.mean(flows[f])) for cell, flows in values.items()}
