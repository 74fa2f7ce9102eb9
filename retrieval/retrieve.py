"""Which flows are ranked for a prompt: a bounded number of them, found without looking at the others.

Of each class (runs here, runs here on mini, files would cure it, nothing would) these are candidates: the flows with
scores at the nearest prompts that promise most, the best in the prompt's categories, the best overall, those whose
cards are nearest, and the one that is named. A small index (``EVERYTHING``) is ranked whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from imagewright.retrieval.cells import FloatArray, Ints
from imagewright.retrieval.fitted import Fitted
from imagewright.retrieval.flow_table import FlowTable
from imagewright.retrieval.ready import CLASSES, CURABLE, FULL, NEVER, ON_MINI, OUT, Codes

EVERYTHING = 256
"""Up to how many flows all are candidates."""
_AT_NEAR, _IN_LABEL, _OVERALL, _CARDS = (
    {FULL: 40, ON_MINI: 40, CURABLE: 6, NEVER: 3},
    {FULL: 6, ON_MINI: 6, CURABLE: 2, NEVER: 1},
    {FULL: 16, ON_MINI: 16, CURABLE: 6, NEVER: 3},
    {FULL: 24, ON_MINI: 24, CURABLE: 6, NEVER: 3},
)
_LABEL_SETS = 8
"""How many of the label sets that share the prompt's categories are asked for their best, the largest first."""
_LATE = 32
"""How many flows that got scores after the fit are looked at, the last ones."""
_AT_ONCE = 4096


@dataclass(frozen=True)
class Tops:
    """The units of each class in an order, as far as they are needed; made once for every state."""

    codes: Codes
    lead: Ints
    """The flow that stands for each unit; -1 for none."""
    of_unit: Codes
    """The class of that flow."""
    overall: Ints
    by_label: dict[int, Ints]


def make_tops(flows: FlowTable, fit: Fitted, codes: Codes) -> Tops:
    """The best overall of each class; those of label sets follow as they are asked for."""
    lead = flows.lead.array.copy()
    late = np.arange(len(fit.order), len(flows.members), dtype=np.int64)
    order = np.concatenate([fit.order, late])
    of_unit = np.where(lead >= 0, codes[lead], OUT).astype(np.int8) if len(codes) else np.zeros(0, dtype=np.int8)
    return Tops(codes, lead, of_unit, _first_of_each(of_unit, order, _OVERALL), {})


def find_candidates(
    flows: FlowTable, fit: Fitted, tops: Tops, near: Ints, kernel: FloatArray, shared: Sequence[bool],
    cards: Ints, named: str | None, everything: bool = False,
) -> Ints:  # fmt: skip
    """The flows to rank, by number, each once, in the order of numbers.

    ``near`` and ``kernel`` are the nearest prompts and how they bear on the prompt, ``shared`` the label sets that
    share its categories, ``cards`` the flows whose cards are nearest, nearest first.
    """
    if everything or len(flows) <= EVERYTHING:
        return np.flatnonzero(tops.codes != OUT)
    units = [
        _best_of_each(tops, *fit.promising_near(near, kernel)),
        tops.overall,
        np.array(list(fit.extra)[-_LATE:], dtype=np.int64),
    ]
    units += [_best_of_label(tops, fit, label) for label in _largest(fit, shared)]
    lead = tops.lead[np.concatenate(units)]
    chosen = [lead[lead >= 0], _first_flows(cards, tops.codes, _CARDS)]
    if named is not None and named in flows.at:
        chosen.append(np.array([flows.at[named]], dtype=np.int64))
    found = np.unique(np.concatenate(chosen))
    return np.asarray(found[tops.codes[found] != OUT])


def _largest(fit: Fitted, shared: Sequence[bool]) -> Iterable[int]:
    labels = np.flatnonzero(np.array(shared, dtype=np.bool_))
    largest = labels[np.argsort(-fit.prompts_of_set[labels], kind="stable")][:_LABEL_SETS]
    return [int(label) for label in largest]


def _best_of_label(tops: Tops, fit: Fitted, label: int) -> Ints:
    if label not in tops.by_label:
        order = fit.label_order[fit.label_start[label] : fit.label_start[label + 1]]
        tops.by_label[label] = _first_of_each(tops.of_unit, order, _IN_LABEL)
    return tops.by_label[label]


def _first_of_each(of_unit: Codes, units: Ints, wanted: dict[int, int]) -> Ints:
    """The first units of each class in an order; looked at in parts, so that the rest is not touched."""
    missing, found = dict(wanted), []
    for start in range(0, len(units), _AT_ONCE):
        part = units[start : start + _AT_ONCE]
        codes = of_unit[part]
        for each in CLASSES:
            first = part[codes == each][: missing[each]]
            missing[each] -= len(first)
            found.append(first)
        if not any(missing.values()):
            break
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def _best_of_each(tops: Tops, units: Ints, value: FloatArray) -> Ints:
    """The units of each class with the greatest values, as many as are wanted at near prompts."""
    codes, found = tops.of_unit[units], []
    for each, wanted in _AT_NEAR.items():
        mine = np.flatnonzero(codes == each)
        best = np.argpartition(-value[mine], wanted)[:wanted] if len(mine) > wanted else slice(None)
        found.append(units[mine[best]])
    return np.concatenate(found)


def _first_flows(flows: Ints, codes: Codes, wanted: dict[int, int]) -> Ints:
    return np.concatenate([flows[codes[flows] == each][: wanted[each]] for each in CLASSES])
