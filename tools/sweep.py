"""The sweep: measure flows on prompts, cell by cell, so that a killed sweep goes on where it stopped.

``python -m imagewright.tools.sweep --out FILE`` draws what has not been drawn yet, scores it, and writes the evidence
that the index reads.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from imagewright import registry
from imagewright.database import storage_errors
from imagewright.errors import BadInput
from imagewright.memory.artifacts import write_whole
from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.retrieval.evidence import EvidenceFile, PromptFacts, dump_evidence, parse_prompts, prompt_line
from imagewright.schemas import Flow, ParsedGroup, ParsedPrompt, ParsedRelation
from imagewright.settings import load_settings
from imagewright.t2i_backends.mini.captions import LARGE, SMALL, article_of, caption
from imagewright.t2i_backends.mini.world import Scene, sample_scene
from imagewright.t2i_backends.models.devices import read_format
from imagewright.t2i_backends.models.model_files import ModelFiles
from imagewright.tools.cells import CellStore, SweepProgress, measure
from imagewright.tools.command import end_with

_PROMPTS = 60
_SEED = 20_250
"""Seeds the choice of measuring prompts; apart from the seeds of training and of the tests."""
SCENE_SIZES = frozenset((*SMALL, *LARGE))
"""The size words of mini's captions; a caption gives all its things the same one."""
# --- prompts --------------------------------------------------------------------------------


def world_prompts(count: int = _PROMPTS, seed: int = _SEED) -> dict[str, PromptFacts]:
    """``count`` different captions of scenes of mini's world with what they say, the same every time."""
    rng = random.Random(seed)
    found: dict[str, PromptFacts] = {}
    while len(found) < count:
        scene = sample_scene(rng)
        text = caption(scene, rng)
        found.setdefault(text, PromptFacts(parse_scene(scene, text), scene_categories(scene)))
    return found


def parse_scene(scene: Scene, text: str) -> ParsedPrompt:
    """What the caption ``text`` of ``scene`` says: known exactly, because the scene is; only sizes are read off."""
    places = {"above": "top", "below": "bottom"}
    position = places.get(scene.position or "", scene.position or "")
    sizes = tuple(word for word in text.split() if word in SCENE_SIZES)[:1]
    groups = [
        ParsedGroup(
            object=group.shape,
            attributes=(*sizes, group.colour),
            count=group.count,
            position=position,  # type: ignore[arg-type]
            caption=" ".join([article_of((*sizes, group.colour)[0]), *sizes, group.colour, group.shape]),
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


def load_prompts(path: Path | None, count: int) -> dict[str, PromptFacts]:
    """The prompts in ``path`` (JSONL), written with ``count`` of mini's world where it is not there; those without it.

    Raises:
        BadInput: the file is not a list of prompts, or cannot be written.
    """
    if path is not None and path.exists():
        with storage_errors(path):
            return parse_prompts(path.read_text(encoding="utf-8").splitlines(), str(path))
    prompts = world_prompts(count)
    if path is not None:
        write_whole(path, "".join(prompt_line(text, facts) + "\n" for text, facts in prompts.items()).encode())
    return prompts


# --- the command ----------------------------------------------------------------------------


def _arguments() -> argparse.ArgumentParser:
    """The command line of the sweep."""
    parser = argparse.ArgumentParser(
        prog="python -m imagewright.tools.sweep", description="Measure flows by drawing; resumable at any moment."
    )
    parser.add_argument("--out", type=Path, required=True, help="the evidence file to write (JSONL)")
    parser.add_argument("--prompts", type=Path, help="a JSONL file of prompts; written with mini's world when absent")
    parser.add_argument("--count", type=int, default=_PROMPTS, help="how many prompts of mini's world (default 60)")
    parser.add_argument("--seeds", type=int, default=2, help="pictures for each flow and prompt (default 2)")
    parser.add_argument("--flows", nargs="+", metavar="ID", help="shipped flows to measure (default: mini's)")
    parser.add_argument("--backend", default="diffusers")
    parser.add_argument("--scorer", default="detector")
    parser.add_argument("--store", type=Path, help="where finished cells are kept (default: in IMAGEWRIGHT_HOME)")
    return parser


def _run(options: argparse.Namespace) -> str:
    """Do what the command line asks; the line to print at the end.

    Raises:
        ImagewrightError: anything that the person can cure.
    """
    if options.seeds < 1 or options.count < 1:
        raise BadInput("--seeds and --count must be whole numbers from 1", "leave them out for 2 and 60")
    settings = load_settings()
    flows = _named_flows(options.flows)
    prompts = load_prompts(options.prompts, options.count)
    backend = registry.load("backends", options.backend)(settings)
    scorer = registry.load("scorers", options.scorer)()
    store = CellStore(options.store or settings.data_dir / "sweep.sqlite")
    files = ModelFiles(settings.model_roots)
    named = weights(flows, files, settings.device)
    rows = measure(flows, prompts, range(options.seeds), backend, scorer, store, Printer(), lambda f: named[f.id])
    made = {
        "scorer": scorer.name, "backend": backend.name, "models": ", ".join(sorted(set(named.values()))),
        "date": max(row.when for row in rows)[:10], "flows": str(len(flows)), "prompts": str(len(prompts)),
        "seeds": str(options.seeds), "scores": str(len(rows)),
    }  # fmt: skip
    write_whole(options.out, dump_evidence(EvidenceFile(tuple(rows), prompts, made)).encode())
    return f"{len(rows)} scores of {len(flows)} flows on {len(prompts)} prompts: {options.out}"


def weights(flows: Sequence[Flow], files: ModelFiles, device: str) -> dict[str, str]:
    """For each flow's id, its weights: every file's name with the head of its digest, and the format where stated."""
    stated = [*filter(None, [read_format(device)])]
    return {flow.id: " ".join([*_file_names(flow, files), *stated]) for flow in flows}


def _file_names(flow: Flow, files: ModelFiles) -> list[str]:
    found = {model: files.find(model.folder, model.name) for model in flow.card.models}
    return [f"{model.name}@{path.digest[:12]}" for model, path in found.items() if path is not None]


def _named_flows(ids: Sequence[str] | None) -> list[Flow]:
    shipped = {flow.id: flow for flow in load_shipped_flows()}
    unknown = [name for name in ids or () if name not in shipped]
    if unknown:
        raise BadInput(f"no shipped flow is called {unknown[0]!r}", f"shipped: {', '.join(shipped)}")
    return [shipped[name] for name in ids] if ids else [f for f in shipped.values() if f.card.ships_with_us]


class Printer:
    """Progress on stderr: one line that is overwritten on a terminal, a line every tenth of the way elsewhere."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __call__(self, state: SweepProgress) -> None:
        drawn = state.done - state.reused
        pace = (time.monotonic() - self.started) / drawn if drawn else 0.0
        line = f"{state.done}/{state.total} {state.flow} · {pace * (state.total - state.done) / 60:.0f} min to go"
        if sys.stderr.isatty():
            print(f"\r{line:<60}", end="" if state.done < state.total else "\n", file=sys.stderr, flush=True)
        elif state.done % max(1, state.total // 10) == 0:
            print(line, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    return end_with(lambda: _run(_arguments().parse_args(argv)))


if __name__ == "__main__":
    raise SystemExit(main())
