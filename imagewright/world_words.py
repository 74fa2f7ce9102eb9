"""What the small models here can draw, in words and as a sheet of the shipped world's own drawings."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from imagewright.errors import BadInput
from imagewright.ports import StatesWorlds
from imagewright.schemas import MINI
from imagewright.worlds import World

if TYPE_CHECKING:
    from PIL import Image

    from imagewright.container import Container

_CELL, _ACROSS, _TEXT = 144, 7, 14


class KnownWorld(NamedTuple):
    """The world of one small model, and how many flows draw with it here."""

    model: str
    world: World
    flows: int


def list_worlds(container: Container, sheet: Path | None = None) -> tuple[KnownWorld, ...]:
    """The world of every model here that states one; drawings of the shipped model's go to the PNG ``sheet``.

    Raises:
        BadInput: there are no drawings, for the shipped model is not here; or the file cannot be written.
    """
    from imagewright.retrieval.readiness_of_all import list_able

    backend, found = container.backend(), dict[str, KnownWorld]()
    asked: set[tuple[str, int]] = set()  # flows of one need load the same files: one of them speaks for all
    able = list_able(container.index, backend)
    if isinstance(backend, StatesWorlds):
        for flow in able:
            name = flow.base or flow.id
            if name in found:
                found[name] = found[name]._replace(flows=found[name].flows + 1)
            elif (name, flow.need) not in asked:
                asked.add((name, flow.need))
                if (world := backend.state_world(container.index.get(flow.id))) is not None:
                    found[name] = KnownWorld(name, world, 1)
    if sheet is not None:
        write_sheet(found.get(MINI), sheet)
    return tuple(found.values())


def write_sheet(known: KnownWorld | None, path: Path) -> None:
    """Write a PNG with each thing, colour, background and style of the shipped world, as its model was taught them.

    Raises:
        BadInput: it is not the shipped model's world, of which alone there are drawings; or the file cannot be written.
    """
    from imagewright.memory.artifacts import write_whole

    if known is None or known.model != MINI:
        raise BadInput("there are drawings of the shipped model's words only", "leave --sheet out")
    buffer = io.BytesIO()
    _sheet(known.world).save(buffer, "PNG")
    write_whole(path, buffer.getvalue())


def _sheet(world: World) -> Image.Image:
    from PIL import Image, ImageDraw

    cells = _cells(world)
    rows = -(-len(cells) // _ACROSS)
    sheet = Image.new("RGB", (_ACROSS * _CELL, rows * (_CELL + _TEXT) + 2 * _TEXT), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((8, 6), "what mini was taught: drawn by the renderer of its training pictures, not by the model", "black")
    for place, (text, picture) in enumerate(cells):
        left, top = place % _ACROSS * _CELL + 8, place // _ACROSS * (_CELL + _TEXT) + 2 * _TEXT
        sheet.paste(picture, (left, top))
        pen.rectangle((left - 1, top - 1, left + picture.width, top + picture.height), outline="#bbbbbb")
        pen.text((left, top + picture.height + 1), text, "black")
    return sheet


def _cells(world: World) -> list[tuple[str, Image.Image]]:
    """A drawing of each thing, colour, background and style, with its name."""
    from imagewright.t2i_backends.mini.render import draw_scene
    from imagewright.t2i_backends.mini.world import Scene, Thing

    def drawn(thing: str, colour: str, paper: str, pattern: str = "plain", style: str = "flat") -> Image.Image:
        things = (Thing(thing, colour, 0.5, 0.5, 0.56),)
        return draw_scene(Scene((), None, None, paper, things, 0.5, pattern, style))

    def paper_for(colour: str) -> str:
        return next(paper for paper in world.papers if world.can_show(colour, paper))

    usual = world.usual_colours
    things = [
        (f"{usual[thing]} {thing}", drawn(thing, usual[thing], paper_for(usual[thing]))) for thing in world.things
    ]
    colours = [(f"{c} on {paper_for(c)}", drawn("circle", c, paper_for(c))) for c in world.colours]
    papers = [(f"{pattern} background", drawn("star", "blue", "yellow", pattern)) for pattern in world.patterns]
    styles = [(style, drawn("house", "red", "white", style=style)) for style in world.styles]
    return [*things, *colours, *papers, *styles]
