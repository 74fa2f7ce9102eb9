"""Near neighbours for one request: exact where that costs least, else proposed by the vector index and completed."""

from __future__ import annotations

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
from imagewright.retrieval.serving import Served, Serving

EXACT_UP_TO = 10_000
"""Up to how many vectors looking at all of them costs less than asking Chroma."""
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
    """The nearest cards of an index."""

    def __init__(self, folder: Path, path: Path) -> None:
        self._path, self.serving = path, Serving(folder, IndexTables(path))

    def cards(self, flows: FlowTable, vector: Vector, k: int, on_note: Callable[[str], None]) -> Ints:
        """The ``k`` flows whose cards are nearest to a unit vector, by number, nearest first.

        Of a large index the vector index proposes those of its generation; what is newer is looked at exactly.
        ``on_note`` hears when it could not be asked.
        """
        live = flows.live.array
        if len(flows) <= EXACT_UP_TO:
            return find_nearest(flows.vectors, vector, k, live)
        served = self._served("flows", vector, k, on_note)
        if served is not None and len(served.ids) < min(k, _count_served(flows, served)):
            on_note(f"answered exactly without the vector index: it lacks flows; rebuild it with: {REBUILD}")
            served = None
        newer = np.flatnonzero(flows.changed.array > (-1 if served is None else served.generation))
        if len(newer) > BEHIND * len(flows):
            self.serving.start_building(self._path)
        if served is None:
            return find_nearest(flows.vectors, vector, k, live)
        old = np.array([flows.at[name] for name in served.ids if name in flows.at], dtype=np.int64)
        found = np.union1d(old, newer)
        return np.asarray(found[find_nearest(flows.vectors[found], vector, k, live[found])])

    def _served(self, space: Space, vector: Vector, k: int, on_note: Callable[[str], None]) -> Served | None:
        try:
            return self.serving.nearest(space, vector.tolist(), k)
        except (MirrorBusy, OSError) as error:
            on_note(f"answered exactly without the vector index: {error}")
            return None


def _count_served(flows: FlowTable, served: Served) -> int:
    """How many flows of today the vector index must know."""
    return int(np.count_nonzero(flows.live.array & (flows.changed.array <= served.generation)))


def find_nearest(vectors: Vector, vector: Vector, k: int, among: NDArray[np.bool_]) -> Ints:
    """The numbers of the ``k`` rows of ``vectors`` nearest to a unit vector, of those in ``among``, nearest first."""
    cosine = np.where(among, vectors @ vector, np.float32(-2.0))
    top = np.argpartition(-cosine, k)[:k] if k < len(cosine) else np.arange(len(cosine))
    top = top[cosine[top] > -2.0]
    return np.asarray(top[np.lexsort((top, -cosine[top]))])
