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
from functools import partial
from pathlib import Path

import numpy as np

from imagewright.api import Imagewright
from imagewright.errors import Fault
from imagewright.evals.around import Around, invent_prompts, measure_around
from imagewright.evals.in_context import count_short_list, count_table
from imagewright.evals.made_up_index import BACKEND, Asked, MadeUpWorld, Size, make_index
from imagewright.evals.retrieving import GivenVectors, Loss, measure_loss, select
from imagewright.retrieval import store
from imagewright.retrieval.embed import Vector, word_pieces
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.neighbours import EXACT_UP_TO
from imagewright.retrieval.ready import Ready
from imagewright.schemas import Candidate, Evidence
from imagewright.settings import Settings
from imagewright.t2i_backends.diffusers_local import DiffusersBackend

DIMENSION = 384
PROMPTS = 200
"""How many prompts are chosen for."""
EXHAUSTIVE_SECONDS = 60.0
"""The ranking of everything is timed where it ends within that."""
_LOSS_PROMPTS = 100
_PLANS, _REQUESTS = 40, 12


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
    """Storing one thumb and counting it: its cells, its flow's mean, its flow's sums; the median of some."""
    rechoose: float
    """The first choice after it."""
    plan_p50: float
    """A whole plan of a prompt never seen, by an engine on this index: read, embedded, chosen for, laid out."""
    plan_p95: float
    around_p50: float
    """What a request costs around its picture (``around``)."""
    around_p95: float
    exhaustive: float | None
    """The ranking of everything; None where it takes longer than a minute."""
    loss: Loss | None
    """What retrieving loses against it; None where that would take longer than a minute."""
    memory: float
    """The peak above what the process had after its imports."""
    disk: float
    tokens: int
    """What a language model is handed: the selector's prompt with the short list."""
    table_tokens: int
    """What it would be handed if every flow's scores by category stood in its context, as ComfyGen's do
    (``in_context``)."""


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
    names = ("flows", "scores", "first", "select p50", "p95", "dot p50", "p95", "thumb", "rechoose", "plan p50", "p95",
             "around p50", "p95", "exhaustive", "as good", "memory", "disk", "tokens", "table")  # fmt: skip
    lines = ["  ".join(f"{name:>10}" for name in names)]
    for row in rows:
        good = "–" if row.loss is None else f"{row.loss.as_good / row.loss.prompts:.1%}"
        whole = "> 1 min" if row.exhaustive is None else f"{row.exhaustive:.1f}"
        cells = (row.flows, row.scores, f"{row.first:.0f}", f"{row.select_p50:.1f}", f"{row.select_p95:.1f}",
                 f"{row.dot_p50:.1f}", f"{row.dot_p95:.1f}", f"{row.thumb:.1f}", f"{row.rechoose:.1f}",
                 f"{row.plan_p50:.0f}", f"{row.plan_p95:.0f}", f"{row.around_p50:.0f}", f"{row.around_p95:.0f}",
                 whole, good, f"{row.memory:.0f}", f"{row.disk:.0f}", row.tokens, row.table_tokens)  # fmt: skip
        lines.append("  ".join(f"{cell!s:>10}" for cell in cells))
    lines += [
        "",
        "milliseconds and megabytes; dot: one vector with all cards; thumb: one score more, counted; rechoose: the",
        "choice after it; plan: of a prompt never seen; around: a request without drawing and the critic's looking",
        "as good: first choices within 0.001 of the ranking of everything; table: tokens of all scores in context",
    ]
    return "\n".join(lines)


# --- in the process of one size -----------------------------------------------------------------


def measure_one(home: Path, size: Size) -> Scaled:
    """Measure one size in this process."""
    before = _peak()
    folder = home / f"{size.flows}-{size.scores}"
    world = make_index(folder / "imagewright.sqlite", size, DIMENSION)
    asked = [world.prompt(number, asked=True) for number in range(PROMPTS)]
    index = _open(folder, asked)
    ready = index.ready_for(DiffusersBackend([], "cpu"))

    def choose(one: Asked, everything: bool = False) -> tuple[Candidate, ...]:
        return select(index, ready, one, everything)

    first, listed = _timed(lambda: choose(asked[0]))
    for one in asked[:5]:
        choose(one)
    index.neighbours.finish()
    cards = _cards(index)
    times = [(_timed(partial(choose, one))[0], _timed(partial(np.matmul, cards, one.vector))[0]) for one in asked]
    (p50, dot50), (p95, dot95) = np.percentile(np.array(times), (50, 95), axis=0).tolist()
    thumb, rechoose = _thumb(index, world, lambda: choose(asked[1]))
    memory = _peak() - before
    whole, loss = _compare(index, ready, asked)
    count = word_pieces()
    tokens = count_short_list(listed, asked[0].text, asked[0].labels, count) if isinstance(listed, tuple) else 0
    table = count_table(index, BACKEND, count)
    plan50, plan95, around = _run_whole(folder)
    disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    return Scaled(
        size.flows, size.scores, first, p50, p95, dot50, dot95, thumb, rechoose, plan50, plan95, around.p50, around.p95,
        whole, loss, memory, disk, tokens, table,
    )  # fmt: skip


