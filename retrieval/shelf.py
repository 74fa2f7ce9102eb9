"""What a process keeps of an index in memory, brought forward to the database's generation before every answer.

A small index (``SMALL_ROWS`` scores, ``SMALL_FLOWS`` flows) is fitted anew with every change, and read anew where more
than new scores and prompts came. A larger one
takes up the fit that the database holds and counts the scores that came after it one by one; the fit is redone beside
the requests once these are ``REFIT_SHARE`` of it, and after a bulk of them. A fit is a change like any other: it raises
the generation, so that one generation gives one answer in every process.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from imagewright.database import transaction
from imagewright.retrieval import flow_facts, store
from imagewright.retrieval.cells import Cells, fit_cells
from imagewright.retrieval.fit_store import pack_fit, read_scores_of, unpack_fit
from imagewright.retrieval.fitted import Fitted, Fresh
from imagewright.retrieval.flow_table import FlowTable
from imagewright.retrieval.prompt_table import PromptTable
from imagewright.retrieval.score_rows import FIT_WEIGHTS, FRESH, ScoreRows
from imagewright.schemas import Flow

SMALL_ROWS, SMALL_FLOWS = 50_000, 2_500
REFIT_SHARE = 0.01
QUICK_ROWS = 50_000
"""Up to how many scores are fitted while a request waits, which takes about a second."""
MAKESHIFT = -1
"""How many scores stand in a fit that is to be replaced in any case."""
_FLOWS_READ = 512
_Key = tuple[str, bool]
"""A backend, and whether critics' verdicts count."""


