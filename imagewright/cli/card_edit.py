"""``imagewright flows edit``: what a card says is corrected, each field or the whole of it."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagewright.cli.options import FlowArgument, JsonFlag
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import emit, emit_json
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.api import Imagewright
    from imagewright.schemas import Flow

_HELP = "imagewright flows edit --help"
_SLOT_HINT = "write NAME=NODE.INPUT, several with commas, or NAME= for none"


def edit_flow(
    flow: FlowArgument,
    title: Annotated[str | None, typer.Option(metavar="TEXT")] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is good at.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="WORD", help="All its tags; may be given again.")] = None,
    layout: Annotated[
        str | None, typer.Option(metavar="USE", help="How it takes a layout: regions, words or either.")
    ] = None,
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
        "title": title, "description": description, "tags": tag, "layout": layout, "kind": kind,
        "base_model": base_model,
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
