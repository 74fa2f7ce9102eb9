"""The sweep: measure flows on prompts, cell by cell, so that a killed sweep goes on where it stopped.

``python -m imagewright.tools.sweep --out FILE`` draws what has not been drawn yet, scores it, and writes the evidence
that the index reads. A cell is one flow, prompt, seed, backend and scorer; its key is a hash of their contents, so
that an edited flow or a newly trained model is measured anew and nothing else is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from imagewright import registry
from imagewright.database import database, storage_errors, transaction
from imagewright.errors import BadInput, CannotDraw
from imagewright.flow_format import graph_hash
from imagewright.memory.artifacts import write_whole
from imagewright.ports import Backend, Job, Scorer
from imagewright.retrieval.builtin import shipped_flows
from imagewright.retrieval.evidence import EvidenceFile, PromptFacts, dump_evidence, parse_prompts, prompt_line
from imagewright.schemas import Evidence, Flow, ParsedGroup, ParsedPrompt, ParsedRelation, Region
from imagewright.settings import load_settings
from imagewright.t2i_backends.mini.editions import SHIPPED, Edition
from imagewright.t2i_backends.mini.world import Scene, article
from imagewright.t2i_backends.model_files import ModelFiles
from imagewright.tools.command import ended

PROMPTS = 60
SEED = 20_250
"""Seeds the choice of measuring prompts; apart from the seeds of training and of the tests."""
SIZES = frozenset({"small", "little", "tiny", "big", "large", "huge"})
"""The size words of mini's captions; a caption gives all its things the same one."""
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
class Progress:
    """How far a sweep is: ``done`` of ``total`` cells, of which ``reused`` were measured in an earlier run."""

    done: int
    total: int
    reused: int
    flow: str


class CellStore:
    """Measured cells in an SQLite file; each is written as soon as it is scored."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, key: str) -> Evidence | None:
        """The cell with that key; None when it was never measured."""
        with database(self.path, "sweep", _TABLES) as db:
            row = db.execute("SELECT * FROM cells WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        names = ("flow", "graph_hash", "prompt", "backend", "scorer", "seed", "value", "seconds")
        return Evidence(**{name: row[name] for name in names}, when=row["at"])

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


def measure(
    flows: Sequence[Flow],
    prompts: Mapping[str, PromptFacts],
    seeds: Sequence[int],
    backend: Backend,
    scorer: Scorer,
    store: CellStore,
    progress: Callable[[Progress], None],
    model: Callable[[Flow], str] = lambda flow: "",
    layouts: Layouts = lambda flow, prompt: (),
) -> list[Evidence]:
    """The score of every flow on every prompt with every seed; flow by flow, so that a model is loaded once.

    Cells that ``store`` holds are not drawn again; every new one is stored before the next is begun. The same seeds
    are used for every flow, which takes the luck of a seed out of their comparison.

    Raises:
        CannotDraw: a flow cannot run on ``backend``; nothing is drawn then.
    """
    for flow in flows:
        readiness = backend.check(flow)
        if not readiness.runnable:
            raise CannotDraw(f"flow {flow.id!r} cannot run here: {readiness.why_not}", "name other flows with --flows")
    state = Progress(0, len(flows) * len(prompts) * len(seeds), 0, "")
    found = []
    for flow in flows:
        identity = model(flow)
        for prompt, facts in prompts.items():
            regions = layouts(flow, prompt)
            for seed in seeds:
                key = cell_key(flow, prompt, seed, backend.name, scorer.name, identity, regions)
                row = store.get(key)
                reused = row is not None
                if row is None:
                    job = Job(flow=flow, prompt=prompt, seed=seed, regions=regions)
                    row = _measure_cell(job, facts.parsed or ParsedPrompt(), backend, scorer)
                    store.put(key, row)
                found.append(row.model_copy(update={"flow": flow.id}))
                state = Progress(state.done + 1, state.total, state.reused + reused, flow.id)
                progress(state)
    return found


def _measure_cell(job: Job, parsed: ParsedPrompt, backend: Backend, scorer: Scorer) -> Evidence:
    drawn = backend.draw(job, lambda step: None, lambda: False)
    return Evidence(
        flow=job.flow.id,
        prompt=job.prompt,
        backend=backend.name,
        scorer=scorer.name,
        value=round(float(scorer.score(job.prompt, parsed, drawn.image)), 6),
        seed=job.seed,
        seconds=round(drawn.seconds, 3),
        when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        graph_hash=graph_hash(job.flow.graph),
    )


# --- prompts --------------------------------------------------------------------------------


def world_prompts(count: int = PROMPTS, seed: int = SEED, edition: Edition = SHIPPED) -> dict[str, PromptFacts]:
    """``count`` different captions of scenes of mini's world with what they say, the same every time."""
    rng = random.Random(seed)
    found: dict[str, PromptFacts] = {}
    while len(found) < count:
        scene = edition.sample_any(rng)
        text = edition.caption(scene, rng)
        found.setdefault(text, PromptFacts(parsed_scene(scene, text), scene_categories(scene)))
    return found


def parsed_scene(scene: Scene, text: str) -> ParsedPrompt:
    """What the caption ``text`` of ``scene`` says: known exactly, because the scene is; only sizes are read off."""
    places = {"above": "top", "below": "bottom"}
    position = places.get(scene.position or "", scene.position or "")
    sizes = tuple(word for word in text.split() if word in SIZES)[:1]
    groups = [
        ParsedGroup(
            object=group.shape,
            attributes=(*sizes, group.colour),
            count=group.count,
            position=position,  # type: ignore[arg-type]
            caption=" ".join([article((*sizes, group.colour)[0]), *sizes, group.colour, group.shape]),
        )
        for group in scene.groups
    ]
    relation = {"subject": 0, "relation": scene.relation, "object": 1}
    relations = (ParsedRelation.model_validate(relation),) if scene.relation else ()
    return ParsedPrompt(groups=tuple(groups), relations=relations)


