"""What writing costs as an index grows: workflows added in one pass, scores learnt in a stream, and kill -9 in between.

``imagewright eval adding`` runs it. The workflows are the shipped ones with other steps, guidance, prompts and titles;
they go through ``add_flows`` in a process of its own, which tells after every part how long it took, also in seconds
of the processor, because the machine may have other work, and the most memory that it had. The scores are made up, and
go through ``add_scores``.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from imagewright.api import Imagewright
from imagewright.errors import Fault
from imagewright.retrieval.adding import BATCH
from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.settings import load_settings

_WORDS = "castle river fox owl lantern harbour violin orchard comet desert kettle meadow tram whale cathedral".split()
_STYLES = ("watercolour", "ink", "anime", "photo", "pixel art", "oil painting", "isometric", "poster")
_PROMPTS = 1000
PARTS = 10
_KILL_PARTS = 100
"""How often a process that is to be killed says how far it is."""
Work = Literal["flows", "scores"]


@dataclass(frozen=True)
class Part:
    """A part of the work: how much is done with it, its seconds, and the megabytes at their most so far."""

    done: int
    count: int
    """How many were done in it."""
    seconds: float
    cpu: float
    """Seconds of the processor."""
    memory: float
    """The most that the process had, above what it had before its first part."""


@dataclass(frozen=True)
class Written:
    """What was measured of one kind of work."""

    work: Work
    parts: list[Part]
    stored: int
    """How many are in the index at the end, as many as there were."""
    disk: float
    """Megabytes of the whole home."""
    kills: int

    @property
    def rate(self) -> float:
        """The rate of the last part by that of the first, by the processor's time."""
        first, last = self.parts[0], self.parts[-1]
        return (last.count / last.cpu) / (first.count / first.cpu)


def measure_adding(flows: int, scores: int, kills: int, seed: int = 1) -> Iterator[Written]:
    """Add so many workflows, learn so many scores, and add the workflows again with ``kills`` times kill -9 in between.

    Raises:
        Fault: a process failed, or something is not stored once.
    """
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "made"
        if flows:
            write_flows(made, flows, seed)
            yield _measure("flows", Path(name) / "home", made, flows)
        if scores:
            yield _measure("scores", Path(name) / "home", write_scores(Path(name) / "scores.jsonl", scores), scores)
        if flows and kills:
            yield _measure("flows", Path(name) / "killed", made, flows, kills, random.Random(seed))


