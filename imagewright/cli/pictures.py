"""``imagewright show`` and ``imagewright variations``: looking at what was drawn, and more of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from imagewright.cli import complete
from imagewright.cli.draw import Place, draw_many
from imagewright.cli.options import (
    DeviceOption,
    JsonFlag,
    ModelsOption,
    OpenFlag,
    QuietFlag,
    ServerFlag,
    new_name,
    read_whole,
)
from imagewright.cli.runs import engine, open_file
from imagewright.cli.terminal.preview import show as preview
from imagewright.cli.terminal.text import emit, emit_prose, keep_whole
from imagewright.errors import BadInput, CannotDraw
from imagewright.limits import MAX_VARIATIONS

_RunOrLast = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="The newest delivered one, unless named.", autocompletion=complete.runs),
]


def show(run: _RunOrLast = None, open_it: OpenFlag = False) -> None:
    """Show a run's picture in the terminal, where it can, and say where it is; --open opens it."""
    with engine() as opened:
        if run is None:
            found = next((row.result for row in opened.runs.list(100) if row.result is not None), None)
        else:
            found = opened.runs.get(run).result
    if found is None:
        which = "no run has delivered a picture yet" if run is None else f"run {run} has delivered no picture"
        raise BadInput(which, "`imagewright runs list` shows runs")
    path = Path(found.path)
    if not path.is_file():
        raise BadInput(
            f"{path} is not there any more", f"draw it again: imagewright runs replay {found.run} --out FILE.png"
        )
    if picture := preview(path, os.environ):
        emit(picture)
    emit_prose(f"{keep_whole(str(path))}  ({found.judgement}; {found.flow}, seed {found.seed}): {found.prompt}")
    if open_it:
        open_file(path)


def variations(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.", autocompletion=complete.runs)],
    count: Annotated[str, typer.Option("--count", metavar="N", help="How many.")] = "4",
    out: Annotated[str | None, typer.Option(metavar="FOLDER", help="A folder for them.")] = None,
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
    open_it: OpenFlag = False,
    server: ServerFlag = True,
) -> None:
    """Draw more pictures like RUN's: its words, flow and settings, other seeds; with a contact sheet."""
    many = read_whole("--count", count, MAX_VARIATIONS)
    with engine() as opened:
        request = opened.request_of(run)
    folder = Path(out).expanduser() if out else new_name(Path(), f"{request.prompt} variations", "")
    code = draw_many(request, many, folder, Place(models, device, as_json, quiet, open_it, server))
    if code == CannotDraw.exit_code:
        raise typer.Exit(code)
