"""The cards of a large index in cells about centres, so that the nearest are found without looking at all.

The centres are found by Lloyd's rounds of k-means over a sample (S. P. Lloyd, "Least squares quantization in PCM",
1982), and a prompt looks into the cells whose centres are nearest to it. What changed since is looked at exactly.
"""

from __future__ import annotations

import threading

import numpy as np

from imagewright.retrieval.cells import Ints
from imagewright.retrieval.embed import Vector
from imagewright.retrieval.flow_table import FlowTable

BEHIND = 0.02
"""What share of the flows may be newer than the cells before these are made anew beside the requests."""
_ROUNDS, _SAMPLE = 4, 16
"""Rounds of k-means, and how many cards of each cell are in the sample."""
_LOOKED_AT = 12
"""How many times as many cards as are asked for are looked at."""
_CELLS = 8
"""In how many cells at least."""
_AT_ONCE = 8192


class Partition:
    """The numbers of flows by cells; rows of n cards are numbered as in the table."""

    def __init__(self, vectors: Vector, generation: int) -> None:
        self.generation = generation
        """The state of the table that the cells are of."""
        self._centres = _find_centres(vectors, max(1, round(2 * len(vectors) ** 0.5)))
        cell = np.concatenate([
            np.argmax(vectors[first : first + _AT_ONCE] @ self._centres.T, axis=1)
            for first in range(0, len(vectors), _AT_ONCE)
        ])  # fmt: skip
        self._rows = np.argsort(cell, kind="stable").astype(np.int64)
        self._start = np.searchsorted(cell[self._rows], np.arange(len(self._centres) + 1))
        self._size = np.diff(self._start)

    def propose(self, vector: Vector, k: int) -> Ints:
        """Some flows among which are the ``k`` nearest to a unit vector, all but surely."""
        nearest = np.argsort(-(self._centres @ vector))
        enough = int(np.searchsorted(np.cumsum(self._size[nearest]), _LOOKED_AT * k)) + 1
        cells = nearest[: max(_CELLS, enough)].tolist()
        return np.concatenate([self._rows[self._start[cell] : self._start[cell + 1]] for cell in cells])


def _find_centres(vectors: Vector, cells: int) -> Vector:
    sample = vectors[np.linspace(0, len(vectors) - 1, min(len(vectors), _SAMPLE * cells)).astype(np.int64)]
    centres = sample[np.linspace(0, len(sample) - 1, cells).astype(np.int64)].copy()
    for _ in range(_ROUNDS):
        cell = np.argmax(sample @ centres.T, axis=1)
        order = np.argsort(cell, kind="stable")
        used, first = np.unique(cell[order], return_index=True)
        sums = np.add.reduceat(sample[order], first, axis=0)
        centres[used] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.float32(1e-9))
    return np.asarray(centres)


class Partitions:
    """The cells of one index's flows, made and made anew by a thread beside the requests."""

    def __init__(self) -> None:
        self._asked: FlowTable | None = None
        self._made: tuple[FlowTable, Partition] | None = None
        self._making: threading.Thread | None = None

    def of(self, flows: FlowTable) -> Partition | None:
        """The cells of ``flows``; None until there are some: a process that asks once needs none."""
        again, self._asked = self._asked is flows, flows
        known = self._made[1] if self._made is not None and self._made[0] is flows else None
        if again and (known is None or len(flows.find_newer(known.generation)) > BEHIND * len(flows)):
            self._start(flows)
        return known

    def _start(self, flows: FlowTable) -> None:
        if self._making is None or not self._making.is_alive():
            facts = flows, flows.vectors, flows.generation  # rows that change meanwhile are newer than that
            self._making = threading.Thread(target=self._make, args=facts, daemon=True)
            self._making.start()

    def _make(self, flows: FlowTable, vectors: Vector, generation: int) -> None:
        self._made = flows, Partition(vectors, generation)

    def finish(self) -> None:
        """Wait for the cells that are being made."""
        if self._making is not None:
            self._making.join()
