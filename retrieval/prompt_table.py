"""The prompts of evidence as arrays in memory: vectors, what they say, and their labels."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

import numpy as np

from imagewright.retrieval.cells import Ints
from imagewright.retrieval.embed import Vector, read_vector
from imagewright.retrieval.features import features
from imagewright.retrieval.flow_table import Column
from imagewright.retrieval.likeness import Likeness
from imagewright.schemas import ParsedPrompt


class PromptTable:
    """The prompts by number; a number stays a prompt's own."""

    def __init__(self, dimension: int) -> None:
        self.ids: list[str] = []
        self.at: dict[str, int] = {}
        self.said = Likeness()
        self.label_sets: list[frozenset[str]] = []
        self.labels: list[int] = []
        """The label set of each prompt, by number."""
        self._set_at: dict[frozenset[str], int] = {}
        self._vectors = np.zeros((16, dimension), dtype=np.float32)
        self.misfits: set[str] = set()
        """The prompts whose stored vector does not fit; they are near to nothing."""
        self.generation = -1
        """That of the last change."""
        self.changed = Column(np.int64)
        """Of each prompt the generation of its last change."""
        self._newer: tuple[int, int, Ints] = (-1, -2, np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def vectors(self) -> Vector:
        """P × d."""
        return self._vectors[: len(self.ids)]

    def read(self, db: sqlite3.Connection, since: int) -> None:
        """Bring in what changed after generation ``since``; -1 for everything. Numbers go by id within one reading."""
        query = "SELECT id, parsed, categories, vector, changed FROM prompts WHERE changed > ? ORDER BY +id"
        put = {self._put(row): row["changed"] for row in db.execute(query, (since,))}
        if put:
            self.changed.put(list(put), list(put.values()))
            self.generation = max(self.generation, *put.values())

    def find_newer(self, generation: int) -> Ints:
        """The prompts that changed after ``generation``."""
        if self._newer[:2] != (self.generation, generation):
            self._newer = self.generation, generation, np.flatnonzero(self.changed.array > generation)
        return self._newer[2]

    def _put(self, row: sqlite3.Row) -> int:
        """Take up a prompt, known or new; its number."""
        parsed = None if row["parsed"] is None else ParsedPrompt.model_validate_json(row["parsed"])
        labels = frozenset(json.loads(row["categories"]))
        known = self._set_at.setdefault(labels, len(self.label_sets))
        if known == len(self.label_sets):
            self.label_sets.append(labels)
        number = self.at.get(row["id"])
        if number is None:
            number = self.at[row["id"]] = len(self.ids)
            self.ids.append(row["id"])
            self.labels.append(known)
            self.said.append(features(parsed))
        else:
            self.labels[number] = known
            self.said.replace(number, features(parsed))
        if number >= len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
        vector = read_vector(row["vector"], self._vectors.shape[1])
        self._vectors[number] = 0.0 if vector is None else vector
        (self.misfits.add if vector is None else self.misfits.discard)(row["id"])
        return number


def find_sharing(mine: Sequence[str], sets: Sequence[frozenset[str]], prompts: Ints) -> list[bool]:
    """Which label sets are those of a prompt labelled ``mine``: half or more of the labels of either, in both.

    ``prompts`` counts the prompts of each set. Labels that nearly every prompt has (all of mini's have colours) tell
    nothing apart and are left out.
    """
    total = int(prompts.sum())
    often: dict[str, int] = {}
    for labels, count in zip(sets, prompts.tolist(), strict=True):
        for label in labels:
            often[label] = often.get(label, 0) + count
    common = {label for label, count in often.items() if count > 0.8 * total}
    wanted = set(mine) - common
    return [bool(each) and 2 * len(wanted & each) >= len(wanted | (each - common)) for each in sets]
