"""The score matrix: every flow on the same prompts and seeds, scored by the evidence detector, cell by cell.

``python -m imagewright.evals.matrix --flows DIR --out FILE`` draws what has not been drawn yet, so a killed run goes on
where it stopped, and writes the compact file of ``retrieval/score_matrix.py``. A cell is known by the content of its
graph, prompt, seed, layout, backend, scorer and weights. Flows with the tag ``regions`` are drawn with the rules'
layout.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from imagewright import registry
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.errors import BadInput
from imagewright.graph.repairs.ladder import region
from imagewright.memory.artifacts import write_whole
from imagewright.retrieval.evidence import EvidenceFile
from imagewright.retrieval.intake import read_flow_file
from imagewright.retrieval.score_matrix import dump_matrix
from imagewright.schemas import Flow, Region
from imagewright.settings import load_settings
from imagewright.t2i_backends.models.model_files import ModelFiles
from imagewright.tools.cells import CellStore, measure
from imagewright.tools.command import end_with
from imagewright.tools.sweep import Printer, load_prompts, weights

_PROMPTS = 300
_SEEDS = 4


def layout_for(flow: Flow, prompt: str) -> tuple[Region, ...]:
    """The regions of the rules' layout for a flow that is run with one; none for any other."""
    if flow.card.layout != "regions":
        return ()
    return tuple(region(box) for box in RulesLayoutPlanner().plan(prompt).layout.boxes)


def flows_in(folder: Path, ids: Sequence[str] | None) -> list[Flow]:
    """The flows of ``folder``, or those called ``ids``.

    Raises:
        BadInput: there is none, or one is missing.
    """
    read = (read_flow_file(path).flow for path in sorted(folder.glob("*.json")))
    found = {flow.id: flow for flow in read}
    missing = [name for name in ids or () if name not in found]
    if missing or not found:
        raise BadInput(
            f"no flow {missing[0] if missing else ''!r} in {folder}",
            "write them with: python -m imagewright.tools.mini_flows --out DIR",
        )
    return [found[name] for name in ids] if ids else list(found.values())


def _arguments() -> argparse.ArgumentParser:
    """The command line of the matrix."""
    parser = argparse.ArgumentParser(prog="python -m imagewright.evals.matrix", description=__doc__)
    parser.add_argument("--flows", type=Path, required=True, help="the folder with the flows' JSON files")
    parser.add_argument("--only", nargs="+", metavar="ID", help="only these flows")
    parser.add_argument("--out", type=Path, required=True, help="the matrix to write")
    parser.add_argument("--prompts", type=Path, help="a JSONL file of prompts; written when it is not there")
    parser.add_argument("--count", type=int, default=_PROMPTS)
    parser.add_argument("--seeds", type=int, default=_SEEDS)
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
        raise BadInput(
            "--seeds and --count must be whole numbers from 1", f"leave them out for {_SEEDS} and {_PROMPTS}"
        )
    settings = load_settings()
    flows = flows_in(options.flows, options.only)
    prompts = load_prompts(options.prompts, options.count)
    backend = registry.load("backends", options.backend)(settings)
    scorer = registry.load("scorers", options.scorer)()
    store = CellStore(options.store or settings.data_dir / "sweep.sqlite")
    files = ModelFiles(settings.model_roots)
    seeds = range(options.seeds)
    named = weights(flows, files, settings.device)
    rows = measure(flows, prompts, seeds, backend, scorer, store, Printer(), lambda flow: named[flow.id], layout_for)
    made = {
        "scorer": scorer.name,
        "backend": backend.name,
        "date": max(row.when for row in rows)[:10],
        "models": ", ".join(sorted(set(named.values()))),
        "scores": str(len(rows)),
    }
    write_whole(options.out, dump_matrix(EvidenceFile(tuple(rows), prompts, made)).encode())
    return f"{len(rows)} scores of {len(flows)} flows on {len(prompts)} prompts: {options.out}"


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    return end_with(lambda: _run(_arguments().parse_args(argv)))


if __name__ == "__main__":
    raise SystemExit(main())
