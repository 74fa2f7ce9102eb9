"""Where a box goes when a person has it moved or resized. Shares of the canvas, origin at the top left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagewright.schemas import Box, PlaceName

_EDGE = 0.02
"""The margin that boxes keep from the edge of the canvas and from one another."""
_MIN_SIDE = 0.06
_MAX_SIDE = 1 - 2 * _EDGE
_STEP = 0.05
"""By how much a growth is taken back until nothing is in the way."""
_PLACES: dict[str, tuple[float | None, float | None]] = {
    "left": (0.0, None),
    "right": (1.0, None),
    "top": (None, 0.0),
    "above": (None, 0.0),
    "bottom": (None, 1.0),
    "below": (None, 1.0),
    "middle": (0.5, 0.5),
    "top-left": (0.0, 0.0),
    "top-right": (1.0, 0.0),
    "bottom-left": (0.0, 1.0),
    "bottom-right": (1.0, 1.0),
}
"""Where on the canvas, from 0 (left, top) to 1; None keeps where it is."""


def _at(box: Box, x: float, y: float) -> Box:
    """``box`` with its top left corner at ``x, y``, pulled inside the canvas."""
    x = min(max(x, _EDGE), max(1 - _EDGE - box.width, 0.0))
    y = min(max(y, _EDGE), max(1 - _EDGE - box.height, 0.0))
    return box.model_copy(update={"x": round(x, 4), "y": round(y, 4)})


def shift(box: Box, across: float, down: float) -> Box:
    """``box`` moved, as far as the canvas goes."""
    return _at(box, box.x + across, box.y + down)


def centre(box: Box, x: float, y: float) -> Box:
    """``box`` with its centre at ``x, y``, pulled inside the canvas."""
    return _at(box, x - box.width / 2, y - box.height / 2)


def place_box(box: Box, place: PlaceName) -> Box:
    """``box`` at a place of the canvas; where it is for a word that names none."""
    across, down = _PLACES.get(place, (None, None))
    x = box.x if across is None else _EDGE + across * (1 - 2 * _EDGE - box.width)
    y = box.y if down is None else _EDGE + down * (1 - 2 * _EDGE - box.height)
    return _at(box, x, y)


def beside(box: Box, place: PlaceName, other: Box) -> Box | None:
    """``box`` in a place relative to ``other``; None where the canvas has no room for it there."""
    x, y = (other.centre[0] - box.width / 2, other.centre[1] - box.height / 2)
    if place == "inside":
        return centre(box, *other.centre)
    if place in ("left", "right"):
        x = other.x - _EDGE - box.width if place == "left" else other.x + other.width + _EDGE
    elif place in ("above", "top", "below", "bottom"):
        y = other.y - _EDGE - box.height if place in ("above", "top") else other.y + other.height + _EDGE
    else:
        rooms = [beside(box, side, other) for side in ("right", "left", "above", "below")]
        return next((room for room in rooms if room is not None), None)
    fits = -1e-9 <= x <= 1 - box.width + 1e-9 and -1e-9 <= y <= 1 - box.height + 1e-9
    inside = _at(box, x, y)
    return inside if fits or not overlaps(inside, [other]) else None


def exchange(box: Box, other: Box) -> tuple[Box, Box]:
    """Each with the other's centre."""
    return centre(box, *other.centre), centre(other, *box.centre)


def resize(box: Box, factor: float, others: Sequence[Box]) -> Box:
    """``box`` with sides ``factor`` times as long, kept off ``others`` as far as that goes.

    It grows about its centre, else away from what is in the way, else less; where even that is not free, it grows
    about its centre and overlaps.
    """
    for wanted in _factors(factor):
        for candidate in _grown(box, wanted):
            if not overlaps(candidate, others):
                return candidate
    return next(_grown(box, factor))


def _factors(factor: float) -> Iterator[float]:
    yield factor
    while factor - _STEP > 1.15:
        factor -= _STEP
        yield factor


def _grown(box: Box, factor: float) -> Iterator[Box]:
    width = min(max(box.width * factor, _MIN_SIDE), _MAX_SIDE)
    height = min(max(box.height * factor, _MIN_SIDE), _MAX_SIDE)
    sized = box.model_copy(update={"width": round(width, 4), "height": round(height, 4)})
    for across in (0.5, 0.0, 1.0):
        for down in (0.5, 1.0, 0.0):
            yield _at(sized, box.x - across * (width - box.width), box.y - down * (height - box.height))


def free_place(width: float, height: float, others: Sequence[Box], like: Box) -> Box:
    """Where a new box fits: the first free cell of a grid, shrunk in steps until there is one."""
    for shrink in (1.0, 0.85, 0.7, 0.55, 0.4):
        sized = like.model_copy(
            update={"width": max(width * shrink, _MIN_SIDE), "height": max(height * shrink, _MIN_SIDE)}
        )
        for candidate in _cells(sized):
            if not overlaps(candidate, others):
                return candidate
    return centre(like.model_copy(update={"width": width, "height": height}), 0.5, 0.5)


def _cells(box: Box) -> Iterator[Box]:
    for down in (0.5, 0.0, 1.0, 0.25, 0.75):
        for across in (0.5, 1.0, 0.0, 0.75, 0.25):
            yield _at(box, _EDGE + across * (1 - 2 * _EDGE - box.width), _EDGE + down * (1 - 2 * _EDGE - box.height))


def overlaps(box: Box, others: Sequence[Box]) -> bool:
    """Whether ``box`` shares area with any of ``others``."""
    return any(
        min(box.x + box.width, o.x + o.width) - max(box.x, o.x) > 1e-6
        and min(box.y + box.height, o.y + o.height) - max(box.y, o.y) > 1e-6
        for o in others
    )


def holds(relation: str, a: Box, b: Box) -> bool:
    """Whether ``a`` still stands in ``relation`` to ``b`` by their centres; True where centres cannot tell."""
    (ax, ay), (bx, by) = a.centre, b.centre
    return {"left": ax < bx, "right": ax > bx, "above": ay < by, "below": ay > by}.get(relation, True)
