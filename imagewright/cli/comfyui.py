"""``imagewright comfyui``: what is learnt from a ComfyUI server, and brought in from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagewright.cli.options import JsonFlag
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import clean, emit, emit_json

if TYPE_CHECKING:
    from imagewright.api import ImportedWorkflow

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


@app.command("import")
def import_workflows(
    server: Annotated[
        str | None, typer.Argument(metavar="[URL|NAME]", help="All servers of the settings, unless named.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring in a server's saved workflows, and the templates that it can run; said again, only what is new."""
    with engine() as opened:
        told = list(opened.import_comfyui(server))
    if as_json:
        emit_json({"workflows": [_as_json(each) for each in told]})
        return
    for each in told:
        emit(_line(each))
    words = [_word(each) for each in told]
    emit(", ".join(f"{words.count(word)} {word}" for word in ("added", "known", "refused")))


def _word(each: ImportedWorkflow) -> str:
    from imagewright.api import Added, AlreadyThere

    told = each.told
    return "added" if isinstance(told, Added) else "known" if isinstance(told, AlreadyThere) else "refused"


def _line(each: ImportedWorkflow) -> str:
    from imagewright.api import Refused

    if isinstance(each.told, Refused):
        return f"refused {clean(each.name)}: {clean(str(each.told.error))}"
    runs = each.readiness is not None and each.readiness.runnable
    why = "" if runs or each.readiness is None else f": {each.readiness.why_not}"
    where = f"runs on {each.server}" if runs else f"does not run on {each.server}{why}"
    return clean(f"{_word(each)} {each.told.flow.id} ({each.name}): {where}")


def _as_json(each: ImportedWorkflow) -> dict[str, Any]:
    from imagewright.api import Refused

    found: dict[str, Any] = {"server": each.server, "name": each.name, "outcome": _word(each)}
    if isinstance(each.told, Refused):
        return {**found, "message": str(each.told.error), "reasons": list(each.told.reasons)}
    ready = each.readiness
    return {
        **found,
        "flow": each.told.flow.id,
        "runnable": bool(ready and ready.runnable),
        "why_not": ready.why_not if ready else "",
    }
