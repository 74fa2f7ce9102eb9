"""``imagewright flows``: what the index knows, and what it learns."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagewright.cli.card_edit import edit_flow
from imagewright.cli.options import FlowArgument, JsonFlag, ModelsOption, read_prompt
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import (
    Labelled,
    Table,
    clean,
    emit,
    emit_json,
    emit_prose,
    render,
    render_labelled,
    table,
)
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.api import Added, FlowPage, FlowSize, Imagewright, ListedFlow, Refused
    from imagewright.schemas import Flow, Readiness, SlotBinding

MOST_LINES = 60
"""How many refused files are told of one by one."""
SUMMED_UP_FROM = 10
"""From how many files on a line with the sums is printed at the end."""
app = typer.Typer(help="Look into the index of flows, and add to it.", no_args_is_help=True)
ComfyOption = Annotated[
    str | None, typer.Option(metavar="URL", help="A ComfyUI server whose nodes the workflows are read with.")
]


@app.command("list")
def list_flows(
    runnable: Annotated[
        bool | None, typer.Option("--runnable/--not-runnable", help="Only those that can run here, or cannot.")
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME", help="Part of the name of a base model or a model file.")] = "",
    kind: Annotated[str, typer.Option(metavar="KIND", help="text-to-image, image-to-image, upscale …")] = "",
    search: Annotated[str, typer.Option(metavar="WORDS", help="Words of id, title, description or tags.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many at most.")] = 100,
    offset: Annotated[int, typer.Option(metavar="N", min=0, help="How many to pass over.")] = 0,
    models: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List flows by id and whether they can run here, a page at a time; all filters must fit."""
    with engine(models) as opened:
        page = opened.list_flows(
            runnable=runnable, model=model, kind=kind, search=search, limit=limit, offset=offset
        )  # fmt: skip
    if as_json:
        emit_json({"flows": [_describe(opened, each) for each in page.flows], "total": page.total, "next": page.next})
        return
    emit(render(_table(opened, page.flows)) if page.flows else "no flow fits" if not page.total else "no more flows")
    if page.next is not None or offset:
        emit(_place(page, offset))


def _place(page: FlowPage, offset: int) -> str:
    """Where in the whole a page stands, and how to go on."""
    more = "" if page.next is None else f"; go on with --offset {page.next}"
    first = f"flows {offset + 1:,} to {min(page.next or page.total, page.total):,} of " if page.flows else ""
    return f"{first}{page.total:,}{more}"


def _describe(opened: Imagewright, listed: ListedFlow) -> dict[str, Any]:
    found = opened.describe_flow(listed.flow, listed.readiness)
    return {**found, "model": listed.flow.card.base_model, "enabled": listed.enabled}


def _table(opened: Imagewright, flows: Sequence[ListedFlow]) -> Table:
    rows = [
        (
            flow.id,
            flow.card.base_model or flow.card.kind,
            ("yes" if readiness.runnable else "no") if enabled else "off",
            _side(opened.size_of(flow)),
            flow.card.title,
        )
        for flow, readiness, enabled in flows
    ]
    return table(("flow", "model", "runs", "size", "title"), rows, stretch=4)


def _side(size: FlowSize | None) -> str:
    """As ``--size`` takes it: ``128``, or ``1024x768``; ``-`` for a flow that states none."""
    return "-" if size is None else str(size.width) if size.width == size.height else f"{size.width}x{size.height}"


def _say_size(size: FlowSize | None) -> str:
    """What ``--size`` takes."""
    if size is None:
        return ""
    shape = f"{size.width}x{size.height} pixels"
    return f"{shape} and no other" if size.fixed else f"{shape}; --size WxH asks for another"


@app.command("show")
def show_flow(flow: FlowArgument, models: ModelsOption = None, as_json: JsonFlag = False) -> None:
    """Show one flow: its card, its slots, and what it needs here; with --json its graph too."""
    with engine(models) as opened:
        found = opened.index.get(flow)
        readiness = opened.backend().check(found)
    if as_json:
        emit_json(opened.describe_flow(found, readiness, with_graph=True))
    else:
        emit(render(_details(found, readiness, opened.size_of(found))))


