"""Two boxes put into a place relative to one another, and what is in their way put aside. Shares of the canvas.

The asked place always comes first; then, in this order of dearness: what nobody named stays where it is, the other
thing keeps its place and size, the moved one its size, and the two stand in line.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from imagewright.agents.conversation import edit_geometry as geometry
from imagewright.agents.conversation.edit_geometry import EDIT_MARGIN, MIN_EDITED_SIDE
from imagewright.errors import Fault
from imagewright.schemas import Box, PlaceName

_AXIS: dict[str, tuple[int, int]] = {
    "left": (0, -1), "right": (0, 1), "above": (1, -1), "top": (1, -1), "below": (1, 1), "bottom": (1, 1),
}  # fmt: skip
"""The axis of a place, 0 across and 1 down, and its sense."""
_SIDES: dict[str, tuple[str, ...]] = {"behind": ("above",), "in-front": ("below",)}
"""As in a planned layout: what is farther away stands higher."""
_SCALES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
_SLIDES = tuple(step * 0.05 for step in sorted(range(-16, 17), key=abs))
_EXCHANGE, _SHIFT = 0.6, 4.0
"""What it costs to exchange two things, and to shift the one that is not moved, a canvas side."""
_ANEW = 0.3
"""What it costs that the other thing is drawn anew at all."""
_OWN, _FRESH = 2.0, 0.5
"""What it costs to take a moved thing's whole size, and that of one which is new."""
_IN_LINE = 0.8
"""How far the two may stand aside of one another, as a share of how far they are apart along the asked axis."""
_WITHIN = 0.7
"""The side of a thing that is put inside another, as a share of the other's."""
_GRID = 25


def put_beside(box: Box, place: PlaceName, other: Box, rest: Sequence[Box], *, fresh: bool = False) -> tuple[Box, Box]:
    """``box`` in ``place`` relative to ``other``, and ``other``, which gives way as little as it must.

    ``rest`` is what else is there: kept clear where that can be. For ``near`` and words that name no side, any side.
    A ``fresh`` box has no size that anybody knows: it is made smaller sooner than another thing is drawn anew.
    """
    if place == "inside":
        return _put_inside(box, other), other
    sides = (place,) if place in _AXIS else _SIDES.get(place, ("right", "left", "above", "below"))
    dearness = _FRESH if fresh else _OWN
    best = min((_arrange(box, side, other, rest, dearness) for side in sides), key=lambda one: one[0])
    return best[1], best[2]


def _put_inside(box: Box, other: Box) -> Box:
    share = min(1.0, _WITHIN * other.width / box.width, _WITHIN * other.height / box.height)
    return geometry.centre(_scaled(box, share), *other.centre)


def put_between(box: Box, one: Box, other: Box, rest: Sequence[Box]) -> tuple[tuple[Box, Box, Box], int]:
    """``box`` in the gap between two, smaller or with a wider gap where it does not fit; and the axis, 0 across.

    The axis is the one along which the two lie farther apart. ``rest`` is what else is there.
    """
    axis = 0 if abs(one.centre[0] - other.centre[0]) >= abs(one.centre[1] - other.centre[1]) else 1
    low, high = sorted((one, other), key=lambda it: it.centre[axis])
    best = min(
        (_in_gap(_scaled(box, mine), _scaled(low, its), _scaled(high, its), axis, rest, mine, its)
         for mine in _SCALES for its in _SCALES),
        key=lambda found: found[0],
    )  # fmt: skip
    _, moved, low_now, high_now = best
    return ((moved, low_now, high_now) if low is one else (moved, high_now, low_now)), axis


def _in_gap(
    box: Box, low: Box, high: Box, axis: int, rest: Sequence[Box], mine: float, its: float
) -> tuple[float, Box, Box, Box]:
    """One way: the two are parted until ``box`` fits between them; its price, then the three boxes."""
    side, start = _side(box, axis), _low(low, axis) + _side(low, axis)
    lack = side + 2 * EDIT_MARGIN - (_low(high, axis) - start)
    if lack > 0:
        back = min(lack / 2, max(_low(low, axis) - EDIT_MARGIN, 0.0))
        low = _set(low, axis, _low(low, axis) - back, _low(low, 1 - axis))
        high = _set(high, axis, _low(high, axis) + lack - back, _low(high, 1 - axis))
    middle = (_low(low, axis) + _side(low, axis) + _low(high, axis)) / 2
    level = (low.centre[1 - axis] + high.centre[1 - axis]) / 2
    moved = _set(box, axis, middle - side / 2, level - _side(box, 1 - axis) / 2)
    shifted = max(lack, 0.0)
    clash = _hidden(moved, [low, high, *rest]) + _hidden(low, rest) + _hidden(high, rest)
    return _OWN * (1 - mine) + 4 * (1 - its) + _SHIFT * shifted + 10 * clash, moved, low, high


_Priced = tuple[float, Box, Box]


def _arrange(box: Box, place: str, other: Box, rest: Sequence[Box], dearness: float) -> _Priced:
    """The cheapest way: its price, and the two boxes. There is always one: halves fit on any canvas."""
    best: _Priced | None = _exchanged(box, place, other, rest) if dearness == _OWN else None
    prices = {(mine, its): dearness * (1 - mine) + 4 * (1 - its) for mine in _SCALES for its in _SCALES}
    for scales, price in sorted(prices.items(), key=lambda item: item[1]):
        if best is not None and best[0] <= price:
            break
        for found in _beside(box, place, other, rest, scales, price):
            best = found if best is None or found[0] < best[0] - 1e-9 else best
    if best is None:
        raise Fault(f"no place {place} of {other.caption} was weighed")
    return best


