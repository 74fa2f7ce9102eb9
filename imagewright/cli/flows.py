"""``imagewright flows``: what the index knows, and what it learns."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagewright.cli import complete
from imagewright.cli.options import JsonFlag, ModelsOption, read_prompt
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import clean, emit, emit_json, render, render_labelled, table
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from rich.console import RenderableType

    from imagewright.api import Added, Imagewright, Refused
    from imagewright.schemas import Flow, Readiness, SlotBinding

MOST_LINES = 60
"""How many refused files are told of one by one."""
SUMMED_UP_FROM = 10
"""From how many files on a line with the sums is printed at the end."""
_HELP = "imagewright flows edit --help"
_SLOT_HINT = "write NAME=NODE.INPUT, several with commas, or NAME= for none"
app = typer.Typer(help="Look into the index of flows, and add to it.", no_args_is_help=True)
FlowArgument = Annotated[str, typer.Argument(metavar="ID", help="The flow's id.", autocompletion=complete.flows)]
ComfyOption = Annotated[
    str | None, typer.Option(metavar="URL", help="A ComfyUI server whose nodes the workflows are read with.")
]


@app.command("list")
def list_flows(models: ModelsOption = None, as_json: JsonFlag = False) -> None:
    """List every flow and whether it can run here."""
    with engine(models) as opened:
        readiness = opened.readiness()
        flows = opened.index.list()
    if as_json:
        emit_json({"flows": [opened.describe_flow(flow, readiness[flow.id]) for flow in flows]})
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
        emit_json(opened.describe_flow(found, readiness, with_graph=True))
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
        "packs": ", ".join(sorted(set(card.packs.values()))),
        "slots": "; ".join(f"{name} {_places(places)}" for name, places in card.slots.items()),
        "licence": card.licence,
        "source": card.source,
        "same as": card.duplicate_of or "",
        "runs here": "yes" if readiness.runnable else f"no: {readiness.why_not}",
    }
    return render_labelled([(label, text) for label, text in rows.items() if text])


def _places(places: Sequence[SlotBinding]) -> str:
    return " ".join(f"{place.node}.{place.input}" for place in places)


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
            {**opened.describe_flow(flow, readiness[flow.id]), "similarity": round(similarity, 4)}
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
        servers = {each.id: opened.check_servers(each) for each in flows}
    if as_json:
        emit_json({"flows": [_checked(each, readiness[each.id], servers[each.id]) for each in flows]})
        return
    for each in flows:
        lines = [f"  {clean(problem.remedy)}" for problem in readiness[each.id].problems]
        able = [name for name, ready in servers[each.id].items() if ready.runnable]
        where = f"runs on {', '.join(able)}" if able else "runs here"
        emit("\n".join([f"{each.id}: {'missing' if lines else where}", *lines]))


def _checked(flow: Flow, readiness: Readiness, servers: Mapping[str, Readiness]) -> dict[str, Any]:
    """What a flow lacks, and where servers are named what it lacks on each."""
    found = {**_brief(flow, readiness), "problems": _problems(readiness)}
    return {**found, "servers": {name: _problems(ready) for name, ready in servers.items()}} if servers else found


def _brief(flow: Flow, readiness: Readiness) -> dict[str, Any]:
    return {"id": flow.id, "runnable": readiness.runnable, "why_not": readiness.why_not}


def _problems(readiness: Readiness) -> list[dict[str, Any]]:
    return [problem.model_dump(mode="json") for problem in readiness.problems]


@app.command("add")
def add_flows(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER|PNG...", help="Workflows of ComfyUI.")],
    comfyui: ComfyOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of flows with the same id.")] = False,
    models: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Add workflows: API or editor JSON, PNGs that ComfyUI saved, folders. The next prompt can be drawn with them."""
    from imagewright.api import Added, AlreadyThere

    with engine(models) as opened:
        told = list(opened.add_flows(paths, replace=replace, comfyui=comfyui))
        stored = [each for each in told if isinstance(each, Added)]
        engine_here = opened.backend()
        readiness = {each.flow.id: engine_here.check(each.flow) for each in stored}
    known = [each for each in told if isinstance(each, AlreadyThere)]
    refused = [each for each in told if not isinstance(each, Added | AlreadyThere)]
    flows = [opened.describe_flow(each.flow, readiness[each.flow.id]) for each in stored]
    if as_json:
        emit_json({"flows": flows, "errors": [_refusal(each) for each in refused], "notes": _notes(stored),
                   "known": [{"id": each.flow.id, "path": str(each.path)} for each in known]})  # fmt: skip
    else:
        _tell_added(stored, flows)
        for each in known:
            emit(f"{each.flow.id} is in the index already: nothing added for {each.path}")
    _tell_refused(refused, len(stored))
    if refused:
        raise typer.Exit(BadInput.exit_code)


def _refusal(refused: Refused) -> dict[str, Any]:
    error = refused.error
    return {
        "path": str(refused.path), "message": str(error), "remedy": error.remedy, "reasons": list(refused.reasons)
    }  # fmt: skip


def _notes(stored: Sequence[Added]) -> list[dict[str, Any]]:
    """What the conversions had to say, a row for each flow that it concerns."""
    told = [each for each in stored if each.skipped or each.notes]
    return [
        {"id": each.flow.id, "path": str(each.path), "skipped": list(each.skipped), "notes": list(each.notes)}
        for each in told
    ]