def write_flows(folder: Path, count: int, seed: int) -> None:
    """``count`` workflow files, each different in what it draws and how."""
    rng, bases = random.Random(seed), load_shipped_flows()
    folder.mkdir(parents=True)
    for number in range(count):
        base = bases[number % len(bases)]
        graph = {node: {**each, "inputs": dict(each["inputs"])} for node, each in base.graph.items()}
        for each in graph.values():
            if "steps" in each["inputs"]:
                each["inputs"] |= {"steps": 1 + number % 200, "cfg": 1 + number // 200 + rng.random()}
        words = [rng.choice(_STYLES), *rng.sample(_WORDS, 2)]
        about = f"Good at {words[1]} and {words[2]} in the style {words[0]}."
        card = {"title": f"{' '.join(words)} {number}", "description": about}
        (folder / f"flow-{number:06}.json").write_text(json.dumps({"card": card, "graph": graph}))


def write_scores(file: Path, count: int) -> Path:
    """A file of ``count`` scores of evidence, in the order in which a sweep would write them."""
    with file.open("w") as out:
        out.write(json.dumps({"format": "imagewright-evidence", "version": 1, "made": {}}) + "\n")
        out.writelines(json.dumps({"prompt": _prompt(n), "categories": ["Objects"]}) + "\n" for n in range(_PROMPTS))
        for number in range(count):
            row = {"flow": f"flow-{number // _PROMPTS % 200:06}", "graph_hash": "0" * 64, "prompt": _prompt(number),
                   "backend": "diffusers", "scorer": "made-up", "seed": number // (200 * _PROMPTS),
                   "value": number * 7919 % 1000 / 1000, "when": "2026-01-01T00:00:00Z"}  # fmt: skip
            out.write(json.dumps(row) + "\n")
    return file


def _prompt(number: int) -> str:
    rng = random.Random(number % _PROMPTS)
    return f"{rng.choice(_STYLES)} of a {' and a '.join(rng.sample(_WORDS, 2))}, {number % _PROMPTS}"


def _measure(
    work: Work, home: Path, source: Path, count: int, kills: int = 0, rng: random.Random | None = None
) -> Written:
    parts: list[Part] = []
    killed = 0
    while True:
        command = [sys.executable, "-m", "imagewright.evals.adding", str(home), work, str(source), str(count)]
        with subprocess.Popen([*command, str(kills)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None  # it is a pipe
            left = rng.randint(2, 2 * _KILL_PARTS // (kills + 1)) if rng and killed < kills else -1
            parts, sent = [], False
            for line in process.stdout:
                parts.append(Part(**json.loads(line)))
                if len(parts) == left:
                    process.kill()
                    sent = True
        if process.returncode == 0:
            break
        if not sent:
            raise Fault(f"the process that adds {work} ended with {process.returncode}", "report this")
        killed += 1
    stored = _count(home, work)
    if stored != count:
        raise Fault(f"{stored} of {count} {work} are stored", "report this")
    disk = sum(file.stat().st_size for file in home.rglob("*") if file.is_file()) / 1e6
    return Written(work, parts, stored, disk, killed)


def _count(home: Path, work: Work) -> int:
    with closing(_engine(home)) as engine, engine.index.reading() as db:
        table = "flows" if work == "flows" else "evidence"
        return int(db.execute(f"SELECT count(*) FROM {table} WHERE origin = 'user'").fetchone()[0])


def _engine(home: Path) -> Imagewright:
    return Imagewright(load_settings({"IMAGEWRIGHT_HOME": str(home)}))


def format_adding(rows: Iterable[Written]) -> str:
    """Lines for a terminal."""
    lines = []
    for row in rows:
        after = f", killed {row.kills} times on the way" if row.kills else ""
        lines.append(f"{row.stored:,} {row.work} stored once each{after}; {row.disk:,.0f} MB in all")
        if not row.kills:
            lines.append(f"{row.work:>12}       of them     seconds  of the processor   memory")
            lines += [f"{p.done:12,}  {p.count:12,}  {p.seconds:10.1f}  {p.cpu:16.1f}  {p.memory:4.0f} MB"
                      for p in row.parts]  # fmt: skip
            lines += [f"rate of the last part by the first: {row.rate:.2f}"]
        lines.append("")
    return "\n".join(lines).strip()


# --- in the process that works ------------------------------------------------------------------


def _work(home: Path, work: str, source: Path, count: int, parts: int) -> None:
    """Do the work, and print a line of JSON after each part."""
    with closing(_engine(home)) as engine:
        engine.index.search(f"loads the embedder: {time.time()}", 1)
        start, cpu, base, told = time.perf_counter(), time.process_time(), _peak(), 0
        step = BATCH if work == "flows" else 1
        every = max(1, round(count / parts / step)) * step
        for done in _flows(engine, source) if work == "flows" else _scores(engine, source):
            if done - told >= every or (done == count and done - told >= every / 2):
                spent = time.perf_counter() - start, time.process_time() - cpu
                print(json.dumps(asdict(Part(done, done - told, *spent, _peak() - base))), flush=True)
                start, cpu, told = time.perf_counter(), time.process_time(), done


def _flows(engine: Imagewright, folder: Path) -> Iterator[int]:
    """The number of files that are done, after each."""
    for number, _ in enumerate(engine.add_flows([folder]), start=1):
        yield number


def _scores(engine: Imagewright, file: Path) -> Iterator[int]:
    """The number of scores that are stored, after each batch."""
    from imagewright.retrieval.evidence_stream import import_batches

    done = 0
    for scores, _ in import_batches(engine.index, file):
        done += scores
        yield done


def _peak() -> float:
    """The most memory that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    _home, _kind, _source, _number, _kills = sys.argv[1:]
    _work(Path(_home), _kind, Path(_source), int(_number), _KILL_PARTS if int(_kills) else PARTS)