def _exchanged(box: Box, place: str, other: Box, rest: Sequence[Box]) -> _Priced | None:
    """Each where the other was, where that is the asked place."""
    axis, sense = _AXIS[place]
    moved, gave_way = geometry.exchange(box, other)
    along = sense * (moved.centre[axis] - gave_way.centre[axis])
    aside = abs(moved.centre[1 - axis] - gave_way.centre[1 - axis])
    if aside > _IN_LINE * along or geometry.overlaps(moved, [gave_way]):
        return None
    return (
        _EXCHANGE * _distance(box, other) + aside + 10 * (_hidden(moved, rest) + _hidden(gave_way, rest)),
        moved,
        gave_way,
    )


def _beside(
    box: Box, place: str, other: Box, rest: Sequence[Box], scales: tuple[float, float], price: float
) -> Iterator[_Priced]:
    axis, sense = _AXIS[place]
    a, b = _scaled(box, scales[0]), _scaled(other, scales[1])
    if _side(a, axis) + _side(b, axis) > 1 - 3 * EDIT_MARGIN + 1e-6 and scales != (_SCALES[-1], _SCALES[-1]):
        return
    b = _given_way(b, axis, sense, _side(a, axis))
    at = _low(b, axis) - EDIT_MARGIN - _side(a, axis) if sense < 0 else _low(b, axis) + _side(b, axis) + EDIT_MARGIN
    price += (_ANEW if b != other else 0.0) + _SHIFT * _distance(b, other) + 10 * _hidden(b, rest)
    for slide in _SLIDES:
        moved = _set(a, axis, at, b.centre[1 - axis] + slide - _side(a, 1 - axis) / 2)
        aside = abs(moved.centre[1 - axis] - b.centre[1 - axis])
        if aside <= _IN_LINE * abs(moved.centre[axis] - b.centre[axis]):
            yield price + aside + 10 * _hidden(moved, rest), moved, b


def _given_way(other: Box, axis: int, sense: int, room: float) -> Box:
    """``other`` shifted along the axis until there is ``room`` on the asked side of it."""
    low, side = _low(other, axis), _side(other, axis)
    at = max(low, 1.5 * EDIT_MARGIN + room) if sense < 0 else min(low, 1 - 1.5 * EDIT_MARGIN - room - side)
    return _set(other, axis, at, _low(other, 1 - axis))


def _scaled(box: Box, share: float) -> Box:
    """``box`` with sides ``share`` times as long about its centre."""
    if share >= 1:
        return box
    width, height = max(box.width * share, MIN_EDITED_SIDE), max(box.height * share, MIN_EDITED_SIDE)
    sized = box.model_copy(update={"width": round(width, 4), "height": round(height, 4)})
    return geometry.centre(sized, *box.centre)


def _low(box: Box, axis: int) -> float:
    return (box.x, box.y)[axis]


def _side(box: Box, axis: int) -> float:
    return (box.width, box.height)[axis]


def _set(box: Box, axis: int, along: float, cross: float) -> Box:
    return geometry.put_at(box, along, cross) if axis == 0 else geometry.put_at(box, cross, along)


def _distance(a: Box, b: Box) -> float:
    return abs(a.centre[0] - b.centre[0]) + abs(a.centre[1] - b.centre[1])


def _hidden(box: Box, others: Sequence[Box]) -> float:
    """How much of the canvas ``box`` shares with ``others``; touching costs a little too."""
    shared = 0.0
    for other in others:
        width = min(box.x + box.width, other.x + other.width) - max(box.x, other.x)
        height = min(box.y + box.height, other.y + other.height) - max(box.y, other.y)
        shared += 0.02 + width * height if width > 1e-6 and height > 1e-6 else 0.0
    return shared


# --- what is in the way -----------------------------------------------------------------------


def give_way(box: Box, others: Sequence[Box]) -> Box:
    """``box`` off ``others``: the nearest free place, smaller only where there is none; where it is, where none is."""
    if not geometry.overlaps(box, others):
        return box
    for share in _SCALES:
        sized = _scaled(box, share)
        free = [spot for spot in _spots(sized) if not geometry.overlaps(spot, others)]
        if free:
            return min(free, key=lambda spot: (round(_distance(spot, box), 2), _bends(spot, box), spot.x, spot.y))
    return box


def _bends(spot: Box, box: Box) -> bool:
    """Whether it goes along both axes."""
    return abs(spot.x - box.x) > 1e-6 and abs(spot.y - box.y) > 1e-6


def _spots(box: Box) -> Iterator[Box]:
    wide, high = 1 - 2 * EDIT_MARGIN - box.width, 1 - 2 * EDIT_MARGIN - box.height
    for across, down in itertools.product(range(_GRID), range(_GRID)):
        yield geometry.put_at(box, EDIT_MARGIN + wide * across / (_GRID - 1), EDIT_MARGIN + high * down / (_GRID - 1))
    for step in range(-2 * _GRID, 2 * _GRID + 1):
        yield geometry.put_at(box, box.x + step / (2 * _GRID), box.y)
        yield geometry.put_at(box, box.x, box.y + step / (2 * _GRID))
