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


def shift(box: Box, across: float, down: float) -> Box:
    """``box`` moved, as far as the canvas goes."""
    return box.move_to(box.x + across, box.y + down, _EDGE)


def place_box(box: Box, place: PlaceName) -> Box:
    """``box`` at a place of the canvas; where it is for a word that names none."""
    across, down = _PLACES.get(place, (None, None))
    x = box.x if across is None else _EDGE + across * (1 - 2 * _EDGE - box.width)
    y = box.y if down is None else _EDGE + down * (1 - 2 * _EDGE - box.height)
    return box.move_to(x, y, _EDGE)


def beside(box: Box, place: PlaceName, other: Box) -> Box | None:
    """``box`` in a place relative to ``other``; None where the canvas has no room for it there."""
    x, y = (other.centre[0] - box.width / 2, other.centre[1] - box.height / 2)
    if place == "inside":
        return box.centre_at(*other.centre, _EDGE)
    if place in ("left", "right"):
        x = other.x - _EDGE - box.width if place == "left" else other.right + _EDGE
    elif place in ("above", "top", "below", "bottom"):
        y = other.y - _EDGE - box.height if place in ("above", "top") else other.bottom + _EDGE
    else:
        rooms = [beside(box, side, other) for side in ("right", "left", "above", "below")]
        return next((room for room in rooms if room is not None), None)
    fits = -1e-9 <= x <= 1 - box.width + 1e-9 and -1e-9 <= y <= 1 - box.height + 1e-9
    inside = box.move_to(x, y, _EDGE)
    return inside if fits or not inside.overlaps_any([other]) else None


def exchange(box: Box, other: Box) -> tuple[Box, Box]:
    """Each with the other's centre."""
    return box.centre_at(*other.centre, _EDGE), other.centre_at(*box.centre, _EDGE)


def resize(box: Box, factor: float, others: Sequence[Box]) -> Box:
    """``box`` with sides ``factor`` times as long, kept off ``others`` as far as that goes.

    It grows about its centre, else away from what is in the way, else less; where even that is not free, it grows
    about its centre and overlaps.
    """
    for wanted in _factors(factor):
        for candidate in _grown(box, wanted):
            if not candidate.overlaps_any(others):
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
            yield sized.move_to(box.x - across * (width - box.width), box.y - down * (height - box.height), _EDGE)


def free_place(width: float, height: float, others: Sequence[Box], like: Box) -> Box:
    """Where a new box fits: the first free cell of a grid, shrunk in steps until there is one."""
    for shrink in (1.0, 0.85, 0.7, 0.55, 0.4):
        sized = like.model_copy(
            update={"width": max(width * shrink, _MIN_SIDE), "height": max(height * shrink, _MIN_SIDE)}
        )
        for candidate in _cells(sized):
            if not candidate.overlaps_any(others):
                return candidate
    return like.model_copy(update={"width": width, "height": height}).centre_at(0.5, 0.5, _EDGE)


def _cells(box: Box) -> Iterator[Box]:
    for down in (0.5, 0.0, 1.0, 0.25, 0.75):
        for across in (0.5, 1.0, 0.0, 0.75, 0.25):
            x, y = (_EDGE + share * (1 - 2 * _EDGE - side) for share, side in ((across, box.width), (down, box.height)))
            yield box.move_to(x, y, _EDGE)


def holds(relation: str, a: Box, b: Box) -> bool:
    """Whether ``a`` still stands in ``relation`` to ``b`` by their centres; True where centres cannot tell."""
    across, down = a.displacement(b)
    return {"left": across > 0, "right": across < 0, "above": down > 0, "below": down < 0}.get(relation, True)