def _details(flow: Flow, readiness: Readiness, size: FlowSize | None) -> Labelled:
    card = flow.card
    rows = {
        "flow": flow.id,
        "title": card.title,
        "about": card.description,
        "tags": ", ".join(card.labels),
        "kind": card.kind,
        "model": " · ".join(part for part in (card.base_model, card.family) if part),
        "size": _say_size(size),
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
        hits = opened.find_flows(query, count)
    if as_json:
        found = [{**_describe(opened, each), "similarity": round(similarity, 4)} for each, similarity in hits]
        emit_json({"query": query, "flows": found})
    else:
        emit(render(_table(opened, [each for each, _ in hits])))


@app.command("check")
def check_flows(
    flow: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="All, unless named.")] = None,
    models: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what each flow lacks here: nodes, files and their folders, memory."""
    with engine(models) as opened:
        asked = _checked(opened, flow) if flow else _check_all(opened)
        if as_json:
            emit_json({"flows": [_check_json(opened, *each) for each in asked]})
            return
        for each, readiness in asked:
            lines = [f"  {problem.remedy}" for problem in readiness.problems]
            emit_prose(f"{each.id}: {'missing' if lines else _where(opened, each)}", *lines)


def _check_json(opened: Imagewright, flow: Flow, readiness: Readiness) -> dict[str, Any]:
    """What a flow lacks, and where servers are named what it lacks on each."""
    found = {**_brief(flow, readiness), "problems": _problems(readiness)}
    servers = {name: _problems(ready) for name, ready in opened.check_servers(flow).items()}
    return {**found, "servers": servers} if servers else found


def _where(opened: Imagewright, flow: Flow) -> str:
    """Where a flow that runs does so."""
    able = [name for name, ready in opened.check_servers(flow).items() if ready.runnable]
    return f"runs on {', '.join(able)}" if able else "runs here"


def _checked(opened: Imagewright, names: Sequence[str]) -> list[tuple[Flow, Readiness]]:
    flows = [opened.index.get(name) for name in names]
    return [(flow, opened.backend().check(flow)) for flow in flows]


def _check_all(opened: Imagewright) -> Iterator[tuple[Flow, Readiness]]:
    """Every flow, read a page at a time."""
    offset: int | None = 0
    while offset is not None:
        page = opened.list_flows(offset=offset)
        yield from ((flow, readiness) for flow, readiness, _ in page.flows)
        offset = page.next


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

    stored, flows = 0, list[dict[str, Any]]()
    notes: list[dict[str, Any]] = []
    known: list[dict[str, Any]] = []
    refused: list[Refused] = []
    with engine(models) as opened:
        here = opened.backend()
        for each in opened.add_flows(paths, replace=replace, comfyui=comfyui):
            if isinstance(each, Added):
                flows.append(opened.describe_flow(each.flow, here.check(each.flow)))
                notes += _notes(each)
                if not as_json:
                    _tell_added(each, flows.pop())
                stored += 1
            elif isinstance(each, AlreadyThere):
                known.append({"id": each.flow.id, "path": str(each.path)})
                if not as_json:
                    _tell_known(known)
            else:
                refused.append(each)
    if as_json:
        errors = [_refusal(each) for each in refused]
        emit_json({"flows": flows, "errors": errors, "notes": notes, "known": known})
    _tell_refused(refused)
    _sum_up(stored, len(known), len(refused))
    if refused:
        raise typer.Exit(BadInput.exit_code)


def _refusal(refused: Refused) -> dict[str, Any]:
    error = refused.error
    return {
        "path": str(refused.path), "message": str(error), "remedy": error.remedy, "reasons": list(refused.reasons)
    }  # fmt: skip


def _notes(added: Added) -> list[dict[str, Any]]:
    """What the conversion had to say, in a row of its own, where it did."""
    row = {"id": added.flow.id, "path": str(added.path), "skipped": list(added.skipped), "notes": list(added.notes)}
    return [row] if added.skipped or added.notes else []


def _tell_added(each: Added, flow: dict[str, Any]) -> None:
    state = "runs here" if flow["runnable"] else flow["why_not"]
    same = f" [draws the same as {flow['duplicate_of']}]" if flow["duplicate_of"] else ""
    lines = [f"added {flow['id']}{same}: {clean(state)}"]
    lines += [f"  {clean(note)}" for note in each.notes]
    if each.skipped:
        lines.append(f"  left out: {clean('; '.join(each.skipped[:3]))}{_more(len(each.skipped) - 3)}")
    emit("\n".join(lines))


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _tell_known(known: Sequence[dict[str, Any]]) -> None:
    """Say of the newest that it is no news; of very many only that there are more."""
    if len(known) <= MOST_LINES:
        emit(f"{known[-1]['id']} is in the index already: nothing added for {clean(known[-1]['path'])}")
    elif len(known) == MOST_LINES + 1:
        emit("and more that are in the index already")


def _tell_refused(refused: Sequence[Refused]) -> None:
    for each in refused[:MOST_LINES]:
        where = "" if str(each.path) in str(each.error) else f"{each.path}: "
        print(clean(f"imagewright: {where}{each.error} ({each.error.remedy})"), file=sys.stderr)
    if len(refused) > MOST_LINES:
        print(f"imagewright: and {len(refused) - MOST_LINES} more (--json lists them all)", file=sys.stderr)


def _sum_up(stored: int, known: int, refused: int) -> None:
    if stored + known + refused > SUMMED_UP_FROM:
        there = f", {known} were there" if known else ""
        print(f"imagewright: {stored} flows added{there}, {refused} files refused", file=sys.stderr)


@app.command("remove")
def remove_flow(flow: FlowArgument) -> None:
    """Forget a flow; its scores stay, for when it is added again."""
    with engine() as opened:
        opened.remove_flow(flow)
    emit(f"removed {flow}")


@app.command("disable")
def disable_flow(flow: FlowArgument) -> None:
    """Offer a flow no more, until it is enabled again."""
    with engine() as opened:
        opened.switch_flow(flow, on=False)
    emit(f"{flow} is offered no more")


@app.command("enable")
def enable_flow(flow: FlowArgument) -> None:
    """Offer a flow again."""
    with engine() as opened:
        opened.switch_flow(flow, on=True)
    emit(f"{flow} is offered again")


@app.command("reindex")
def reindex(as_json: JsonFlag = False) -> None:
    """Build the vector index anew from the database."""
    with engine() as opened:
        opened.index.reindex()
        count, generation = len(opened.index.ids()), opened.index.generation
    if as_json:
        emit_json({"flows": count, "generation": generation})
    else:
        emit(f"{count} flows indexed anew, generation {generation}")


@app.command("learn")
def learn_scores(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Evidence, or a matrix of scores.")],
    as_json: JsonFlag = False,
) -> None:
    """Store the scores in files of any size; equal ones are stored once, so one that was stopped is started again."""
    with engine() as opened:
        found = [(file, opened.add_scores(file)) for file in files]
    if as_json:
        emit_json({"files": [{"path": str(file), **brought._asdict()} for file, brought in found]})
        return
    for file, brought in found:
        emit(f"{brought.scores:,} scores of {clean(str(file))} are stored")


app.command("edit")(edit_flow)