def _tell_added(stored: Sequence[Added], flows: Sequence[dict[str, Any]]) -> None:
    for each, flow in zip(stored, flows, strict=True):
        state = "runs here" if flow["runnable"] else flow["why_not"]
        same = f" [draws the same as {flow['duplicate_of']}]" if flow["duplicate_of"] else ""
        lines = [f"added {flow['id']}{same}: {clean(state)}"]
        lines += [f"  {clean(note)}" for note in each.notes]
        if each.skipped:
            lines.append(f"  left out: {clean('; '.join(each.skipped[:3]))}{_more(len(each.skipped) - 3)}")
        emit("\n".join(lines))


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _tell_refused(refused: Sequence[Refused], stored: int) -> None:
    for each in refused[:MOST_LINES]:
        where = "" if str(each.path) in str(each.error) else f"{each.path}: "
        print(clean(f"imagewright: {where}{each.error} ({each.error.remedy})"), file=sys.stderr)
    if len(refused) > MOST_LINES:
        print(f"imagewright: and {len(refused) - MOST_LINES} more (--json lists them all)", file=sys.stderr)
    if len(refused) + stored > SUMMED_UP_FROM:
        print(f"imagewright: {stored} flows added, {len(refused)} files refused", file=sys.stderr)


@app.command("remove")
def remove_flow(flow: FlowArgument) -> None:
    """Forget a flow; its scores stay, for when it is added again."""
    with engine() as opened:
        opened.index.remove(flow)
    emit(f"removed {flow}")


@app.command("disable")
def disable_flow(flow: FlowArgument) -> None:
    """Offer a flow no more, until it is enabled again."""
    with engine() as opened:
        opened.index.switch(flow, on=False)
    emit(f"{flow} is offered no more")


@app.command("enable")
def enable_flow(flow: FlowArgument) -> None:
    """Offer a flow again."""
    with engine() as opened:
        opened.index.switch(flow, on=True)
    emit(f"{flow} is offered again")


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


# --- what a card says can be corrected, each field or the whole of it ---------------------


@app.command("edit")
def edit_flow(
    flow: FlowArgument,
    title: Annotated[str | None, typer.Option(metavar="TEXT")] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is good at.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="WORD", help="All its tags; may be given again.")] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="text-to-image, image-to-image, upscale …")] = None,
    base_model: Annotated[str | None, typer.Option(metavar="NAME", help="The model that it draws with.")] = None,
    family: Annotated[str | None, typer.Option(metavar="NAME", help="flux, sdxl, sd15, sd3 …")] = None,
    licence: Annotated[str | None, typer.Option(metavar="TEXT")] = None,
    slot: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NODE.INPUT", help="Where a slot enters the graph; NAME= for nowhere."),
    ] = None,
    card: Annotated[Path | None, typer.Option(metavar="FILE", help="A JSON object with the fields to change.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Correct what the card of a flow says; without options, its card is opened in the editor ($EDITOR)."""
    words = {
        "title": title, "description": description, "tags": tag, "kind": kind, "base_model": base_model,
        "family": family, "licence": licence,
    }  # fmt: skip
    given = {name: value for name, value in words.items() if value is not None}
    with engine() as opened:
        before = opened.index.get(flow)
        fields = {**(opened.read_card(card) if card else {}), **given, **_slots(before, slot or ())}
        edited = opened.edit_flow(flow, lambda shown: fields or _in_editor(opened, flow, shown))
        readiness = opened.backend().check(edited)
    if as_json:
        emit_json(opened.describe_flow(edited, readiness))
    else:
        changed = sorted(name for name in fields if getattr(before.card, name) != getattr(edited.card, name))
        emit(f"{flow}: {', '.join(changed) or 'nothing'} changed" if fields else f"{flow}: edited")


def _slots(flow: Flow, given: Sequence[str]) -> dict[str, Any]:
    """The slots of the flow with those of ``given`` in their place."""
    slots: dict[str, Any] = {name: [place.model_dump() for place in found] for name, found in flow.card.slots.items()}
    for text in given:
        name, equals, places = text.partition("=")
        if not equals:
            raise BadInput(f"--slot {text[:60]!r} names no place", _SLOT_HINT)
        slots[name.strip()] = [_find_place(flow, place.strip()) for place in places.split(",") if place.strip()]
    return {"slots": {name: places for name, places in slots.items() if places}} if given else {}


def _find_place(flow: Flow, text: str) -> dict[str, str]:
    """Node and input; ids of nodes may hold dots and colons, inputs may hold dots, so the graph decides."""
    for node in flow.graph:
        if text.startswith(f"{node}.") and text[len(node) + 1 :] in flow.graph[node]["inputs"]:
            return {"node": node, "input": text[len(node) + 1 :]}
    raise BadInput(f"flow {flow.id!r} has no place {text[:80]!r}", f"{_SLOT_HINT}; see: imagewright flows show --json")


def _in_editor(opened: Imagewright, flow: str, fields: dict[str, Any]) -> dict[str, Any]:
    """What the person made of the card in their editor.

    Raises:
        BadInput: there is no editor, it fails, it was left without a change, or what was saved is no JSON object.
    """
    editor = opened.settings.editor
    if not editor:
        raise BadInput("no field is named, and no editor is set", f"set EDITOR, or: {_HELP}")
    shown = json.dumps(fields, indent=2, ensure_ascii=False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{flow}.json"
        file.write_text(shown, "utf-8")
        try:
            done = subprocess.run([*shlex.split(editor), str(file)], check=False)
        except (OSError, ValueError) as error:
            raise BadInput(f"the editor {editor!r} does not start: {error}", f"set EDITOR, or: {_HELP}") from None
        if done.returncode or file.read_text("utf-8", "replace") == shown:
            raise BadInput("the card was not changed in the editor", f"save it there, or: {_HELP}")
        try:
            return opened.read_card(file)
        except BadInput as error:
            raise BadInput(f"what was saved is no card: {error}", f"edit it again, or: {_HELP}") from None
