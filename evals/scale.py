"""How choosing scales: time, memory, disk and tokens as an index grows from ComfyGen's 310 flows to a hundred thousand.

``imagewright eval scale`` runs it. Each size is measured in a process of its own on a made-up index
(``made_up_index``), which is kept for the next run. Times are taken in turns with a dot product over all cards on the
same machine, so that they can be held against it; no time is a claim about another machine.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from imagewright.errors import Fault
from imagewright.evals.made_up_index import Asked, MadeUpWorld, Size, make_index
from imagewright.evals.retrieving import GivenVectors, Loss, measure_loss, select
from imagewright.retrieval.embed import Vector
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.neighbours import EXACT_UP_TO
from imagewright.schemas import Candidate
from imagewright.t2i_backends.diffusers_local import DiffusersBackend

DIMENSION = 384
PROMPTS = 200
"""How many prompts are chosen for."""
EXHAUSTIVE_SECONDS = 60.0
"""The ranking of everything is timed where it ends within that."""
_LOSS_PROMPTS = 100
_LETTERS_A_TOKEN = 4.0


@dataclass(frozen=True)
class Scaled:
    """What one size costs. Times in milliseconds, memory and disk in megabytes."""

    flows: int
    scores: int
    first: float
    """The first choice of the process, with all that it reads."""
    select_p50: float
    select_p95: float
    dot_p50: float
    """A dot product of one vector with all cards."""
    dot_p95: float
    thumb: float
    """Storing one thumb, and choosing again."""
    exhaustive: float | None
    """The ranking of everything; None where it takes longer than a minute."""
    loss: Loss | None
    """What retrieving loses against it; None where that would take longer than a minute."""
    memory: float
    """The peak above what the process had after its imports."""
    disk: float
    tokens: int
    """What a language model is handed: the short list, at four letters a token."""
    table_tokens: int
    """What it would be handed if every flow's scores by category stood in its context, as ComfyGen's do."""


def choose_size(flows: int, scores: int, seed: int = 1) -> Size:
    """The made-up index of so many flows: scores in proportion to a hundred thousand flows, twenty prompts or more."""
    mine = max(1, round(scores * flows / 100_000)) if flows < 100_000 else scores
    return Size(flows, mine, int(min(10_000, max(300, mine / 20))), seed)


def measure_scale(flows: Sequence[int], scores: int, home: Path) -> Iterator[Scaled]:
    """A row for each size, each from a process of its own; ``home`` keeps the indexes.

    Raises:
        Fault: a process failed.
    """
    for count in flows:
        command = [sys.executable, "-m", "imagewright.evals.scale", str(home), str(count), str(scores)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Fault(f"{count} flows could not be measured: {done.stderr.strip()[-300:]}", "report this")
        found = json.loads(done.stdout.splitlines()[-1])
        loss = None if found["loss"] is None else Loss(**found["loss"])
        yield Scaled(**{**found, "loss": loss})


def format_scale(rows: Sequence[Scaled]) -> str:
    """Lines for a terminal."""
    names = ("flows", "scores", "first", "select p50", "p95", "dot p50", "p95", "thumb", "exhaustive", "as good",
             "memory", "disk", "tokens", "table")  # fmt: skip
    lines = ["  ".join(f"{name:>10}" for name in names)]
    for row in rows:
        good = "–" if row.loss is None else f"{row.loss.as_good / row.loss.prompts:.1%}"
        whole = "> 1 min" if row.exhaustive is None else f"{row.exhaustive:.1f}"
        cells = (row.flows, row.scores, f"{row.first:.0f}", f"{row.select_p50:.1f}", f"{row.select_p95:.1f}",
                 f"{row.dot_p50:.1f}", f"{row.dot_p95:.1f}", f"{row.thumb:.1f}", whole, good, f"{row.memory:.0f}",
                 f"{row.disk:.0f}", row.tokens, row.table_tokens)  # fmt: skip
        lines.append("  ".join(f"{cell!s:>10}" for cell in cells))
    lines += [
        "",
        "milliseconds and megabytes; dot: one vector with all cards; thumb: one score more, and a choice",
        "as good: first choices within 0.001 of the ranking of everything; table: tokens of all scores in context",
    ]
    return "\n".join(lines)


# --- in the process of one size -----------------------------------------------------------------


def measure_one(home: Path, size: Size) -> Scaled:
    """Measure one size in this process."""
    before = _peak()
    folder = home / f"{size.flows}-{size.scores}"
    world = make_index(folder / "index.sqlite", size, DIMENSION)
    asked = [world.prompt(number, asked=True) for number in range(PROMPTS)]
    index = FlowIndex(folder / "index.sqlite", folder / "chroma", GivenVectors(asked, DIMENSION), _to_stderr)
    if size.flows > EXACT_UP_TO and index.neighbours.serving.generation() < 0:
        index.neighbours.serving.build()
    ready = index.ready_for(DiffusersBackend([], "cpu"))

    def choose(one: Asked, everything: bool = False) -> tuple[Candidate, ...]:
        return select(index, ready, one, everything)

    first, listed = _timed(lambda: choose(asked[0]))
    for one in asked[:5]:
        choose(one)
    cards = _cards(index)
    times = [(_timed(lambda o=one: choose(o))[0], _timed(lambda o=one: cards @ o.vector)[0]) for one in asked]  # type: ignore[misc]
    mine, dots = np.array(times).T
    thumb = _thumb(index, world, lambda: choose(asked[1]))
    memory = _peak() - before
    whole, loss = None, None
    single = _timed(lambda: choose(asked[2], True))[0] / 1e3
    if single < EXHAUSTIVE_SECONDS:
        whole = 1e3 * min(single, _timed(lambda: choose(asked[3], True))[0] / 1e3)
        prompts = asked[: min(_LOSS_PROMPTS, int(EXHAUSTIVE_SECONDS / (2 * single)))]
        loss = measure_loss(index, ready, prompts) if prompts else None
    p50, p95 = np.percentile(mine, (50, 95)).tolist()
    dot50, dot95 = np.percentile(dots, (50, 95)).tolist()
    disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    return Scaled(
        size.flows, size.scores, first, p50, p95, dot50, dot95, thumb, whole, loss, memory, disk, _tokens(listed),
        size.flows * 30,
    )  # fmt: skip


def _thumb(index: FlowIndex, world: MadeUpWorld, choose: Callable[[], object]) -> float:
    """The time of a thumb and the choice after it; the thumb is taken back."""
    from imagewright.evals.made_up_index import BACKEND
    from imagewright.retrieval import store
    from imagewright.schemas import Evidence

    prompt = world.prompt(0).text
    with index.hold(BACKEND) as (_, shelf, _):
        flow, graph = shelf.flows.ids[0], shelf.flows.graphs[0]
    row = Evidence(flow=flow, prompt=prompt, backend=BACKEND, scorer="person", value=1.0, seed=1, source="person",
                   when="2026-01-01T00:00:00Z", graph_hash=graph)  # fmt: skip

    def learn() -> None:
        with index.writing() as db:
            store.put_evidence(db, row, "user", store.bump(db))
        choose()

    learn()
    found = _timed(learn)[0]
    with index.writing() as db:
        db.execute("DELETE FROM evidence WHERE scorer = 'person'")
        store.bump(db)
    return found


def _timed(work: Callable[[], object]) -> tuple[float, object]:
    """Milliseconds, and the result."""
    start = time.perf_counter()
    found = work()
    return 1e3 * (time.perf_counter() - start), found


def _cards(index: FlowIndex) -> Vector:
    from imagewright.evals.made_up_index import BACKEND

    with index.hold(BACKEND) as (_, shelf, _):
        return shelf.flows.vectors


def _tokens(listed: object) -> int:
    """What the selector's agent reads of a short list."""
    rows = [each.model_dump_json() for each in listed] if isinstance(listed, tuple) else []
    return round(sum(map(len, rows)) / _LETTERS_A_TOKEN)


def _peak() -> float:
    """The most memory that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def _to_stderr(note: str) -> None:
    print(note, file=sys.stderr)


if __name__ == "__main__":
    _home, _flows, _scores = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(asdict(measure_one(_home, choose_size(_flows, _scores)))))