def _open(folder: Path, asked: Sequence[Asked]) -> FlowIndex:
    """The made-up index with the shipped flows in it, fitted and with what serves its cards, as it is after a while."""
    engine = Imagewright(_settings(folder))
    engine.index.ensure_builtin()
    engine.close()
    index = FlowIndex(folder / "imagewright.sqlite", folder / "chroma", GivenVectors(asked, DIMENSION), _to_stderr)
    with index.reading() as db:
        kept = db.execute("SELECT max(generation) FROM fits WHERE backend = ?", (BACKEND,)).fetchone()[0]
        bulk = int(store.fact(db, "bulk") or 0)
    if kept is None or kept < bulk:
        index.refit(BACKEND)
    if len(index.ids()) > EXACT_UP_TO and index.neighbours.serving.generation() < 0:
        index.neighbours.serving.build()
    return index


def _settings(folder: Path) -> Settings:
    return Settings(data_dir=folder, model_roots=(folder / "models",), device="cpu")


def _compare(index: FlowIndex, ready: Ready, asked: Sequence[Asked]) -> tuple[float | None, Loss | None]:
    """The time of ranking everything, and what retrieving loses against it; None where that takes too long."""
    times = [_timed(partial(select, index, ready, one, True))[0] for one in asked[2:4]]
    if times[0] > 1e3 * EXHAUSTIVE_SECONDS:
        return None, None
    prompts = asked[: min(_LOSS_PROMPTS, int(1e3 * EXHAUSTIVE_SECONDS / (2 * times[0])))]
    return min(times), measure_loss(index, ready, prompts) if prompts else None


def _run_whole(folder: Path) -> tuple[float, float, Around]:
    """Plans and requests by an engine whose home this is: plans p50 and p95, and what requests cost."""
    engine = Imagewright(_settings(folder))
    try:
        prompts = list(invent_prompts(_PLANS + 3, seed=2))
        times = [_timed(partial(engine.plan, text))[0] for text in prompts][3:]
        p50, p95 = np.percentile(times, (50, 95)).tolist()
        return p50, p95, measure_around(engine, _REQUESTS)
    finally:
        engine.close()


def _thumb(index: FlowIndex, world: MadeUpWorld, choose: Callable[[], object]) -> tuple[float, float]:
    """The time of a thumb and of the choice after it, medians; the thumbs are taken back."""
    prompt = world.prompt(0).text
    with index.hold(BACKEND) as (_, shelf, _):
        flow, graph = shelf.flows.ids[0], shelf.flows.graphs[0]

    def learn(seed: int) -> None:
        row = Evidence(flow=flow, prompt=prompt, backend=BACKEND, scorer="person", value=1.0, seed=seed,
                       source="person", when="2026-01-01T00:00:00Z", graph_hash=graph)  # fmt: skip
        with index.writing() as db:
            store.put_evidence(db, row, "user", store.bump(db))
        with index.hold(BACKEND):
            pass

    learn(0)
    times = [(_timed(partial(learn, seed))[0], _timed(choose)[0]) for seed in range(1, 10)]
    with index.writing() as db:
        db.execute("DELETE FROM evidence WHERE scorer = 'person'")
        store.bump(db)
    thumb, rechoose = np.median(times, axis=0).tolist()
    return thumb, rechoose


def _timed(work: Callable[[], object]) -> tuple[float, object]:
    """Milliseconds, and the result."""
    start = time.perf_counter()
    found = work()
    return 1e3 * (time.perf_counter() - start), found


def _cards(index: FlowIndex) -> Vector:
    with index.hold(BACKEND) as (_, shelf, _):
        return shelf.flows.vectors


def _peak() -> float:
    """The most memory that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def _to_stderr(note: str) -> None:
    print(note, file=sys.stderr)


if __name__ == "__main__":
    _home, _flows, _scores = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(asdict(measure_one(_home, choose_size(_flows, _scores)))))
