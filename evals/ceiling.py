"""How much a perfect choice of flow could gain, without fooling oneself: picked on one half, valued on the other.

A cell is a kind of prompt. The best flow of a cell is picked on one half of its prompts and seeds and valued on the
rest, and the other way round; picking and valuing on the same scores would count luck as gain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from imagewright.errors import BadInput
from imagewright.evals.paired import interval
from imagewright.retrieval.evidence import PromptFacts
from imagewright.schemas import Evidence, ParsedPrompt


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


def prompt_kind(facts: PromptFacts) -> str:
    """The cell of a prompt: how many kinds of things, how many things, whether a relation is stated."""
    parsed = facts.parsed or ParsedPrompt()
    things = sum(group.count for group in parsed.groups)
    return f"{len(parsed.groups)} kinds, {things} things{', related' if parsed.relations else ''}"


def ceiling(rows: Sequence[Evidence], cell_of: Mapping[str, str], chosen: Mapping[str, str] | None = None) -> Ceiling:
    """The ceiling over ``rows``, scores of all flows on the same prompts and seeds.

    Args:
        rows: the scores.
        cell_of: the cell of each prompt.
        chosen: the flow that a selector picked for each prompt, where its share is asked for.

    Raises:
        BadInput: there are fewer than two seeds, or a flow was not measured on every prompt with every seed.
    """
    flows = {row.flow for row in rows}
    prompts = {text: number for number, text in enumerate(sorted({row.prompt for row in rows}))}
    seeds = {seed: number for number, seed in enumerate(sorted({row.seed for row in rows}))}
    if len(seeds) < 2 or len(rows) != len(flows) * len(prompts) * len(seeds):
        raise BadInput(
            "the ceiling needs scores of every flow on every prompt with the same two or more seeds",
            "measure them: python -m imagewright.evals.matrix",
        )
    halves = [[row for row in rows if (prompts[row.prompt] + seeds[row.seed]) % 2 == side] for side in (0, 1)]
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
