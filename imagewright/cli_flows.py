"""``imagewright flows``: what the index knows, and what it learns."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagewright.cli_options import JsonFlag, ModelsOption, read_prompt
from imagewright.cli_runs import engine
from imagewright.cli_text import clean, emit, emit_json, labelled, render, table
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from rich.console import RenderableType

    from imagewright.schemas import Flow, Readiness

app = typer.Typer(help="Look into the index of flows, and add to it.", no_args_is_help=True)
FlowArgument = Annotated[str, typer.Argument(metavar="ID", help="The flow's id.")]


def _json(flow: Flow, readiness: Readiness, *, with_graph: bool = False) -> dict[str, Any]:
    from imagewright.retrieval.card import flow_json

    return flow_json(flow, readiness, with_graph=with_graph)


@app.command("list")
def list_flows(models: ModelsOption = None, as_json: JsonFlag = False) -> None:
    """List every flow and whether it can run here."""
    with engine(models) as opened:
        readiness = opened.readiness()
        flows = opened.index.list()
    if as_json:
        emit_json({"flows": [_json(flow, readiness[flow.id]) for flow in flows]})
    else:
        emit(render(_table(flows, readiness)))


def _table(flows: Sequence[Flow], readiness: dict[str, Readiness]) -> RenderableType:
    rows = [
        (
            flow.id,
            flow.card.base_model or flow.card.kind,
            "yes" if readiness[flow.id].runnable else "no",
            flow.card.title,
        )
        for flow in flows
    ]
    return table(("flow", "model", "runs", "title"), rows, stretch=3)


@app.command("show")
def show_flow(flow: FlowArgument, models: ModelsOption = None, as_json: JsonFlag = False) -> None:
    """Show one flow: its card, its slots, and what it needs here; with --json its graph too."""
    with engine(models) as opened:
        found = opened.index.get(flow)
        readiness = opened.readiness()[found.id]
    if as_json:
        emit_json(_json(found, readiness, with_graph=True))
    else:
        emit(render(_details(found, readiness)))


def _details(flow: Flow, readiness: Readiness) -> RenderableType:
    card = flow.card
    rows = {
        "flow": flow.id,
        "title": card.title,
        "about": card.description,
        "tags": ", ".join(card.tags),
        "kind": card.kind,
        "model": " · ".join(part for part in (card.base_model, card.family) if part),
        "files": ", ".join(f"{file.folder}/{file.name}" for file in card.models),
        "samplers": ", ".join(card.samplers),
        "nodes": ", ".join(card.node_classes),
        "slots": ", ".join(card.slots),
        "licence": card.licence,
        "source": card.source,
        "same as": card.duplicate_of or "",
        "runs here": "yes" if readiness.runnable else f"no: {readiness.why_not}",
    }
    return labelled([(label, text) for label, text in rows.items() if text])


@app.command("search")
def search_flows(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the flow should be good at.")],
    count: Annotated[int, typer.Option("-k", metavar="N", min=1, max=1000, help="How many.")] = 10,
    models: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Find flows by what their cards say, nearest first."""
    query = read_prompt(text)
    with engine(models) as opened:
        hits = opened.index.search(query, count)
        flows = [opened.index.get(flow) for flow, _ in hits]
        readiness = opened.readiness()
    if as_json:
        found = [
            {**_json(flow, readiness[flow.id]), "similarity": round(similarity, 4)}
            for flow, (_, similarity) in zip(flows, hits, strict=True)
        ]
        emit_json({"query": query, "flows": found})
    else:
        emit(render(_table(flows, readiness)))


@app.command("check")
def check_flows(
    flow: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="All, unless named.")] = None,
    models: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what each flow lacks here: nodes, files and their folders, memory."""
    with engine(models) as opened:
        flows = [opened.index.get(name) for name in flow] if flow else list(opened.index.list())
        readiness = opened.readiness()
    if as_json:
        found = [{**_brief(each, readiness[each.id]), "problems": _problems(readiness[each.id])} for each in flows]
        emit_json({"flows": found})
        return
    for each in flows:
        lines = [f"  {clean(problem.remedy)}" for problem in readiness[each.id].problems]
        emit("\n".join([f"{each.id}: {'missing' if lines else 'runs here'}", *lines]))


def _brief(flow: Flow, readiness: Readiness) -> dict[str, Any]:
    return {"id": flow.id, "runnable": readiness.runnable, "why_not": readiness.why_not}


def _problems(readiness: Readiness) -> list[dict[str, Any]]:
    return [problem.model_dump(mode="json") for problem in readiness.problems]


@app.command("add")
def add_flows(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="ComfyUI workflows in API format.")],
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of flows with the same id.")] = False,
    models: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Add flows; the next prompt can be drawn with them. A file that is no flow is named, and the rest is stored."""
    from imagewright.retrieval.intake import read_flow_files

    added: list[Flow] = []
    errors: list[tuple[Path, BadInput]] = []
    with engine(models) as opened:
        for read in read_flow_files([file for path in paths for file in _files(path)]):
            if isinstance(read, tuple):
                errors.append(read)
            else:
                added.append(opened.index.add(read, replace=replace, rename=not replace))
        readiness = opened.readiness()
    _show_added([_json(flow, readiness[flow.id]) for flow in added], errors, as_json)


def _files(path: Path) -> list[Path]:
    """The JSON files below a folder, sorted; a file, or what is not there, stays as it is."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.rglob("*.json") if file.is_file())
    if not files:
        raise BadInput(f"no .json file is in {path}", "name a folder with workflows in ComfyUI's API format")
    return files


def _show_added(added: list[dict[str, Any]], errors: list[tuple[Path, BadInput]], as_json: bool) -> None:
    if as_json:
        wrong = [{"path": str(path), "message": str(error), "remedy": error.remedy} for path, error in errors]
        emit_json({"flows": added, "errors": wrong})
    else:
        for flow in added:
            emit(f"added {flow['id']}: {'runs here' if flow['runnable'] else clean(flow['why_not'])}")
    for path, error in errors:
        where = "" if str(path) in str(error) else f"{path}: "
        print(clean(f"imagewright: {where}{error} ({error.remedy})"), file=sys.stderr)
    if errors:
        raise typer.Exit(BadInput.exit_code)


@app.command("reindex")
def reindex(as_json: JsonFlag = False) -> None:
    """Build the vector index anew from the database."""
    with engine() as opened:
        opened.index.reindex()
        count, generation = len(opened.index.list()), opened.index.generation
    if as_json:
        emit_json({"flows": count, "generation": generation})
    else:
        emit(f"{count} flows indexed anew, generation {generation}")
