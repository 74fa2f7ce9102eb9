"""``imagewright words``: what the small model here can draw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagewright.cli.options import JsonFlag, ModelsOption
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import clean, emit, emit_json, render, render_labelled
from imagewright.errors import CannotDraw


def words(
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a PNG of all of it: the drawings it was taught with.")
    ] = None,
    models: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List what the small model can draw: things, colours, numbers, relations, backgrounds and styles."""
    with engine(models) as opened:
        path = sheet.expanduser().absolute() if sheet is not None else None
        known = opened.list_worlds(path)
        if not known:
            raise CannotDraw("no model here has a closed list of words", "imagewright flows list has what there is")
    if as_json:
        worlds = [{"model": k.model, "flows": k.flows, **k.world.model_dump(mode="json")} for k in known]
        emit_json({"worlds": worlds, "sheet": str(path) if path else None})
        return
    for model, world, _ in known:
        emit(f"{clean(model)} draws this and nothing else; what a prompt leaves open is filled in, and said:")
        emit(render(render_labelled(world.list_words())))
    emit('try: imagewright draw "two red cups left of a tree"')
    emit("a larger model draws anything: imagewright flows list has them, and what each needs")
    if path:
        emit(clean(f"drawn as it was taught, by the renderer of the training pictures: {path}"))
