"""The cards of a large index in cells about centres, so that the nearest are found without looking at all.

The centres are found by Lloyd's rounds of k-means over a sample (S. P. Lloyd, "Least squares quantization in PCM",
1982), and a prompt looks into the cells whose centres are nearest to it. What changed since is looked at exactly.
"""

from __future__ import annotations

import numpy as np

from imagewright.retrieval.cells import Ints
from imagewright.retrieval.embed import Vector

_ROUNDS, _SAMPLE = 4, 16
"""Rounds of k-means, and how many cards of each cell are in the sample."""
_CELLS = 8
"""In how many cells at least is looked."""
_AT_ONCE = 8192


class Partition:
    """Cards by cells, numbered as in the table; those of a cell lie side by side, so that they are read in one go."""

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
        self._vectors = vectors[self._rows]

    def propose(self, vector: Vector, least: int) -> tuple[Ints, Vector]:
        """The cards in the cells nearest to a unit vector, ``least`` or more, and the cosine of each."""
        nearest = np.argsort(-(self._centres @ vector))
        enough = int(np.searchsorted(np.cumsum(self._size[nearest]), least)) + 1
        cells = nearest[: max(_CELLS, enough)]
        parts = [
            slice(*each) for each in zip(self._start[cells].tolist(), self._start[cells + 1].tolist(), strict=True)
        ]
        rows = np.concatenate([self._rows[part] for part in parts])
        return rows, np.concatenate([self._vectors[part] @ vector for part in parts])


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
