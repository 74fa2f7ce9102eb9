"""``imagewright eval selection``: what the evidence is worth on prompts that it does not hold."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from imagewright.cli import runs as cli_runs
from imagewright.cli.options import JsonFlag, read_whole
from imagewright.cli.terminal.text import emit, emit_json
from imagewright.errors import BadInput

FileOption = Annotated[
    Path | None, typer.Option("--evidence", metavar="FILE", help="Evidence or a score matrix (default: what ships).")
]
FlowsOption = Annotated[
    Path | None, typer.Option("--flows", metavar="DIR", help="The flows' files (default: the index's flows).")
]


def selection(
    evidence: FileOption = None,
    flows: FlowsOption = None,
    folds: Annotated[str, typer.Option(metavar="N", help="How many parts are held out in turn.")] = "5",
    new_things: Annotated[
        bool, typer.Option("--new-things", help="Hold out whole combinations of things, not single prompts.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """How well the evidence predicts prompts that it does not hold: intervals, and each rule's choice. Draws nothing.

    Scores are the evidence's own, so this tells rules of choosing apart and judges no picture; ``eval ablation`` does.
    """
    parts = read_whole("--folds", folds, 100)
    if parts < 2:
        raise BadInput("--folds must be a whole number from 2", "leave it out for 5")
    from imagewright.evals import selection as held_out
    from imagewright.evals.matrix import flows_in
    from imagewright.retrieval.builtin import load_shipped_evidence
    from imagewright.retrieval.score_matrix import read_scores

    scores = load_shipped_evidence() if evidence is None else read_scores(evidence)
    with cli_runs.engine(None, None) as engine, tempfile.TemporaryDirectory() as home:
        known = list(engine.index.list()) if flows is None else flows_in(flows, None)
        key = held_out.by_things if new_things else held_out.by_prompt
        cells, outcomes = held_out.predict(scores, known, engine.index.embedder, Path(home), parts, key)
    result = held_out.report_selection(cells, outcomes, scores)
    return emit_json(result.as_json()) if as_json else emit(result.table())


def add_to(app: typer.Typer) -> None:
    """Give ``app`` the command."""
    app.command()(selection)
