"""How well flows do by category: a table of expected scores with intervals, from the fit that retrieval keeps.

The numbers are those that a choice is made of (``estimate``): a flow's mean in a category is drawn toward its mean
overall, and that toward its kin's. No score is read for it; its size is bounded whatever the size of the index.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagewright.errors import BadInput
from imagewright.ports import Backend
from imagewright.retrieval.cells import FloatArray, Ints
from imagewright.retrieval.estimate import Z90
from imagewright.retrieval.fitted import Fitted
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.ready import FULL, ON_MINI
from imagewright.retrieval.shelf import Shelf

MOST_CATEGORIES = 24
"""How many categories a table has: those with most prompts."""


class ScoreCell(NamedTuple):
    """What a flow is expected to score on prompts of a category, in [0, 1]."""

    mean: float
    low: float
    high: float
    """The 90 % interval."""
    scores: int
    """How many measured scores of the flow are about it; 0: it is told from the flow's others and its kin's."""


class ScoreRow(NamedTuple):
    """One flow's cells, a category each in the table's order."""

    flow: str
    title: str
    runnable: bool
    overall: ScoreCell
    cells: tuple[ScoreCell, ...]


class ScoreTable(NamedTuple):
    """Flows by category, those that run here first, the best of them first."""

    backend: str
    categories: tuple[str, ...]
    rows: tuple[ScoreRow, ...]
    measured: int
    """How many flows have scores in all; flows that draw the same count once."""


def tabulate_scores(
    index: FlowIndex, backend: Backend, name: str, learn_critic: bool, most: int, flow: str = ""
) -> ScoreTable:
    """The scores on the backend called ``name`` of the ``most`` flows that run here and were scored most.

    With ``flow`` it is that flow alone, whether it was scored or not.

    Raises:
        BadInput: there is no such flow, or the database cannot be read.
    """
    with index.hold(name, learn_critic) as (db, shelf, fit):
        if flow and flow not in shelf.flows.at:
            raise BadInput(f"no flow is called {flow[:80]!r}", "see them with: imagewright flows list")
        codes = index.ready_for(backend).codes(shelf.flows)
        runs = np.isin(codes, (FULL, ON_MINI))
        flows = np.array([shelf.flows.at[flow]]) if flow else _most_scored(shelf, fit, runs, most)
        units = shelf.flows.unit.array[flows]
        labels = _largest_labels(shelf, fit)
        columns = [_column(shelf, fit, units, label) for label in labels]
        whole = _cells(fit.common.grand, fit.overall[units], fit.overall_var[units], fit.scores[units])
        rows = [
            ScoreRow(shelf.flows.ids[number], _title(db, shelf.flows.ids[number]), bool(runs[number]), whole[row],
                     tuple(column[row] for column in columns))
            for row, number in enumerate(flows.tolist())
        ]  # fmt: skip
        rows.sort(key=lambda row: (not row.runnable, -row.overall.mean, row.flow))
        return ScoreTable(name, tuple(labels), tuple(rows), int((fit.scores > 0).sum()))


def _most_scored(shelf: Shelf, fit: Fitted, runs: NDArray[np.bool_], most: int) -> Ints:
    """The flows that stand for the units with scores: those that run here first, then by the number of scores."""
    units = np.flatnonzero((fit.scores > 0) & (shelf.flows.lead.array[: len(fit.scores)] >= 0))
    lead = shelf.flows.lead.array[units]
    best = np.lexsort((-fit.overall[units], -fit.scores[units], ~runs[lead]))
    return np.asarray(lead[best[:most]])


def _largest_labels(shelf: Shelf, fit: Fitted) -> list[str]:
    """The categories with most prompts of evidence, then by name."""
    often: dict[str, int] = {}
    for labels, count in zip(shelf.prompts.label_sets, fit.prompts_of_set.tolist(), strict=False):
        for label in labels if count else ():
            often[label] = often.get(label, 0) + count
    return sorted(sorted(often), key=lambda label: -often[label])[:MOST_CATEGORIES]


def _column(shelf: Shelf, fit: Fitted, units: Ints, label: str) -> list[ScoreCell]:
    """The cells of ``units`` for one category."""
    mask = np.array([label in each for each in shelf.prompts.label_sets], dtype=np.bool_)
    known = fit.standing(units, mask.tolist())
    mean, var = known.inside.posterior(known.overall, fit.common.local / 2 + known.overall_var)
    inside = mask[np.array(shelf.prompts.labels, dtype=np.int64)] & (fit.flows_at > 0)
    level = float(fit.level[inside].mean()) if inside.any() else fit.common.grand
    return _cells(level, mean, var, fit.count_scores(units, inside))


def _cells(level: float, mean: FloatArray, var: FloatArray, scores: FloatArray) -> list[ScoreCell]:
    half = Z90 * np.sqrt(var)
    columns = [np.clip(level + each, 0.0, 1.0).round(4).tolist() for each in (mean, mean - half, mean + half)]
    return [ScoreCell(*each) for each in zip(*columns, scores.round().astype(int).tolist(), strict=True)]


def _title(db: sqlite3.Connection, flow: str) -> str:
    row = db.execute("SELECT title FROM flow_facts WHERE id = ?", (flow,)).fetchone()
    return str(row["title"]) if row else flow
