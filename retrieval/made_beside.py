"""What finds the nearest rows of a table is made by a thread beside the requests, and anew when it is behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from imagewright.retrieval.cells import Ints
from imagewright.retrieval.embed import Vector

_BEHIND = 0.02
"""What share of the rows may be newer than what is made of them before it is made anew."""


class Table(Protocol):
    """Rows with unit vectors by number, which knows of every row when it changed."""

    generation: int
    """That of the last change."""

    def __len__(self) -> int: ...

    @property
    def vectors(self) -> Vector:
        """n × d."""
        ...

    def find_newer(self, generation: int) -> Ints:
        """The rows that changed after ``generation``."""
        ...


class Proposer(Protocol):
    """Finds rows of a table among which are, all but surely, those nearest to a vector."""

    generation: int
    """The state of the table that it is of."""

    def propose(self, vector: Vector, least: int) -> tuple[Ints, Vector]:
        """``least`` rows or more, and their cosines to a unit vector."""
        ...


P = TypeVar("P", bound=Proposer)


class MadeBeside(Generic[P]):
    """What ``make`` makes of the vectors of one table and their generation."""

    def __init__(self, make: Callable[[Vector, int], P]) -> None:
        self._new = make
        self._asked: Table | None = None
        self._made: tuple[Table, P] | None = None
        self._making: threading.Thread | None = None

    def of(self, table: Table) -> P | None:
        """What was made of ``table``; None until there is something: a process that asks once needs none."""
        again, self._asked = self._asked is table, table
        known = self._made[1] if self._made is not None and self._made[0] is table else None
        if again and (known is None or len(table.find_newer(known.generation)) > _BEHIND * len(table)):
            self._start(table)
        return known

    def _start(self, table: Table) -> None:
        if self._making is None or not self._making.is_alive():
            facts = table, table.vectors, table.generation  # rows that change meanwhile are newer than that
            self._making = threading.Thread(target=self._make, args=facts, daemon=True)
            self._making.start()

    def _make(self, table: Table, vectors: Vector, generation: int) -> None:
        self._made = table, self._new(vectors, generation)

    def finish(self) -> None:
        """Wait for what is being made."""
        if self._making is not None:
            self._making.join()