def scene_categories(scene: Scene) -> tuple[str, ...]:
    """The labels that the categorizer gives a scene's captions for certain."""
    holds = {
        "Abstract shapes": True,
        "Counting": any(group.count > 1 for group in scene.groups),
        "Spatial": scene.relation is not None or scene.position is not None,
        "Attribute binding": len(scene.groups) > 1,
        "Colours": True,
    }
    return tuple(label for label, true in holds.items() if true)


def load_prompts(path: Path | None, count: int, edition: Edition = SHIPPED) -> dict[str, PromptFacts]:
    """The prompts in ``path`` (JSONL), written with ``count`` of mini's world where it is not there; those without it.

    Raises:
        BadInput: the file is not a list of prompts, or cannot be written.
    """
    if path is not None and path.exists():
        with storage_errors(path):
            return parse_prompts(path.read_text(encoding="utf-8").splitlines(), str(path))
    prompts = world_prompts(count, edition=edition)
    if path is not None:
        write_whole(path, "".join(prompt_line(text, facts) + "\n" for text, facts in prompts.items()).encode())
    return prompts


# --- the command ----------------------------------------------------------------------------


def arguments() -> argparse.ArgumentParser:
    """The command line of the sweep."""
    parser = argparse.ArgumentParser(
        prog="python -m imagewright.tools.sweep", description="Measure flows by drawing; resumable at any moment."
    )
    parser.add_argument("--out", type=Path, required=True, help="the evidence file to write (JSONL)")
    parser.add_argument("--prompts", type=Path, help="a JSONL file of prompts; written with mini's world when absent")
    parser.add_argument("--count", type=int, default=PROMPTS, help="how many prompts of mini's world (default 60)")
    parser.add_argument("--seeds", type=int, default=2, help="pictures for each flow and prompt (default 2)")
    parser.add_argument("--flows", nargs="+", metavar="ID", help="shipped flows to measure (default: mini's)")
    parser.add_argument("--backend", default="diffusers")
    parser.add_argument("--scorer", default="detector")
    parser.add_argument("--store", type=Path, help="where finished cells are kept (default: in IMAGEWRIGHT_HOME)")
    return parser


def run(options: argparse.Namespace) -> str:
    """Do what the command line asks; the line to print at the end.

    Raises:
        ImagewrightError: anything that the person can cure.
    """
    if options.seeds < 1 or options.count < 1:
        raise BadInput("--seeds and --count must be whole numbers from 1", "leave them out for 2 and 60")
    settings = load_settings()
    flows = _named_flows(options.flows)
    prompts = load_prompts(options.prompts, options.count)
    backend = registry.load("backends", options.backend)(settings.model_roots, settings.device, settings.model_cache)
    scorer = registry.load("scorers", options.scorer)()
    store = CellStore(options.store or settings.data_dir / "sweep.sqlite")
    files = ModelFiles(settings.model_roots)
    rows = measure(flows, prompts, range(options.seeds), backend, scorer, store, Printer(), lambda f: weights(f, files))
    made = {
        "scorer": scorer.name, "backend": backend.name, "models": ", ".join(sorted({weights(f, files) for f in flows})),
        "date": max(row.when for row in rows)[:10], "flows": str(len(flows)), "prompts": str(len(prompts)),
        "seeds": str(options.seeds), "scores": str(len(rows)),
    }  # fmt: skip
    write_whole(options.out, dump_evidence(EvidenceFile(tuple(rows), prompts, made)).encode())
    return f"{len(rows)} scores of {len(flows)} flows on {len(prompts)} prompts: {options.out}"


def weights(flow: Flow, files: ModelFiles) -> str:
    """What identifies the weights that a flow draws with: each file's name and the head of its digest."""
    found = {model: files.find(model.folder, model.name) for model in flow.card.models}
    return " ".join(f"{model.name}@{path.digest[:12]}" for model, path in found.items() if path is not None)


def _named_flows(ids: Sequence[str] | None) -> list[Flow]:
    shipped = {flow.id: flow for flow in shipped_flows()}
    unknown = [name for name in ids or () if name not in shipped]
    if unknown:
        raise BadInput(f"no shipped flow is called {unknown[0]!r}", f"shipped: {', '.join(shipped)}")
    return [shipped[name] for name in ids] if ids else [f for f in shipped.values() if f.card.base_model == "mini"]


class Printer:
    """Progress on stderr: one line that is overwritten on a terminal, a line every tenth of the way elsewhere."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __call__(self, state: Progress) -> None:
        drawn = state.done - state.reused
        pace = (time.monotonic() - self.started) / drawn if drawn else 0.0
        line = f"{state.done}/{state.total} {state.flow} · {pace * (state.total - state.done) / 60:.0f} min to go"
        if sys.stderr.isatty():
            print(f"\r{line:<60}", end="" if state.done < state.total else "\n", file=sys.stderr, flush=True)
        elif state.done % max(1, state.total // 10) == 0:
            print(line, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    return ended(lambda: run(arguments().parse_args(argv)))


if __name__ == "__main__":
    raise SystemExit(main())
