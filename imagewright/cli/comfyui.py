"""``imagewright comfyui``: what is learnt from a ComfyUI server."""

from __future__ import annotations

from typing import Annotated

import typer

from imagewright.cli.options import JsonFlag
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import clean, emit, emit_json

app = typer.Typer(help="Learn from a ComfyUI server.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Learn from a ComfyUI server."""


@app.command("sync")
def sync(
    url: Annotated[str, typer.Argument(metavar="URL", help="Its address, like http://127.0.0.1:8188.")],
    as_json: JsonFlag = False,
) -> None:
    """Fetch the list of a server's nodes and keep it: workflows are read with it from then on."""
    with engine() as opened:
        synced = opened.sync_nodes(url)
    found, new, path = synced.nodes, len(synced.new), synced.path
    if as_json:
        emit_json({"source": found.source, "classes": len(found), "new": new, "path": str(path)})
    else:
        named = f"{len(found)} node classes of {clean(found.source)}"
        emit(f"{named}, {new} of them not in the shipped list; kept in {path}")
