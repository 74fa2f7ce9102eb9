"""Where a box goes when a person has it moved or resized. Shares of the canvas, origin at the top left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagewright.box_changes import Spot
from imagewright.schemas import Box, PlaceName

EDIT_MARGIN = 0.02
"""The margin that boxes keep from the edge of the canvas and from one another."""
MIN_EDITED_SIDE = 0.06
_MARGIN, _MAIN = 0.1, 0.5
"""How far centres lie apart along an axis, as a share of both sides, and how much of their distance runs along it."""
_MAX_SIDE = 1 - 2 * EDIT_MARGIN
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


def put_at(box: Box, x: float, y: float) -> Box:
    """``box`` with its top left corner at ``x, y``, pulled inside the canvas."""
    return box.move_to(x, y, EDIT_MARGIN)


def put_in(box: Box, spot: Spot) -> Box:
    """``box`` exactly at ``spot``."""
    return box.model_copy(update={"x": spot.x, "y": spot.y, "width": spot.width, "height": spot.height})


def shift(box: Box, across: float, down: float) -> Box:
    """``box`` moved, as far as the canvas goes."""
    return put_at(box, box.x + across, box.y + down)


def shift_clear(box: Box, across: float, down: float, others: Sequence[Box]) -> Box:
    """``box`` moved that way as far as ``others`` leave free, a tenth at least; else all the way."""
    ahead = [other for other in others if not overlaps(box, [other])]
    for share in (1.0, 0.8, 0.6, 0.45, 0.3, 0.2, 0.1):
        moved = shift(box, across * share, down * share)
        if not overlaps(moved, ahead):
            return moved
    return shift(box, across, down)


def centre(box: Box, x: float, y: float) -> Box:
    """``box`` with its centre at ``x, y``, pulled inside the canvas."""
    return box.centre_at(x, y, EDIT_MARGIN)


def place_box(box: Box, place: PlaceName) -> Box:
    """``box`` at a place of the canvas; where it is for a word that names none."""
    across, down = _PLACES.get(place, (None, None))
    x = box.x if across is None else EDIT_MARGIN + across * (1 - 2 * EDIT_MARGIN - box.width)
    y = box.y if down is None else EDIT_MARGIN + down * (1 - 2 * EDIT_MARGIN - box.height)
    return put_at(box, x, y)


def mirror(box: Box, *, upright: bool = False) -> Box:
    """``box`` on the other side of the canvas: of its middle line, or of the level one where ``upright``."""
    if upright:
        return put_at(box, box.x, 1 - box.y - box.height)
    return put_at(box, 1 - box.x - box.width, box.y)


def surround(boxes: Sequence[Box]) -> Box:
    """The box around ``boxes``; the only one, where there is one."""
    first = boxes[0]
    if len(boxes) == 1:
        return first
    x, y = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.x + box.width for box in boxes), max(box.y + box.height for box in boxes)
    return first.model_copy(update={"x": x, "y": y, "width": right - x, "height": bottom - y})


def carry_along(box: Box, whole: Box, moved: Box) -> Box:
    """``box``, which lies in ``whole``, where it lies when ``whole`` has become ``moved``."""
    if whole == moved:
        return box
    if box == whole:
        return moved
    across, down = moved.width / whole.width, moved.height / whole.height
    x, y = moved.x + (box.x - whole.x) * across, moved.y + (box.y - whole.y) * down
    sized = {"width": round(box.width * across, 4), "height": round(box.height * down, 4)}
    return put_at(box.model_copy(update=sized), round(x, 4), round(y, 4))


def line_up(boxes: Sequence[Box], axis: int, level: float) -> list[Box]:
    """``boxes`` evenly along ``axis`` (0 across, 1 down) in the order in which they stand, smaller where they must be.

    ``level`` is where their centres lie on the other axis.
    """
    order = sorted(range(len(boxes)), key=lambda n: (round(boxes[n].centre[axis], 2), boxes[n].centre[1 - axis]))
    total = sum(boxes[n].height if axis else boxes[n].width for n in order)
    share = min(1.0, (1 - EDIT_MARGIN * (len(order) + 1)) / total)
    gap = (1 - share * total) / (len(order) + 1)
    placed, start = list(boxes), gap
    for n in order:
        width, height = round(boxes[n].width * share, 4), round(boxes[n].height * share, 4)
        sized = boxes[n].model_copy(update={"width": width, "height": height})
        middle = start + (height if axis else width) / 2
        placed[n] = centre(sized, level, middle) if axis else centre(sized, middle, level)
        start += (height if axis else width) + gap
    return placed


def exchange(box: Box, other: Box) -> tuple[Box, Box]:
    """Each with the other's centre, smaller where the canvas has no room for it there."""
    return _centred_on(box, other), _centred_on(other, box)


