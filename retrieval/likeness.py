"""Prompt similarities of ``features`` for many prompts at once: the same numbers, as arrays.

What a parsed prompt says becomes a set of marks: a thing named three times has three of them, so that the overlap of
two bags is the number of marks that they share.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from imagewright.retrieval.cells import FloatArray, Ints
from imagewright.retrieval.features import (
    EMBEDDING_SHARE,
    FEATURE_PARTS,
    RELATED_PART,
    STRUCTURE,
    Features,
)

_NAMES = tuple(FEATURE_PARTS)
Floats = NDArray[np.float32]
_Facts = tuple[bool, int, int, bool, tuple[int, ...]]
"""Whether anything is known, things, groups, whether related, and the marks of each part."""
_WEIGHTS = np.array([FEATURE_PARTS[name] for name in _NAMES])
_FIRST = np.zeros(1, dtype=np.int64)


class Likeness:
    """The features of prompts that are told one after the other; rows are their numbers, from 0."""

    def __init__(self) -> None:
        self._marks: dict[tuple[int, Hashable, int], int] = {}
        self._rows: list[tuple[Ints, Ints]] = []
        self._facts: list[_Facts] = []
        self._table: _Table | None = None
        self._asked: tuple[Features | None, _Table] | None = None
        """The prompt that was last asked about; its marks beyond the known ones are good until prompts come."""

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, said: Features | None) -> None:
        """One prompt more; None where nothing is known of it."""
        marks, facts = self._read(said)
        self._rows.append(marks)
        self._facts.append(facts)
        self._table = self._asked = None

    def replace(self, row: int, said: Features | None) -> None:
        """Other features for a prompt that is there."""
        self._rows[row], self._facts[row] = self._read(said)
        self._table = self._asked = None

    def _read(self, said: Features | None) -> tuple[tuple[Ints, Ints], _Facts]:
        found = [
            (self._marks.setdefault((part, key, copy), len(self._marks)), part)
            for part, name in enumerate(_NAMES)
            for key, count in (said.bags[name].items() if said else ())
            for copy in range(count)
        ]
        marks, parts = np.array(found, dtype=np.int64).reshape(-1, 2).T
        sizes = tuple(int((parts == part).sum()) for part in range(len(_NAMES)))
        related = bool(said and said.bags["relations"])
        facts = (said is not None, said.things if said else 1, said.groups if said else 1, related, sizes)
        return (marks, parts), facts

    def to(self, said: Features | None, cosine: FloatArray, rows: Ints) -> FloatArray:
        """How alike a prompt is to each of ``rows``, whose cosines to it are ``cosine``: length n, in [0, 1]."""
        mine, table = self._ask(said), self._whole()
        asked = np.zeros(len(self._marks) + 1, dtype=np.bool_)
        asked[mine.marks[mine.marks < len(self._marks)]] = True
        inside, place = join_slices(table.start[rows], table.start[rows + 1])
        hit = np.flatnonzero(asked[table.marks[inside]])
        shared = np.bincount(
            place[hit] * len(_NAMES) + table.parts[inside[hit]], minlength=len(rows) * len(_NAMES)
        ).reshape(1, len(rows), len(_NAMES))  # fmt: skip
        return np.asarray(_similarity(cosine[None, :], shared, mine.pick(_FIRST), table.pick(rows))[0])

    def among(self, said: Features | None, cosine: FloatArray, rows: Ints) -> FloatArray:
        """How alike a prompt and ``rows`` are to one another: (n + 1) × (n + 1), the prompt first, ones across."""
        mine, table = self._ask(said), self._whole()
        inside, place = join_slices(table.start[rows], table.start[rows + 1])
        marks = np.concatenate([mine.marks, table.marks[inside]])
        parts = np.concatenate([mine.parts, table.parts[inside]])
        row = np.concatenate([np.zeros(len(mine.marks), dtype=np.int64), place + 1])
        sides = mine.pick(_FIRST).join(table.pick(rows))
        found = _similarity(cosine, _overlaps(marks, parts, row, len(rows) + 1), sides, sides)
        np.fill_diagonal(found, 1.0)
        return found

    def _ask(self, said: Features | None) -> _Table:
        """The prompt that is asked about as a table of one."""
        if self._asked is None or self._asked[0] is not said:
            one = Likeness()
            one._marks = _Known(self._marks)
            one.append(said)
            self._asked = said, one._whole()
        return self._asked[1]

    def _whole(self) -> _Table:
        if self._table is None:
            self._table = _Table(self._rows, self._facts)
        return self._table


class _Known(dict[tuple[int, Hashable, int], int]):
    """Marks that are known stay what they are; new ones get numbers beyond them, and are not remembered."""

    def __init__(self, known: dict[tuple[int, Hashable, int], int]) -> None:
        super().__init__()
        self._base = known

    def setdefault(self, key: tuple[int, Hashable, int], default: int | None = None) -> int:
        found = self._base.get(key)
        if found is not None:
            return found
        return super().setdefault(key, len(self._base) + len(self))


class _Table:
    """Prompts side by side."""

    def __init__(self, rows: Sequence[tuple[Ints, Ints]], facts: Sequence[_Facts]) -> None:
        self.start = np.concatenate([[0], np.cumsum([len(marks) for marks, _ in rows])]).astype(np.int64)
        self.marks = np.concatenate([marks for marks, _ in rows]) if rows else np.zeros(0, dtype=np.int64)
        self.parts = np.concatenate([parts for _, parts in rows]) if rows else np.zeros(0, dtype=np.int64)
        columns = tuple(zip(*facts, strict=True)) if facts else ((), (), (), (), ())
        self.told = np.array(columns[0], dtype=bool)
        self.things, self.groups = np.array(columns[1], dtype=float), np.array(columns[2], dtype=float)
        self.related = np.array(columns[3], dtype=bool)
        self.sizes = np.array(columns[4], dtype=np.int64).reshape(-1, len(_NAMES))

    def pick(self, rows: Ints) -> _Side:
        """The facts of some prompts."""
        return _Side(self.told[rows], self.things[rows], self.groups[rows], self.related[rows], self.sizes[rows])


class _Side:
    """What is compared of some prompts, beside their marks."""

    def __init__(
        self, told: NDArray[np.bool_], things: FloatArray, groups: FloatArray, related: NDArray[np.bool_], sizes: Ints
    ) -> None:
        self.told, self.things, self.groups, self.related, self.sizes = told, things, groups, related, sizes

    def join(self, other: _Side) -> _Side:
        """These prompts and then the others."""
        return _Side(*(np.concatenate([mine, vars(other)[name]]) for name, mine in vars(self).items()))


def _overlaps(marks: Ints, parts: Ints, row: Ints, rows: int) -> Floats:
    """rows × rows × parts: how many marks of each part two prompts share; ``row`` says whose each mark is."""
    known, column = np.unique(marks, return_inverse=True)
    part_of = np.zeros(len(known), dtype=np.int64)
    part_of[column] = parts
    grid = np.zeros((len(known), rows), dtype=np.float32)
    grid[column, row] = 1.0
    found = np.empty((rows, rows, len(_NAMES)), dtype=np.float32)
    for part in range(len(_NAMES)):
        each = grid[part_of == part]
        found[:, :, part] = each.T @ each
    return found


def _similarity(cosine: FloatArray, shared: Ints | Floats, one: _Side, other: _Side) -> FloatArray:
    """``features.prompt_similarity`` for all pairs; ``shared`` counts the marks in common, by part."""
    near = np.clip(cosine, 0.0, 1.0)
    found, total = np.zeros(cosine.shape), np.zeros(cosine.shape)
    for part, weight in enumerate(_WEIGHTS.tolist()):
        union = one.sizes[:, None, part] + other.sizes[None, :, part] - shared[:, :, part]
        found += weight * shared[:, :, part] / np.maximum(union, 1)
        total += weight * (union > 0)
    said = np.where(total > 0, found / np.maximum(total, 1e-9), 1.0)
    same = one.related[:, None] == other.related[None, :]
    structure = (
        _ratios(one.things, other.things) * _ratios(one.groups, other.groups) * np.where(same, 1.0, RELATED_PART)
    )
    told = STRUCTURE * structure + (1.0 - STRUCTURE) * (EMBEDDING_SHARE * near + (1.0 - EMBEDDING_SHARE) * said)
    return np.asarray(np.where(one.told[:, None] & other.told[None, :], told, near))


def _ratios(one: FloatArray, other: FloatArray) -> FloatArray:
    """The smaller of each pair in parts of the larger; nothing here is below one."""
    return np.asarray(np.minimum(one[:, None], other[None, :]) / np.maximum(one[:, None], other[None, :]))


def join_slices(start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """The indices of ``start[i]:end[i]`` for every ``i``, one after the other, and the ``i`` of each."""
    length = end - start
    last = np.cumsum(length)
    shift = np.repeat(start - (last - length), length)
    return np.arange(len(shift), dtype=np.int64) + shift, np.repeat(np.arange(len(start), dtype=np.int64), length)
