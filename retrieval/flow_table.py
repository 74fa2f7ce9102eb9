"""What is known of every flow, as arrays in memory: filled once from the database, then brought forward row by row."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imagewright.needs import Need
from imagewright.retrieval.cells import FloatArray, Ints
from imagewright.retrieval.embed import Vector, read_vectors
from imagewright.retrieval.flow_facts import read_needs

_FACTS = """
    SELECT id, need, draws, base, kin, benchmark, shape, graph_hash, enabled, changed FROM flow_facts
    WHERE changed > ? ORDER BY again, origin, id
"""
_AT_ONCE = 4096
"""How many rows are taken up together."""
_Group = tuple[str, frozenset[str], frozenset[str]]
"""Base model, LoRAs, samplers."""


class FlowTable:
    """The flows by number, in the order in which they became known; a number stays a flow's own.

    Flows of one ``shape`` draw the same pictures: they share a *unit*, which is what scores are counted for.
    """

    def __init__(self, dimension: int) -> None:
        self.ids: list[str] = []
        self.at: dict[str, int] = {}
        self.graphs: list[str] = []
        self.unit_of_shape: dict[str, int] = {}
        self.members: list[list[int]] = []
        """The flows of each unit."""
        self.first, self.lead = Column(np.int64), Column(np.int64)
        """Of each unit the first flow, and the first that is offered, which stands for it; -1 for none."""
        self.groups: dict[_Group, int] = {}
        self._group_at: dict[tuple[str, str], int] = {}
        """Groups as they are written in the database."""
        self.unit, self.group, self.need, self.changed = (Column(np.int64) for _ in range(4))
        self.live, self.pictured = Column(np.bool_), Column(np.bool_)
        """Whether a flow is offered; and whether it is where a picture is brought."""
        self.benchmark = Column(np.float64)
        self._vectors = np.zeros((16, dimension), dtype=np.float32)
        self.needs: dict[int, Need] = {}
        """The distinct needs by their number in the database."""
        self.misfits: set[str] = set()
        """The flows whose stored vector does not fit; their cards are near to nothing."""
        self.version = 0
        """Raised by every change."""
        self.generation = -1
        """That of the last change."""
        self._newer: tuple[int, int, Ints] = (0, -2, np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def vectors(self) -> Vector:
        """F × d: the cards."""
        return self._vectors[: len(self.ids)]

    def find_newer(self, generation: int) -> Ints:
        """The flows that changed after ``generation``."""
        if self._newer[:2] != (self.version, generation):
            self._newer = self.version, generation, np.flatnonzero(self.changed.array > generation)
        return self._newer[2]

    def read(self, db: sqlite3.Connection, since: int) -> None:
        """Bring in what changed after generation ``since``; -1 for everything."""
        self.needs |= read_needs(db, max(self.needs, default=0))
        if since < 0:
            self._make_room(int(db.execute("SELECT count(*) FROM flow_facts").fetchone()[0]) * 9 // 8)
        for take_up, query in (
            (self._put, _FACTS),
            (self._put_vectors, "SELECT id, vector FROM flows WHERE changed > ?"),
        ):
            found = db.execute(query, (since,))
            found.row_factory = None
            while rows := found.fetchmany(_AT_ONCE):
                take_up(rows)
        self.version += 1
        if since >= 0:
            self._drop(str(row["id"]) for row in db.execute("SELECT id FROM gone WHERE changed > ?", (since,)))

    def _put(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take up some rows, known or new."""
        ids, need, draws, base, kin, benchmark, shapes, graphs, enabled, changed = zip(*rows, strict=True)
        new = self.at.keys().isdisjoint(ids)
        places = np.array(self._append(ids, graphs) if new else list(map(self._place, ids, graphs)), dtype=np.int64)
        touched: set[int] = set()
        join = self._found if new else self._join
        units = [join(shape, place, touched) for shape, place in zip(shapes, places.tolist(), strict=True)]
        groups = [self._group(key) for key in zip(base, kin, strict=True)]
        offered = np.array(draws) * np.array(enabled)
        for column, values in (
            (self.unit, units), (self.group, groups), (self.need, need), (self.live, offered == 1),
            (self.pictured, offered == 2), (self.benchmark, benchmark), (self.changed, changed),
        ):  # fmt: skip
            column.put(places, values)
        self._appoint(touched)
        self._make_room(len(self.ids))
        self.generation = max(self.generation, *changed)

    def _make_room(self, rows: int) -> None:
        missing = rows - len(self._vectors)
        if missing > 0:
            more = np.zeros((max(missing, len(self._vectors)), self._vectors.shape[1]), dtype=np.float32)
            self._vectors = np.concatenate([self._vectors, more])

    def _put_vectors(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """The cards of some flows; those that nothing else is known of are left out."""
        known = [(name, blob) for name, blob in rows if name in self.at]
        ids, blobs = [name for name, _ in known], [blob for _, blob in known]
        found, good = read_vectors(blobs, self._vectors.shape[1])
        self._vectors[[self.at[name] for name in ids]] = found
        self.misfits.difference_update(ids)
        self.misfits.update(name for name, fits in zip(ids, good.tolist(), strict=True) if not fits)

    def _append(self, names: Sequence[str], graphs: Sequence[str]) -> range:
        """The numbers of flows that were not known."""
        places = range(len(self.ids), len(self.ids) + len(names))
        self.at.update(zip(names, places, strict=True))
        self.ids.extend(names)
        self.graphs.extend(graphs)
        return places

    def _place(self, name: str, graph: str) -> int:
        """The number of a flow."""
        number = self.at.setdefault(name, len(self.ids))
        if number == len(self.ids):
            self.ids.append(name)
            self.graphs.append(graph)
        self.graphs[number] = graph
        return number

    def _found(self, shape: str, number: int, touched: set[int]) -> int:
        """``_join`` for a flow that was not known: the same, in less time."""
        unit = self.unit_of_shape.get(shape)
        if unit is None:
            unit = self.unit_of_shape[shape] = len(self.members)
            self.members.append([number])
        else:
            self.members[unit].append(number)
        touched.add(unit)
        return unit

    def _join(self, shape: str, number: int, touched: set[int]) -> int:
        """The unit of a flow's shape, whose member it becomes, leaving the one before; both are ``touched``."""
        unit = self.unit_of_shape.setdefault(shape, len(self.members))
        touched.add(unit)
        if unit == len(self.members):
            self.members.append([])
        known = number < len(self.unit.array)
        before = int(self.unit.array[number]) if known else unit
        if before != unit:
            touched.add(before)
            self.members[before].remove(number)
        if not known or before != unit:
            self.members[unit].append(number)
        return unit

    def _group(self, key: tuple[str, str]) -> int:
        if key not in self._group_at:
            loras, samplers = json.loads(key[1])
            group = (key[0], frozenset(loras), frozenset(samplers))
            self._group_at[key] = self.groups.setdefault(group, len(self.groups))
        return self._group_at[key]

    def _drop(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.at:
                self.live.put(self.at[name], False)
                self.pictured.put(self.at[name], False)
                self._appoint({int(self.unit.array[self.at[name]])})
                self.version += 1

    def _appoint(self, units: Collection[int]) -> None:
        """Say anew which flow stands for each of ``units``."""
        some = sorted(units)
        members = [self.members[unit] for unit in some]
        first = np.array([each[0] if each else -1 for each in members], dtype=np.int64)
        leads = first.copy()
        for place in np.flatnonzero(~self.live.array[first] | (first < 0)).tolist():
            leads[place] = self._first_offered(members[place])
        self.first.put(some, first)
        self.lead.put(some, leads)

    def _first_offered(self, members: Sequence[int]) -> int:
        """The first of some flows that is offered, else the first that is where a picture is brought, else -1."""
        for column in (self.live.array, self.pictured.array):
            for flow in members:
                if column[flow]:
                    return flow
        return -1


class Column:
    """An array that grows."""

    def __init__(self, kind: type) -> None:
        self._kept: NDArray = np.zeros(16, dtype=kind)  # type: ignore[type-arg]
        self._size = 0

    @property
    def array(self) -> NDArray:  # type: ignore[type-arg]
        """What it holds."""
        return self._kept[: self._size]

    def put(self, place: Ints | Sequence[int] | int, value: object) -> None:
        """Set a value, or some; what lies beyond the end is appended."""
        last = int(np.max(place))
        while last >= len(self._kept):
            self._kept = np.concatenate([self._kept, np.zeros_like(self._kept)])
        self._kept[place] = value
        self._size = max(self._size, last + 1)


class Rows(Protocol):
    """Some rows of a matrix of cards."""

    def __getitem__(self, chosen: Ints) -> Vector: ...


class Kinship:
    """How the measured flows of each base model bear on their kin, by groups and their mean cards.

    Two flows of a base model are kin by ``0.4 + 0.2 (a sampler in common) + 0.2 (the same LoRAs) + 0.2 cosine`` of
    their cards. The cosines to many flows add up to one with the sum of their cards, so that nothing goes by pairs;
    only the nearest kin of a flow without scores is told by each group's mean card.
    """

    def __init__(self, groups: list[_Group], group: Ints, vectors: Rows, own: FloatArray, measured: NDArray[np.bool_]):
        self.groups = groups
        self._group, self._measured = group, measured
        size = max(len(groups), 1)
        self._count = np.bincount(group[measured], minlength=size).astype(np.float64)
        self._own = np.bincount(group[measured], weights=own[measured], minlength=size)
        order = np.flatnonzero(measured)[np.argsort(group[measured], kind="stable")]
        cards = vectors[order]
        self._cards = _sums_by(group[order], cards, size)
        self._weighed = _sums_by(group[order], cards * own[order, None].astype(np.float32), size)
        self._of_base: dict[str, Ints] = {}
        for base in {name for name, _, _ in groups}:
            self._of_base[base] = np.array([i for i, each in enumerate(groups) if each[0] == base], dtype=np.int64)

    def of(
        self, group: Ints, vectors: Vector, own: FloatArray, measured: NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """For some flows the weighted sum of their measured kin's means, the sum of the weights, and the greatest."""
        total, weight, nearest = np.zeros(len(group)), np.zeros(len(group)), np.zeros(len(group))
        for number in np.unique(group):
            rows = np.flatnonzero(group == number)
            total[rows], weight[rows], nearest[rows] = self._of_group(
                int(number), vectors[rows], own[rows], measured[rows]
            )
        return total, weight, nearest

    def _of_group(
        self, number: int, vectors: Vector, own: FloatArray, measured: NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        base, loras, samplers = self.groups[number]
        if not base:
            none = np.zeros(len(own))
            return none, none, none
        among = self._of_base[base]
        fixed = np.array([_kin(loras, samplers, self.groups[other]) for other in among])
        total = float(fixed @ self._own[among]) + 0.2 * (vectors @ self._weighed[among].sum(axis=0)).astype(np.float64)
        weight = float(fixed @ self._count[among]) + 0.2 * (vectors @ self._cards[among].sum(axis=0)).astype(np.float64)
        myself = _kin(loras, samplers, self.groups[number]) + 0.2
        total, weight = total - measured * myself * own, np.maximum(weight - measured * myself, 0.0)
        nearest = np.zeros(len(own))
        there = among[self._count[among] > 0]
        new = ~measured
        if len(there) and new.any():
            cards = self._cards[there] / self._count[there, None].astype(np.float32)
            near = np.clip(vectors[new] @ cards.T, 0.0, 1.0) * 0.2
            nearest[new] = (near + fixed[self._count[among] > 0][None, :]).max(axis=1)
        return total, weight, nearest


def _kin(loras: frozenset[str], samplers: frozenset[str], other: _Group) -> float:
    return 0.4 + 0.2 * bool(samplers & other[2]) + 0.2 * (loras == other[1])


def _sums_by(group: Ints, vectors: Vector, size: int) -> Vector:
    """The sum of the rows of each group; ``group`` is sorted."""
    found = np.zeros((size, vectors.shape[1]), dtype=np.float32)
    if len(group):
        first = np.flatnonzero(np.diff(group, prepend=-1))
        found[group[first]] = np.add.reduceat(vectors, first, axis=0)
    return found