def _centred_on(box: Box, other: Box) -> Box:
    x, y = other.centre
    width, height = 2 * min(x, 1 - x) - 2 * EDIT_MARGIN, 2 * min(y, 1 - y) - 2 * EDIT_MARGIN
    share = max(min(1.0, width / box.width, height / box.height), 0.4)
    sized = {"width": round(box.width * share, 4), "height": round(box.height * share, 4)}
    return centre(box.model_copy(update=sized), x, y)


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
    width = min(max(box.width * factor, MIN_EDITED_SIDE), _MAX_SIDE)
    height = min(max(box.height * factor, MIN_EDITED_SIDE), _MAX_SIDE)
    sized = box.model_copy(update={"width": round(width, 4), "height": round(height, 4)})
    for across in (0.5, 0.0, 1.0):
        for down in (0.5, 1.0, 0.0):
            yield put_at(sized, box.x - across * (width - box.width), box.y - down * (height - box.height))


def free_place(width: float, height: float, others: Sequence[Box], like: Box) -> Box:
    """Where a new box fits: the first free cell of a grid, shrunk in steps until there is one."""
    for shrink in (1.0, 0.85, 0.7, 0.55, 0.4):
        sized = like.model_copy(
            update={"width": max(width * shrink, MIN_EDITED_SIDE), "height": max(height * shrink, MIN_EDITED_SIDE)}
        )
        for candidate in _cells(sized):
            if not overlaps(candidate, others):
                return candidate
    return like.model_copy(update={"width": width, "height": height}).centre_at(0.5, 0.5, EDIT_MARGIN)


def _cells(box: Box) -> Iterator[Box]:
    for down in (0.5, 0.0, 1.0, 0.25, 0.75):
        for across in (0.5, 1.0, 0.0, 0.75, 0.25):
            yield put_at(
                box,
                EDIT_MARGIN + across * (1 - 2 * EDIT_MARGIN - box.width),
                EDIT_MARGIN + down * (1 - 2 * EDIT_MARGIN - box.height),
            )


def overlaps(box: Box, others: Sequence[Box]) -> bool:
    """Whether ``box`` shares area with any of ``others``."""
    return box.overlaps_any(others)


def holds(relation: str, a: Box, b: Box) -> bool:
    """Whether ``a`` still stands in ``relation`` to ``b`` by their centres; True where centres cannot tell."""
    (ax, ay), (bx, by) = a.centre, b.centre
    return {"left": ax < bx, "right": ax > bx, "above": ay < by, "below": ay > by}.get(relation, True)


def stands_plainly(relation: str, a: Box, b: Box) -> bool:
    """Whether ``a`` stands in ``relation`` to ``b`` by GenEval's rules for centres; True where centres cannot tell."""
    (ax, ay), (bx, by) = a.centre, b.centre
    dx, dy = bx - ax, by - ay
    sides = {"left": (dx, a.width + b.width), "right": (-dx, a.width + b.width),
             "above": (dy, a.height + b.height), "below": (-dy, a.height + b.height)}  # fmt: skip
    if relation not in sides:
        return True
    along, both = sides[relation]
    return along > _MARGIN * both and along >= _MAIN * (dx * dx + dy * dy) ** 0.5
