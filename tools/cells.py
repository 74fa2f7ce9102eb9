"""Measured cells: each is one flow, prompt, seed, backend and scorer, drawn once and kept, so that a kill loses little.

A cell's key is a hash of their contents, so that an edited flow or a newly trained model is measured anew and nothing
else is. ``sweep.py`` and the score matrix of the evals fill them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from imagewright.database import database, transaction
from imagewright.errors import CannotDraw, ImagewrightError
from imagewright.flow_format import graph_hash
from imagewright.ports import Backend, Drawn, DrawsTogether, Job, Scorer
from imagewright.retrieval.evidence import PromptFacts
from imagewright.schemas import Evidence, Flow, ParsedPrompt, Region

TOGETHER = 16
"""Cells drawn at once where the backend can do that; so many at most are lost when a sweep is killed."""
_TABLES = (
    """
    CREATE TABLE cells (
        key TEXT PRIMARY KEY, flow TEXT NOT NULL, graph_hash TEXT NOT NULL, prompt TEXT NOT NULL,
        backend TEXT NOT NULL, scorer TEXT NOT NULL, seed INTEGER NOT NULL, value REAL NOT NULL, seconds REAL NOT NULL,
        at TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
)


@dataclass(frozen=True)
class SweepProgress:
    """How far a sweep is: ``done`` of ``total`` cells, of which ``reused`` were measured in an earlier run."""

    done: int
    total: int
    reused: int
    flow: str


class CellStore:
    """Measured cells in an SQLite file; each is written as soon as it is scored."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, keys: Iterable[str]) -> dict[str, Evidence]:
        """The cells with those keys, as far as they were ever measured."""
        names = ("flow", "graph_hash", "prompt", "backend", "scorer", "seed", "value", "seconds")
        found = {}
        with database(self.path, "sweep", _TABLES) as db:
            for key in keys:
                row = db.execute("SELECT * FROM cells WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    found[key] = Evidence(**{name: row[name] for name in names}, when=row["at"])
        return found

    def put(self, key: str, row: Evidence) -> None:
        """Write one cell."""
        values = (key, row.flow, row.graph_hash, row.prompt, row.backend, row.scorer, row.seed, row.value, row.seconds)
        with database(self.path, "sweep", _TABLES) as db, transaction(db):
            db.execute("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, row.when))


Layouts = Callable[[Flow, str], tuple[Region, ...]]
"""The regions with which a flow draws a prompt; none for a flow that draws from words alone."""


def cell_key(
    flow: Flow, prompt: str, seed: int, backend: str, scorer: str, model: str, regions: Sequence[Region] = ()
) -> str:
    """The content hash of a cell; ``model`` identifies the weights that draw."""
    parts: list[object] = [graph_hash(flow.graph), prompt, seed, backend, scorer, model]
    if regions:
        parts.append([region.model_dump(mode="json") for region in regions])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class FlowCell:
    """What is measured once: a flow on a prompt with a seed, and the regions that the flow is given for it."""

    key: str
    flow: Flow
    prompt: str
    seed: int
    regions: tuple[Region, ...]

    @property
    def job(self) -> Job:
        """What the backend draws."""
        return Job(flow=self.flow, prompt=self.prompt, seed=self.seed, regions=self.regions)


def measure(
    flows: Sequence[Flow],
    prompts: Mapping[str, PromptFacts],
    seeds: Sequence[int],
    backend: Backend,
    scorer: Scorer,
    store: CellStore,
    progress: Callable[[SweepProgress], None],
    model: Callable[[Flow], str] = lambda flow: "",
    layouts: Layouts = lambda flow, prompt: (),
) -> list[Evidence]:
    """The score of every flow on every prompt with every seed; flow by flow, so that a model is loaded once.

    Cells that ``store`` holds are not drawn again; new ones are drawn together where the backend can do that, and
    stored before the next ones are begun. The same seeds are used for every flow, which takes the luck of a seed out of
    their comparison.

    Raises:
        CannotDraw: a flow cannot run on ``backend``; nothing is drawn then.
    """
    for flow in flows:
        readiness = backend.check(flow)
        if not readiness.runnable:
            raise CannotDraw(f"flow {flow.id!r} cannot run here: {readiness.why_not}", "name other flows with --flows")
    state = SweepProgress(0, len(flows) * len(prompts) * len(seeds), 0, "")
    found: list[Evidence] = []
    for flow in flows:
        identity, cells = model(flow), []
        for prompt in prompts:
            regions = layouts(flow, prompt)
            for seed in seeds:
                key = cell_key(flow, prompt, seed, backend.name, scorer.name, identity, regions)
                cells.append(FlowCell(key, flow, prompt, seed, regions))
        rows = store.find(cell.key for cell in cells)
        state = SweepProgress(state.done + len(rows), state.total, state.reused + len(rows), flow.id)
        progress(state)
        for cell, row in _new_rows([cell for cell in cells if cell.key not in rows], prompts, backend, scorer):
            store.put(cell.key, row)
            rows[cell.key] = row
            state = SweepProgress(state.done + 1, state.total, state.reused, flow.id)
            progress(state)
        found += [rows[cell.key].model_copy(update={"flow": flow.id}) for cell in cells]
    return found


def _new_rows(
    cells: Sequence[FlowCell], prompts: Mapping[str, PromptFacts], backend: Backend, scorer: Scorer
) -> Iterator[tuple[FlowCell, Evidence]]:
    """Each of ``cells`` with its score, as soon as it is known.

    Raises:
        ImagewrightError: a cell cannot be drawn; those that were drawn with it come first.
    """
    size = TOGETHER if isinstance(backend, DrawsTogether) else 1
    cells = sorted(cells, key=lambda cell: len(cell.regions))  # passes of other lengths do not go together
    for first in range(0, len(cells), size):
        part = cells[first : first + size]
        pictures = _drawn(part, backend)
        for cell, drawn in zip(part, pictures, strict=True):
            if isinstance(drawn, Drawn):
                facts = prompts[cell.prompt].parsed or ParsedPrompt()
                yield cell, _evidence(cell, drawn, scorer.score(cell.prompt, facts, drawn.image), backend, scorer)
        for drawn in pictures:
            if not isinstance(drawn, Drawn):
                raise drawn


def _drawn(cells: Sequence[FlowCell], backend: Backend) -> Sequence[Drawn | ImagewrightError]:
    if isinstance(backend, DrawsTogether):
        return backend.draw_many([cell.job for cell in cells], lambda: False)
    return [backend.draw(cell.job, lambda step: None, lambda: False) for cell in cells]


def _evidence(cell: FlowCell, drawn: Drawn, value: float, backend: Backend, scorer: Scorer) -> Evidence:
    return Evidence(
        flow=cell.flow.id,
        prompt=cell.prompt,
        backend=backend.name,
        scorer=scorer.name,
        value=round(float(value), 6),
        seed=cell.seed,
        seconds=round(drawn.seconds, 3),
        when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        graph_hash=graph_hash(cell.flow.graph),
    )
