"""Changes of the boxes of a picture as a person or a program makes them by hand: by number, with exact places.

Nothing is read from words: which box, what becomes of it. ``agents.conversation.box_checks`` says what cannot be done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, ValidationError

from imagewright.errors import BadInput
from imagewright.geometry import Rectangle
from imagewright.values import Value

MOST_CHANGES = 32
"""How many boxes one order changes, adds and deletes."""
MOST_CAPTION = 200
"""Characters of a caption."""
LEAST_SIDE = 0.03
"""The shortest side of a box that is placed: half a patch of the smallest model that draws here."""
ROUNDING = 1e-3
"""By how much a box may reach beyond the canvas, where a sum of decimals does not come out."""
BOX_SIDES = ("x", "y", "width", "height")


class Spot(Rectangle, Value):
    """An exact place on the canvas, in shares of it."""

    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    width: float = Field(gt=0, le=1)
    height: float = Field(gt=0, le=1)


class BoxChange(Value):
    """What becomes of one box. What is not given stays; without ``box`` it is a new one, with a caption and all sides.

    Its values are checked against the layout that they are about, by ``agents.conversation.box_checks``.
    """

    box: int | None = None
    """Which one: its number in the layout of the picture that is changed, from 0."""
    caption: str | None = None
    x: float | None = None
    y: float | None = None
    width: float | None = None
    height: float | None = None
    delete: bool = False

    @property
    def places(self) -> bool:
        """Whether it says where the box stands or how large it is."""
        return any(getattr(self, side) is not None for side in BOX_SIDES)

    def to_spot(self, before: Rectangle | None = None) -> Spot:
        """Where the box then stands; what is not said is as ``before``. Cut at the canvas, four decimals."""
        given = {side: getattr(self, side) for side in BOX_SIDES}
        sides = {side: getattr(before, side) if value is None else value for side, value in given.items()}
        x, y = (min(max(sides[side], 0.0), 1.0) for side in ("x", "y"))
        width, height = min(sides["width"], 1 - x), min(sides["height"], 1 - y)
        return Spot(x=round(x, 4), y=round(y, 4), width=round(width, 4), height=round(height, 4))


class BoxOrder(Value):
    """A turn made by hand: the picture that is changed and what becomes of its boxes."""

    base: str = Field(max_length=60)
    """The run whose picture is changed."""
    changes: tuple[BoxChange, ...] = Field(max_length=MOST_CHANGES)
    said: str = ""
    """What was said beside: read as a change of the same picture; empty where nothing was."""


def read_changes(given: Sequence[BoxChange | Mapping[str, Any]]) -> tuple[BoxChange, ...]:
    """Changes that are given as their fields.

    Raises:
        BadInput: there is no such field, or its value is of another kind.
    """
    return tuple(_read_change(number, change) for number, change in enumerate(given))


def _read_change(number: int, given: BoxChange | Mapping[str, Any]) -> BoxChange:
    try:
        return BoxChange.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, (number, *first["loc"])))
        remedy = f"a change has {', '.join(BoxChange.model_fields)}"
        raise BadInput(f"a change of boxes cannot be used: {where}: {first['msg']}", remedy) from None


def is_elsewhere(spot: Rectangle, before: Rectangle) -> bool:
    """Whether ``spot`` is another place or size, more than rounding explains."""
    return any(abs(a - b) > ROUNDING for a, b in zip(spot.edges, before.edges, strict=True))
