"""Near neighbours: exact where that costs least, else proposed and completed exactly by what is newer.

To choose, a process has all cards in memory with cells of them (``partition``), and the prompts with a short form of
each (``sketch``); to search, it asks the vector index.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagewright.database import database
from imagewright.retrieval import store
from imagewright.retrieval.cells import Ints
from imagewright.retrieval.chroma_mirror import REBUILD, MirrorBusy, Space
from imagewright.retrieval.embed import Vector
from imagewright.retrieval.flow_table import FlowTable
from imagewright.retrieval.made_beside import MadeBeside, Proposer, Table
from imagewright.retrieval.partition import Partition
from imagewright.retrieval.prompt_table import PromptTable
from imagewright.retrieval.serving import Served, Serving
from imagewright.retrieval.sketch import Sketch

EXACT_UP_TO = 10_000
"""Up to how many flows looking at all of their vectors costs less than anything else."""
EXACT_PROMPTS = 8192
"""Up to how many prompts of evidence all of them are looked at for the nearest."""
_CARDS_LOOKED_AT, _PROMPTS_LOOKED_AT = 12.0, 1.5
"""Of more, how many times as many as are asked for are looked at: in cells, and by their short forms."""
BEHIND = 0.02
"""What share of the flows may be newer than the vector index before a new one is built beside the requests."""


class IndexTables:
    """The index's tables as the vector index asks for them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def generation(self) -> int:
        """The number that every change raises."""
        with database(self.path, store.OWNER, store.INDEX_TABLES) as db:
            return store.generation(db)

    def ids(self, space: Space) -> Mapping[str, int]:
        """Every id of a space with the generation of its last change."""
        with database(self.path, store.OWNER, store.INDEX_TABLES) as db:
            return store.ids(db, space)

    def vectors(self, space: Space, ids: Sequence[str]) -> Mapping[str, Vector]:
        """The unit vectors of ``ids``."""
        with database(self.path, store.OWNER, store.INDEX_TABLES) as db:
            return store.vectors(db, space, ids)


class Neighbours:
    """The nearest cards and prompts of an index."""

    def __init__(self, folder: Path, path: Path) -> None:
        self._path, self.serving = path, Serving(folder, IndexTables(path))
        self.partitions, self.sketches = MadeBeside(Partition), MadeBeside(Sketch)

    def cards(self, flows: FlowTable, vector: Vector, k: int, among: NDArray[np.bool_]) -> tuple[Ints, Vector]:
        """The ``k`` flows of ``among`` whose cards are nearest to a unit vector, nearest first, with the cosines.

        Of a large index the nearest cells of cards are looked at, and exactly what changed since they were made.
        """
        cells = self.partitions.of(flows) if len(flows) > EXACT_UP_TO else None
        return _find_nearest_of(flows, vector, k, among, cells, _CARDS_LOOKED_AT)

    def prompts(
        self, prompts: PromptTable, vector: Vector, k: int, among: NDArray[np.bool_], exactly: bool = False
    ) -> tuple[Ints, Vector]:
        """The ``k`` prompts of those in ``among`` that are nearest to a unit vector, nearest first, with the cosines.

        Of many those are looked at that are near in short; all of them ``exactly``.
        """
        sketch = self.sketches.of(prompts) if len(prompts) > EXACT_PROMPTS and not exactly else None
        return _find_nearest_of(prompts, vector, k, among, sketch, _PROMPTS_LOOKED_AT)

    def finish(self) -> None:
        """Wait for what is being made to find them."""
        self.partitions.finish()
        self.sketches.finish()

    def is_large(self, db: sqlite3.Connection) -> bool:
        """Whether the index has so many flows that a search must not wait until the vector index is of today."""
        return store.count_beyond(db, EXACT_UP_TO)

    def search(
        self, db: sqlite3.Connection, space: Space, vector: Vector, k: int, on_note: Callable[[str], None]
    ) -> list[tuple[str, float]]:
        """The ``k`` nearest of a large index, with the cosines, nearest first, by a process that has no table of it.

        The vector index proposes those of its generation; what is newer is looked at exactly, and everything where
        there is none to ask: a batch at a time, while a process of its own builds one. ``on_note`` hears why it could
        not be asked.
        """
        served = self._served(space, vector, k, on_note)
        newer = f"SELECT count(*) FROM {space} WHERE changed > ?"
        whole = int(db.execute(newer, (-1,)).fetchone()[0])
        late = whole if served is None else int(db.execute(newer, (served.generation,)).fetchone()[0])
        if served is not None and len(served.ids) < min(k, whole - late):
            on_note(f"answered exactly without the vector index: it lacks {space}; rebuild it with: {REBUILD}")
            served, late = None, whole
        if late > BEHIND * whole:
            self.serving.start_building(self._path)
        kept = store.vectors(db, space, served.ids, len(vector)) if served is not None else {}
        since = -1 if served is None else served.generation
        return store.find_best(db, space, vector, k, since, {key: float(each @ vector) for key, each in kept.items()})

    def _served(self, space: Space, vector: Vector, k: int, on_note: Callable[[str], None]) -> Served | None:
        try:
            return self.serving.nearest(space, vector.tolist(), k)
        except (MirrorBusy, OSError) as error:
            on_note(f"answered exactly without the vector index: {error}")
            return None


def find_nearest(vectors: Vector, vector: Vector, k: int, among: NDArray[np.bool_]) -> Ints:
    """The numbers of the ``k`` rows of ``vectors`` nearest to a unit vector, of those in ``among``, nearest first."""
    return _nearest(np.arange(len(vectors)), vectors @ vector, k, among)[0]


def _find_nearest_of(
    table: Table, vector: Vector, k: int, among: NDArray[np.bool_], proposer: Proposer | None, times: float
) -> tuple[Ints, Vector]:
    """The ``k`` rows in ``among`` nearest to a unit vector and their cosines, of ``times`` as many that are proposed.

    Exactly, of all rows, where nothing proposes any, or too few that are in ``among``.
    """
    if proposer is not None:
        rows, cosine = proposer.propose(vector, int(times * k))
        newer = table.find_newer(proposer.generation)
        if len(newer):
            old = ~np.isin(rows, newer)
            rows = np.concatenate([rows[old], newer])
            cosine = np.concatenate([cosine[old], table.vectors[newer] @ vector])
        found = _nearest(rows, cosine, k, among[rows])
        if len(found[0]) == k:
            return found
    return _nearest(np.arange(len(table)), table.vectors @ vector, k, among)


def _nearest(rows: Ints, cosine: Vector, k: int, among: NDArray[np.bool_]) -> tuple[Ints, Vector]:
    """The ``k`` of ``rows`` with the greatest cosines and these, of those in ``among``, the greatest first."""
    cosine = np.where(among, cosine, np.float32(-2.0))
    top = np.argpartition(-cosine, k)[:k] if k < len(cosine) else np.arange(len(cosine))
    top = top[cosine[top] > -2.0]
    top = top[np.lexsort((rows[top], -cosine[top]))]
    return np.asarray(rows[top]), np.asarray(cosine[top])
