"""The scores of one backend as columns: read whole, or brought forward by those that were listed since."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence

import numpy as np

from imagewright.retrieval.cells import Scores
from imagewright.retrieval.flow_table import FlowTable
from imagewright.retrieval.prompt_table import PromptTable

FIT_WEIGHTS = {"sweep": 1.0, "person": 3.0, "critic": 1.0}
"""How many scores one row counts for, by who gave it: a person looked; a sweep's row is one seed of several."""
_OF_BACKEND = "WHERE backend = ? AND (? OR source != 'critic')"
_ROWS = f"SELECT flow, graph_hash, prompt, scorer, source, value FROM evidence {_OF_BACKEND} AND prompt < ?"
FRESH = """
    SELECT e.flow, e.graph_hash, e.prompt, e.scorer, e.source, e.value FROM fresh n JOIN evidence e
    ON e.flow = n.flow AND e.graph_hash = n.graph_hash AND e.prompt = n.prompt AND e.backend = n.backend
        AND e.scorer = n.scorer AND e.seed = n.seed AND e.source = n.source
    WHERE n.changed > ? AND n.backend = ? AND (? OR n.source != 'critic')
    ORDER BY n.changed, n.flow, n.graph_hash, n.prompt, n.scorer, n.seed, n.source
"""
"""The scores that were listed after a generation, in the order in which they came."""
_AT_ONCE = 20_000


class ScoreRows:
    """Every score on a backend of graphs as they are now, by unit and prompt; good while the flows stay as they are."""

    def __init__(self, flows: FlowTable, prompts: PromptTable, backend: str, learn_critic: bool) -> None:
        self._flows, self._prompts, self._of = flows, prompts, (backend, learn_critic)
        self._units, self._at, self._scorers = array("q"), array("q"), array("q")
        self._values, self._weights = array("d"), array("d")
        self.scorers: list[str] = []
        self._number: dict[str, int] = {}
        self._unit_of: dict[tuple[str, str], int] = {}
        self._seen = 0
        """How many rows were read, with those of other graphs, which do not count."""

    def read(self, db: sqlite3.Connection, share: float = 1.0) -> ScoreRows:
        """Take up all of them; with a ``share`` below 1 those of about that share of the prompts, always the same
        ones: their ids are hashes."""
        below = "g" if share >= 1.0 else f"{int(share * 16**8):08x}"
        self._take(db.execute(_ROWS, (*self._of, below)))
        return self

    def bring_forward(self, db: sqlite3.Connection, since: int) -> bool:
        """Take up what was listed after generation ``since``.

        False where that is not all that happened, for scores were replaced or removed: then all are to be read anew.
        """
        self._take(db.execute(FRESH, (since, *self._of)))
        return self._seen == int(db.execute(f"SELECT count(*) FROM evidence {_OF_BACKEND}", self._of).fetchone()[0])

    def _take(self, rows: sqlite3.Cursor) -> None:
        rows.row_factory = None
        while batch := rows.fetchmany(_AT_ONCE):
            flows, graphs, prompts, scorers, sources, values = zip(*batch, strict=True)
            pairs = list(zip(flows, graphs, strict=True))
            for pair in set(pairs) - self._unit_of.keys():
                self._unit_of[pair] = self._find_unit(*pair)
            for name in dict.fromkeys(scorers):
                if name not in self._number:
                    self._number[name] = len(self.scorers)
                    self.scorers.append(name)
            at = self._prompts.at
            self._units.extend(map(self._unit_of.__getitem__, pairs))
            self._at.extend(at.get(prompt, -1) for prompt in prompts)
            self._scorers.extend(map(self._number.__getitem__, scorers))
            self._values.extend(values)
            self._weights.extend(map(FIT_WEIGHTS.__getitem__, sources))
            self._seen += len(batch)

    def _find_unit(self, flow: str, graph: str) -> int:
        number = self._flows.at.get(flow)
        return -1 if number is None or self._flows.graphs[number] != graph else int(self._flows.unit.array[number])

    def gather(self) -> tuple[Scores, list[str]]:
        """The scores that count as arrays, and the scorers' names."""
        units, at, scorers = (np.array(part, dtype=np.int64) for part in (self._units, self._at, self._scorers))
        values, weights = (np.array(part, dtype=np.float64) for part in (self._values, self._weights))
        good = (units >= 0) & (at >= 0)
        used, scorer = np.unique(scorers[good], return_inverse=True)
        sizes = len(self._flows.members), len(self._prompts)
        names: Sequence[str] = [self.scorers[number] for number in used]
        return Scores(units[good], at[good], scorer, values[good], weights[good], *sizes), list(names)
