"""The scores of one backend, fitted and laid out for retrieval: a prompt or a flow finds its cells without a search.

Units (flows that draw the same share one) stand where ``cells`` says flows. What came after the fit is kept beside it
(``apply``): the scorers' scales and the prompts' levels stay as they were fitted until the next fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagewright.retrieval.cells import (
    NOISE,
    PRIOR_COUNT,
    Cells,
    FloatArray,
    Ints,
    Scale,
    Scores,
    fit_scale,
)
from imagewright.retrieval.estimate import NearCells, Standing, Sums, take_prior, to_kernel
from imagewright.retrieval.flow_table import FlowTable, Kinship
from imagewright.retrieval.likeness import join_slices
from imagewright.retrieval.prompt_table import PromptTable

PER_PROMPT = 256
"""How many of the cells of one prompt, best first, are looked at for candidates."""
_CHUNK = 20_000
_AT_ONCE = 50_000
"""Up to how many cells at the nearest prompts are looked through one by one."""


@dataclass(frozen=True)
class Fresh:
    """A score that came after the fit."""

    unit: int
    prompt: int
    scorer: str
    value: float
    weight: float


class Fitted:
    """Cells by unit and by prompt, the units' means, and their sums by label set."""

    def __init__(self, cells: Cells, scorers: list[str], flows: FlowTable, prompts: PromptTable) -> None:
        self.common, self.typical = cells.common, cells.typical
        self.scorers, self.scales = list(scorers), {scorers[scale.scorer]: scale for scale in cells.scales}
        self._flows, self._prompts = flows, prompts
        self.extra: dict[int, dict[int, tuple[float, float]]] = {}
        """Cells that changed after the fit, by unit and prompt."""
        self._extra_labels: dict[int, dict[int, list[float]]] = {}
        self._lay_out_prompts(cells)
        self._take_means(cells)
        self._lay_out_labels(cells)
        self._best_first()

    # --- laying out -------------------------------------------------------------------------

    def _lay_out_prompts(self, cells: Cells) -> None:
        order = _sort(cells.prompt, cells.prompts)  # by flow they are sorted
        self._unit, self._mean, self._count = cells.flow[order], cells.mean[order], cells.count[order]
        self._prompt = cells.prompt[order]
        self.flows_at = np.bincount(cells.prompt, minlength=cells.prompts).astype(np.float64)
        self._start = np.concatenate([[0], np.cumsum(self.flows_at)]).astype(np.int64)
        self.level = cells.level.copy()

    def _take_means(self, cells: Cells) -> None:
        size = len(self._flows.members)
        precision = 1.0 / (self.common.local + self.common.noise / cells.count)
        self.cells = np.bincount(cells.flow, minlength=size).astype(np.int64)
        self.scores = np.bincount(cells.flow, weights=cells.count, minlength=size).astype(np.float64)
        self._precision = np.bincount(cells.flow, weights=precision, minlength=size).astype(np.float64)
        self._weighted = np.bincount(cells.flow, weights=precision * cells.mean, minlength=size).astype(np.float64)
        own, _ = self._sums().posterior(np.zeros(1), np.full(1, self.common.between))
        lead = self._flows.first.array
        there = lead >= 0
        group, vectors = self._flows.group.array[lead], self._flows.vectors
        self.kinship = Kinship(list(self._flows.groups), group, _Picked(vectors, lead), own, (self.cells > 0) & there)
        self.prior, self.prior_var = np.zeros(size), np.full(size, self.common.between)
        for first in range(0, size, _CHUNK):
            self._ask_kin(np.arange(first, min(first + _CHUNK, size)), lead, own)
        self.overall, self.overall_var = self._sums().posterior(self.prior, self.prior_var)

    def _ask_kin(self, units: Ints, lead: Ints, own: FloatArray) -> None:
        units = units[lead[units] >= 0]
        flows = lead[units]
        measured = self.cells[units] > 0
        found = self.kinship.of(self._flows.group.array[flows], self._flows.vectors[flows], own[units], measured)
        self.prior[units], self.prior_var[units] = take_prior(self.common.between, *found, measured)

    def _sums(self) -> Sums:
        return Sums(self._precision, self._weighted)

    def _lay_out_labels(self, cells: Cells) -> None:
        """The sums of each unit over the prompts of each label set, with half of the local variance."""
        sets = len(self._prompts.label_sets)
        labels = np.array(self._prompts.labels, dtype=np.int64)
        self.prompts_of_set = np.bincount(labels[self.flows_at > 0], minlength=sets)
        precision = 1.0 / (self.common.local / 2 + self.common.noise / cells.count)
        keys, at = np.unique(cells.flow * max(sets, 1) + labels[cells.prompt], return_inverse=True)
        self._label_unit, self._label = keys // max(sets, 1), keys % max(sets, 1)
        self._label_precision = np.bincount(at, weights=precision, minlength=len(keys)).astype(np.float64)
        self._label_weighted = np.bincount(at, weights=precision * cells.mean, minlength=len(keys)).astype(np.float64)
        self._label_start = np.searchsorted(self._label_unit, np.arange(len(self._flows.members) + 1)).astype(np.int64)

    def _best_first(self) -> None:
        """Orders to find candidates by: units overall, units of each label set, cells of each prompt."""
        self.order = np.argsort(-self.overall, kind="stable")
        prior = self.overall[self._label_unit]
        sums = Sums(self._label_precision, self._label_weighted)
        value, _ = sums.posterior(prior, self.common.local / 2 + self.overall_var[self._label_unit])
        by_label = np.lexsort((-value, self._label))
        self.label_order = self._label_unit[by_label]
        self.label_start = np.searchsorted(self._label[by_label], np.arange(len(self.prompts_of_set) + 1))
        ratio = self.common.noise / self.common.local
        about = self.overall[self._unit]
        value = about + (self._mean - about) * self._count / (self._count + ratio)
        best = np.argsort(-value, kind="stable")
        best = best[_sort(self._prompt[best], len(self.flows_at))]
        place = np.arange(len(best)) - self._start[self._prompt[best]]
        best = best[place < PER_PROMPT]
        self._best = np.stack([self._unit[best].astype(np.float64), self._mean[best], self._count[best]], axis=1)
        """Of each cell that is looked at for candidates the unit, the mean and the count, side by side."""
        self._best_start = np.concatenate([[0], np.cumsum(np.minimum(self.flows_at, PER_PROMPT))]).astype(np.int64)

    # --- coming forward ---------------------------------------------------------------------

    def extend(self) -> None:
        """Make room for flows and prompts that came after the fit; a new flow starts from its kin."""
        before, size = len(self.overall), len(self._flows.members)
        if size > before:
            more = np.zeros(size - before)
            self.cells = np.concatenate([self.cells, more.astype(np.int64)])
            for name in ("scores", "_precision", "_weighted", "prior", "overall", "overall_var"):
                setattr(self, name, np.concatenate([getattr(self, name), more]))
            self.prior_var = np.concatenate([self.prior_var, more + self.common.between])
            self._label_start = np.concatenate([self._label_start, np.full(size - before, self._label_start[-1])])
            self._ask_kin(np.arange(before, size), self._flows.first.array, np.zeros(size))
            self.overall[before:], self.overall_var[before:] = self.prior[before:], self.prior_var[before:]
        new = len(self._prompts) - len(self.level)
        if new > 0:
            self.level = np.concatenate([self.level, np.full(new, self.common.grand)])
            self.flows_at = np.concatenate([self.flows_at, np.zeros(new)])
            self._start = np.concatenate([self._start, np.full(new, self._start[-1])])
            self._best_start = np.concatenate([self._best_start, np.full(new, self._best_start[-1])])
        sets = len(self._prompts.label_sets) - len(self.prompts_of_set)
        if sets > 0:
            self.prompts_of_set = np.concatenate([self.prompts_of_set, np.zeros(sets, dtype=np.int64)])
            self.label_start = np.concatenate([self.label_start, np.full(sets, self.label_start[-1])])

    def apply(self, row: Fresh) -> None:
        """Count one score more: its cell, its flow's mean and its flow's sums change, and nothing else."""
        scale = self.scales.get(row.scorer) or self._new_scale(row)
        unit_value = float(scale.to_unit(np.array([row.value]))[0])
        above = scale.by_prompt[row.prompt] if row.prompt < len(scale.by_prompt) else 0.0
        if self.flows_at[row.prompt] == 0:
            better = scale.by_flow[row.unit] if row.unit < len(scale.by_flow) else 0.0
            above = row.weight * (unit_value - scale.centre - better) / (row.weight + 1.0)
            self.level[row.prompt] = self.common.grand + above
            self.prompts_of_set[self._prompts.labels[row.prompt]] += 1
        deviation = (unit_value - above - scale.centre) / scale.spread * self.typical
        mean, count = self.cell(row.unit, row.prompt)
        together = count + row.weight
        now = ((mean * count + deviation * row.weight) / together, together)
        self.extra.setdefault(row.unit, {})[row.prompt] = now
        self._recount(row.unit, row.prompt, (mean, count), now)

    def _new_scale(self, row: Fresh) -> Scale:
        one = np.zeros(1, dtype=np.int64)
        part = Scores(one, one, one, np.array([row.value]), np.array([row.weight]), 1, 1)
        found, _ = fit_scale(part, len(self.scorers))
        none = np.zeros(0)
        scale = Scale(found.scorer, found.unit, found.middle, max(found.width, 1.0), found.centre, none, none, NOISE)
        self.scorers.append(row.scorer)
        self.scales[row.scorer] = scale
        return scale

    def _recount(self, unit: int, prompt: int, was: tuple[float, float], now: tuple[float, float]) -> None:
        common = self.common
        before, after = (_looks(cell, common.local, common.noise) for cell in (was, now))
        self._precision[unit] += after[0] - before[0]
        self._weighted[unit] += after[1] - before[1]
        total = 1.0 / self.prior_var[unit] + self._precision[unit]
        self.overall[unit] = (self.prior[unit] / self.prior_var[unit] + self._weighted[unit]) / total
        self.overall_var[unit] = 1.0 / total
        self.scores[unit] += now[1] - was[1]
        self.cells[unit] += was[1] == 0
        self.flows_at[prompt] += was[1] == 0
        before, after = (_looks(cell, common.local / 2, common.noise) for cell in (was, now))
        sums = self._extra_labels.setdefault(unit, {}).setdefault(self._prompts.labels[prompt], [0.0, 0.0])
        sums[0] += after[0] - before[0]
        sums[1] += after[1] - before[1]

    # --- asking -----------------------------------------------------------------------------

    def cell(self, unit: int, prompt: int) -> tuple[float, float]:
        """The deviation of a unit at a prompt, and how many scores stand behind it; zeros where there are none."""
        changed = self.extra.get(unit, {}).get(prompt)
        return self._fitted_cell(unit, prompt) if changed is None else changed

    def _fitted_cell(self, unit: int, prompt: int) -> tuple[float, float]:
        """The same as it was fitted."""
        start, end = self._start[prompt], self._start[prompt + 1]
        at = start + int(np.searchsorted(self._unit[start:end], unit))
        return (float(self._mean[at]), float(self._count[at])) if at < end and self._unit[at] == unit else (0.0, 0.0)

    def count_scores(self, units: Ints, inside: NDArray[np.bool_]) -> FloatArray:
        """How many scores each of ``units`` has at the prompts that are ``inside`` (P)."""
        wanted, row_of = np.unique(units, return_inverse=True)
        hit = np.isin(self._unit, wanted) & inside[self._prompt]
        rows = np.searchsorted(wanted, self._unit[hit])
        found = np.bincount(rows, weights=self._count[hit], minlength=len(wanted)).astype(np.float64)
        for row, unit in enumerate(wanted.tolist() if self.extra else ()):
            for prompt, (_, count) in self.extra.get(unit, {}).items():
                if inside[prompt]:
                    found[row] += count - self._fitted_cell(unit, prompt)[1]
        return np.asarray(found[row_of])

    def near_cells(
        self, units: Ints, near: Ints, kernel: FloatArray, among: FloatArray, shared: list[bool]
    ) -> NearCells:
        """The cells of ``units`` at the prompts ``near``; ``shared`` by label set."""
        wanted, row_of = np.unique(units, return_inverse=True)
        grids = np.zeros((2, len(wanted), len(near)))
        place, rows, at = self._find_cells(wanted, near)
        grids[:, rows, at] = self._mean[place], self._count[place]
        mean, count = grids[:, row_of]
        columns = {int(prompt): column for column, prompt in enumerate(near)}
        for row, unit in enumerate(units.tolist() if self.extra else ()):
            for prompt, cell in self.extra.get(unit, {}).items():
                if prompt in columns:
                    mean[row, columns[prompt]], count[row, columns[prompt]] = cell
        labels = np.array([shared[self._prompts.labels[prompt]] for prompt in near], dtype=np.bool_)
        return NearCells(kernel, among, count, mean, self.level[near], self.flows_at[near], labels)

    def _find_cells(self, wanted: Ints, near: Ints) -> tuple[Ints, Ints, Ints]:
        """The places of the cells of the units ``wanted`` (sorted) at the prompts ``near``, and row and column of each.

        Where few flows were tried on the prompts their cells are looked up among the units, else the other way round.
        """
        start, end = self._start[near], self._start[near + 1]
        if int((end - start).sum()) <= _AT_ONCE:
            place, column = join_slices(start, end)
            row = np.minimum(np.searchsorted(wanted, self._unit[place]), max(len(wanted) - 1, 0))
            hit = wanted[row] == self._unit[place] if len(wanted) else np.zeros(len(place), dtype=np.bool_)
            return place[hit], row[hit], column[hit]
        parts = [
            first + np.searchsorted(self._unit[first:last], wanted) for first, last in zip(start, end, strict=True)
        ]
        place = np.concatenate(parts)
        row, column = (each.ravel() for each in np.indices((len(near), len(wanted)))[::-1])
        inside = place < end[column]
        hit = np.zeros(len(place), dtype=np.bool_)
        hit[inside] = self._unit[place[inside]] == wanted[row[inside]]
        return place[hit], row[hit], column[hit]

    def standing(self, units: Ints, shared: list[bool]) -> Standing:
        """What is known of ``units`` beside their cells at the nearest prompts."""
        mask = np.array(shared, dtype=np.bool_)
        counts = self.prompts_of_set
        split = bool(counts[mask].sum() > 0 and counts[~mask].sum() > 0)
        inside, outside = (self._label_sums(units, columns) for columns in (mask, ~mask))
        return Standing(
            self.overall[units], self.overall_var[units], inside, outside, split, self.cells[units], self.scores[units]
        )

    def _label_sums(self, units: Ints, columns: NDArray[np.bool_]) -> Sums:
        place, row = join_slices(self._label_start[units], self._label_start[units + 1])
        hit = columns[self._label[place]]
        row, place = row[hit], place[hit]
        precision = np.bincount(row, weights=self._label_precision[place], minlength=len(units)).astype(np.float64)
        weighted = np.bincount(row, weights=self._label_weighted[place], minlength=len(units)).astype(np.float64)
        for number, unit in enumerate(units.tolist() if self._extra_labels else ()):
            for label, (more, weighs) in self._extra_labels.get(unit, {}).items():
                if columns[label]:
                    precision[number] += more
                    weighted[number] += weighs
        return Sums(precision, weighted)

    def promising_near(self, near: Ints, kernel: FloatArray) -> tuple[Ints, FloatArray]:
        """The units with cells at ``near``, by number, and roughly how well each would do there."""
        start, end = self._best_start[near], self._best_start[near + 1]
        best = np.concatenate(
            [self._best[first:last] for first, last in zip(start.tolist(), end.tolist(), strict=True)]
        )  # fmt: skip
        unit, mean, count = best[:, 0].astype(np.int64), best[:, 1], best[:, 2]
        square = np.repeat(np.minimum(kernel, 0.999) ** 2, end - start)
        weight = square / (1.0 + self.common.noise / self.common.local / count - square)
        gain = weight * (mean - self.overall[unit])
        weights, gains = (np.bincount(unit, weights=each) for each in (weight, gain))
        units = np.flatnonzero(weights > 0)  # of truths, for of numbers it takes ten times as long
        return units, self.overall[units] + gains[units] / (weights[units] + 1.0)


def _sort(numbers: Ints, size: int) -> Ints:
    """The order of numbers below ``size``, equal ones as they come: small ones are sorted without comparing them."""
    short = numbers.astype(np.uint16) if size <= np.iinfo(np.uint16).max else numbers
    return np.argsort(short, kind="stable")


class _Picked:
    """Rows of a matrix by another numbering, taken as they are asked for: a hundred thousand cards are not copied."""

    def __init__(self, vectors: NDArray[np.float32], rows: Ints) -> None:
        self._vectors, self._rows = vectors, rows

    def __getitem__(self, chosen: Ints) -> NDArray[np.float32]:
        return np.asarray(self._vectors[self._rows[chosen]])


def _looks(cell: tuple[float, float], local: float, noise: float) -> tuple[float, float]:
    """The precision of a cell and what it weighs."""
    if not cell[1]:
        return 0.0, 0.0
    precision = 1.0 / (local + noise / cell[1])
    return precision, precision * cell[0]


__all__ = ["PER_PROMPT", "PRIOR_COUNT", "Fitted", "Fresh", "to_kernel"]