class Shelf:
    """The tables of one index; ``hold`` gives them to one thread at a time."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._lock = threading.RLock()
        self.generation = -1
        self.flows, self.prompts = FlowTable(dimension), PromptTable(dimension)
        self._fits: dict[_Key, tuple[int, int, Fitted]] = {}
        """Of each key the generation of the fit, the scores in it, and the fit."""
        self._fresh: dict[_Key, int] = {}
        self._rows: dict[_Key, tuple[int, ScoreRows]] = {}
        """The scores of a small index, and the generation that they are of."""
        self._small, self._many_scores, self._facts_known = True, False, False
        self._flows_read: dict[str, Flow] = {}
        self.made: dict[object, object] = {}
        """What was derived from the tables as they are; emptied when they change."""
        self.behind: list[_Key] = []
        """What a newer fit is there for than the one that answers, which takes long to take up."""

    @contextmanager
    def hold(self, db: sqlite3.Connection) -> Iterator[Shelf]:
        """The tables as of the generation that ``db`` shows, for as long as the block lasts."""
        with self._lock:
            self._make_ready(db)
            yield from self._held(db)

    def _held(self, db: sqlite3.Connection) -> Iterator[Shelf]:
        with _snapshot(db):
            self._come_forward(db)
            yield self

    def fit(self, db: sqlite3.Connection, backend: str, learn_critic: bool) -> Fitted | None:
        """The scores on ``backend``, fitted; inside ``hold``.

        None where a large index holds no fit and its scores are few: then ``refit`` takes a moment. Where they are many
        the answer is the fit from before they came, else that of a share of them, until the whole fit is there.
        """
        key = (backend, learn_critic)
        if key not in self._fits:
            found = self._new_fit(db, key) if self._small else self._kept_fit(db, key)
            if found is None and _at_most(db, "evidence", QUICK_ROWS):
                return None
            found = found or self._makeshift(db, key)
            self._fits[key] = found
            self._count_fresh(db, key, found[0])
        return self._fits[key][2]

    def is_due(self, backend: str, learn_critic: bool) -> bool:
        """Whether so much came after the fit that it should be redone."""
        key = (backend, learn_critic)
        if self._small or key not in self._fits:
            return False
        return self._fresh.get(key, 0) > REFIT_SHARE * self._fits[key][1]

    def read_beside(self, db: sqlite3.Connection) -> None:
        """Read the index and its fits anew, and go on with these; until then what there is answers."""
        newer = Shelf(self._dimension)
        with newer.hold(db):
            for key in list(self._fits):
                newer.fit(db, *key)
        with self._lock:
            for name in ("flows", "prompts", "generation", "behind", "_fits", "_fresh", "_small", "_many_scores"):
                setattr(self, name, getattr(newer, name))
            self.made.clear()
            self._flows_read.clear()

    def forget_fits(self) -> None:
        """Take up the fits that the database holds before the next answer, however long it takes."""
        with self._lock:
            self._fits.clear()
            self._fresh.clear()
            self.behind = []

    def read_flow(self, db: sqlite3.Connection, name: str) -> Flow:
        """The flow called ``name``, kept for as long as nothing changes."""
        found = self._flows_read.get(name)
        if found is None:
            found = self._flows_read[name] = store.read_flow(db, name)
            if len(self._flows_read) > _FLOWS_READ:
                del self._flows_read[next(iter(self._flows_read))]
        return found

    def recall_flow(self, db: sqlite3.Connection, name: str) -> Flow | None:
        """The flow called ``name`` as of now, kept for as long as nothing changes; None where there is none.

        Nobody waits for it: None, too, while another thread chooses or fits, and before the shelf is of today.
        """
        if not self._lock.acquire(blocking=False):
            return None
        try:
            if name not in self.flows.at or store.generation(db) != self.generation:
                return None
            return self.read_flow(db, name) if store.has_flow(db, name) else None
        finally:
            self._lock.release()

    # --- inside -----------------------------------------------------------------------------

    def _make_ready(self, db: sqlite3.Connection) -> None:
        if not self._facts_known:
            flow_facts.bring_up(db)
            self._facts_known = True

    def _come_forward(self, db: sqlite3.Connection) -> None:
        now, before = store.generation(db), self.generation
        if now == before:
            return
        self.made.clear()
        self._flows_read.clear()
        bulk = int(store.fact(db, "bulk") or 0) > before
        self._count(db, before < 0 or bulk)
        if before < 0 or (self._small and (bulk or flow_facts.changed_since(db, before))):
            self.flows, self.prompts = FlowTable(self._dimension), PromptTable(self._dimension)
            before = -1
            self._rows.clear()
        if not self._small:
            self._rows.clear()
        if before < 0 or self._small:
            self._fits.clear()
        elif bulk:
            self._fits = {k: (gen, MAKESHIFT, fit) for k, (gen, _, fit) in self._fits.items() if _takes_long(fit)}
        if before < 0 or bulk or self._small:
            self._fresh.clear()
        self.flows.read(db, before)
        self.prompts.read(db, before)
        self._keep_fits(db, before)
        self.generation = now

    def _keep_fits(self, db: sqlite3.Connection, before: int) -> None:
        """Go on with the fits that there are; a newer one that takes long to take up is taken up beside (``renew``)."""
        newer = [key for key, (generation, _, _) in self._fits.items() if _fit_generation(db, key) > generation]
        self.behind = [key for key in newer if _takes_long(self._fits[key][2])]
        for key in set(newer) - set(self.behind):
            del self._fits[key]
        for key, (_, _, fit) in self._fits.items():
            fit.extend()
            self._count_fresh(db, key, before)

    def _count(self, db: sqlite3.Connection, anew: bool) -> None:
        """Whether the index is small. Scores grow fewer only in bulk, so that many are not counted again."""
        if anew or not self._many_scores:
            self._many_scores = not _at_most(db, "evidence", SMALL_ROWS)
        self._small = not self._many_scores and _at_most(db, "flow_facts", SMALL_FLOWS)

    def _kept_fit(self, db: sqlite3.Connection, key: _Key) -> tuple[int, int, Fitted] | None:
        generation = _fit_generation(db, key)
        if generation < int(store.fact(db, "bulk") or 0):
            return None
        return self._unpack(db, key)

    def _unpack(self, db: sqlite3.Connection, key: _Key) -> tuple[int, int, Fitted]:
        row = db.execute("SELECT * FROM fits WHERE backend = ? AND learn_critic = ?", key).fetchone()
        cells, scorers = unpack_fit(row["data"], self.flows, self.prompts)
        self._fresh[key] = 0
        return int(row["generation"]), int(row["rows"]), Fitted(cells, scorers, self.flows, self.prompts)

    def _makeshift(self, db: sqlite3.Connection, key: _Key) -> tuple[int, int, Fitted]:
        """What answers until a bulk of scores is fitted: the fit before it, else of about ``QUICK_ROWS``."""
        if _fit_generation(db, key) >= 0:
            generation, _, fit = self._unpack(db, key)
            return generation, MAKESHIFT, fit
        share = QUICK_ROWS / int(db.execute("SELECT count(*) FROM evidence").fetchone()[0])
        scores, scorers = read_scores_of(db, *key, self.flows, self.prompts, share)
        return -1, MAKESHIFT, Fitted(fit_cells(scores), scorers, self.flows, self.prompts)

    def _new_fit(self, db: sqlite3.Connection, key: _Key) -> tuple[int, int, Fitted]:
        scores, scorers = self._bring_rows(db, key).gather()
        return self.generation, len(scores.value), Fitted(fit_cells(scores), scorers, self.flows, self.prompts)

    def _bring_rows(self, db: sqlite3.Connection, key: _Key) -> ScoreRows:
        """The scores of a small index as they are now."""
        since, rows = self._rows.get(key, (-1, None))
        if rows is None or (since < self.generation and not rows.bring_forward(db, since)):
            rows = ScoreRows(self.flows, self.prompts, *key).read(db)
        self._rows[key] = self.generation, rows
        return rows

    def _count_fresh(self, db: sqlite3.Connection, key: _Key, since: int) -> None:
        """Count the scores of ``key`` that changed after generation ``since``."""
        if self._small:
            return
        fit = self._fits[key][2]
        for row in db.execute(FRESH, (since, *key)):
            flow, prompt = self.flows.at.get(row["flow"]), self.prompts.at.get(row["prompt"])
            if flow is not None and prompt is not None and self.flows.graphs[flow] == row["graph_hash"]:
                unit = int(self.flows.unit.array[flow])
                fit.apply(Fresh(unit, prompt, row["scorer"], row["value"], FIT_WEIGHTS[row["source"]]))
                self._fresh[key] = self._fresh.get(key, 0) + 1


def fit_afresh(
    db: sqlite3.Connection, key: _Key, flows: FlowTable, prompts: PromptTable
) -> tuple[Cells, list[str], int]:  # fmt: skip
    """The fit of all scores of ``key`` as ``db`` shows them, the scorers' names, and how many scores there are."""
    scores, scorers = read_scores_of(db, *key, flows, prompts)
    return fit_cells(scores), scorers, len(scores.value)


