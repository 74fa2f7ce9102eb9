"""``imagewright eval scale``: what choosing costs as the index grows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from imagewright.cli.options import JsonFlag, read_whole
from imagewright.cli.terminal.text import emit, emit_json
from imagewright.errors import BadInput

_MOST_FLOWS, _MOST_SCORES = 1_000_000, 10_000_000


def measure_scaling(
    flows: Annotated[str, typer.Option(metavar="N,N…", help="The sizes.")] = "310,10000,100000",
    evidence: Annotated[str, typer.Option(metavar="N", help="Scores of 100,000 flows.")] = "1000000",
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="Where the made-up indexes are kept.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Choose among made-up flows by the hundred thousand: times, memory, disk, tokens, and what retrieving loses.

    The first run makes the indexes, which takes minutes and a gigabyte or two; they are kept for the next.
    """
    sizes = [read_whole("--flows", each, _MOST_FLOWS) for each in flows.split(",")]
    scores = read_whole("--evidence", evidence, _MOST_SCORES)
    if 0 in (*sizes, scores):
        raise BadInput("--flows and --evidence are whole numbers from 1", "leave them out")
    from imagewright.evals.scale import format_scale, measure_scale
    from imagewright.settings import load_settings

    home = folder or load_settings().data_dir / "made-up"
    rows = list(measure_scale(sizes, scores, home))
    return emit_json({"sizes": [asdict(row) for row in rows]}) if as_json else emit(format_scale(rows))


def add_to(app: typer.Typer) -> None:
    """Give ``app`` the command."""
    app.command("scale")(measure_scaling)