def refit(db: sqlite3.Connection, key: _Key, dimension: int) -> None:
    """Fit the scores of ``key`` anew and keep the fit, unless another process was faster; raises the generation."""
    with _snapshot(db):
        generation = store.generation(db)
        flows, prompts = FlowTable(dimension), PromptTable(dimension)
        flows.read(db, -1)
        prompts.read(db, -1)
        cells, scorers, rows = fit_afresh(db, key, flows, prompts)
    data = pack_fit(cells, scorers, flows, prompts)
    with transaction(db):
        if _fit_generation(db, key) < generation:
            db.execute("INSERT OR REPLACE INTO fits VALUES (?, ?, ?, ?, ?)", (*key, generation, rows, data))
            oldest = db.execute("SELECT min(generation) FROM fits").fetchone()[0]
            db.execute("DELETE FROM fresh WHERE changed <= ?", (oldest,))
            store.bump(db)


def holds_much(db: sqlite3.Connection) -> bool:
    """Whether an index is so large that reading it takes a while."""
    return not (_at_most(db, "evidence", SMALL_ROWS) and _at_most(db, "flow_facts", SMALL_FLOWS))


def _takes_long(fit: Fitted) -> bool:
    return int(fit.cells.sum()) > QUICK_ROWS


def _fit_generation(db: sqlite3.Connection, key: _Key) -> int:
    row = db.execute("SELECT generation FROM fits WHERE backend = ? AND learn_critic = ?", key).fetchone()
    return -1 if row is None else int(row["generation"])


def _at_most(db: sqlite3.Connection, table: str, number: int) -> bool:
    query = f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT ?)"
    return int(db.execute(query, (number + 1,)).fetchone()[0]) <= number


@contextmanager
def _snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """Everything that is read inside is of one state."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")
