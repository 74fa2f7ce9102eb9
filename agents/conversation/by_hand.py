"""Boxes that were changed by hand: the edits that this makes, and the turn in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagewright.agents.conversation.edits import recolour
from imagewright.agents.conversation.targets import name_of
from imagewright.agents.reading.lexicon import KNOWN_COLOURS
from imagewright.agents.reading.parse import parse_prompt
from imagewright.box_changes import BoxChange, is_elsewhere
from imagewright.geometry import Rectangle
from imagewright.intents import AnyEdit, PlaceEdit, PutEdit, RecolourEdit, RemoveEdit, ReplaceEdit
from imagewright.schemas import Box

_MOST_TOLD = 6
"""Changes that are told one by one."""
_MOVED = 0.02
"""How far a centre moves, or a side grows, before it is told: less is what resizing does to the other."""
_STRAIGHT = 0.4
"""Below which share of the other a way is not told: 30 degrees off is both ways."""


def list_edits(changes: Sequence[BoxChange], boxes: Sequence[Box]) -> tuple[AnyEdit, ...]:
    """The changes of ``check_changes`` as edits: first what goes or is another thing, then places, then new things.

    In that order nothing that is untouched has to give way.
    """
    return tuple(edit for step in (_removals, _names, _places, _additions) for edit in step(changes, boxes))


def _removals(changes: Sequence[BoxChange], boxes: Sequence[Box]) -> Iterator[AnyEdit]:
    gone = tuple(change.box for change in changes if change.delete and change.box is not None)
    if gone:
        yield RemoveEdit(boxes=gone)


def _names(changes: Sequence[BoxChange], boxes: Sequence[Box]) -> Iterator[AnyEdit]:
    for change in changes:
        if change.box is not None and change.caption is not None and change.caption != boxes[change.box].caption:
            yield _rename(change.box, boxes[change.box], change.caption)


def _rename(number: int, box: Box, caption: str) -> AnyEdit:
    """A recolouring where that is all: what is said of the thing, left of or above another, then stays said."""
    colours = [word for group in parse_prompt(caption).groups for word in group.attributes if word in KNOWN_COLOURS]
    for colour in colours:
        if recolour(box, colour).caption == caption:
            return RecolourEdit(boxes=(number,), text=colour)
    return ReplaceEdit(boxes=(number,), text=caption)


def _places(changes: Sequence[BoxChange], boxes: Sequence[Box]) -> Iterator[AnyEdit]:
    for change in changes:
        if change.box is not None and change.places and not change.delete:
            spot = change.to_spot(boxes[change.box])
            if is_elsewhere(spot, boxes[change.box]):
                yield PlaceEdit(boxes=(change.box,), spot=spot)


def _additions(changes: Sequence[BoxChange], boxes: Sequence[Box]) -> Iterator[AnyEdit]:
    for change in changes:
        if change.box is None:
            yield PutEdit(text=change.caption or "", spot=change.to_spot())


# --- in words ---------------------------------------------------------------------------------


def tell_changes(changes: Sequence[BoxChange], boxes: Sequence[Box]) -> str:
    """The changes as a person would tell them: "moved the red circle to the left; added a blue cup"."""
    told = [text for change in changes for text in _tell_one(change, boxes)]
    rest = len(told) - _MOST_TOLD
    more = (f"{rest} more change{'s' * (rest != 1)}",) if rest > 0 else ()
    return "; ".join((*told[:_MOST_TOLD], *more))


def _tell_one(change: BoxChange, boxes: Sequence[Box]) -> Iterator[str]:
    if change.box is None:
        yield f"added {change.caption}"
        return
    name, before = name_of(change.box, boxes), boxes[change.box]
    if change.delete:
        yield f"removed {name}"
        return
    if change.caption is not None and change.caption != before.caption:
        yield f"made {name} {change.caption}"
    if change.places and is_elsewhere(spot := change.to_spot(before), before):
        sized, moved = _tell_size(spot.width - before.width, spot.height - before.height), _tell_way(before, spot)
        if sized:
            yield f"made {name} {sized}"
        if moved or not sized:
            yield f"moved {name}{moved or ' a little'}"


def _tell_size(wider: float, taller: float) -> str:
    across = "wider" if wider > _MOVED else "narrower" if wider < -_MOVED else ""
    down = "taller" if taller > _MOVED else "lower" if taller < -_MOVED else ""
    both = {("wider", "taller"): "larger", ("narrower", "lower"): "smaller"}.get((across, down))
    return both or " and ".join(word for word in (across, down) if word)


def _tell_way(before: Box, spot: Rectangle) -> str:
    across, down = before.displacement(spot)
    far = max(abs(across), abs(down))
    if far <= _MOVED:
        return ""
    side = ("right" if across > 0 else "left") if abs(across) > _STRAIGHT * far else ""
    way = (" down" if down > 0 else " up") if abs(down) > _STRAIGHT * far else ""
    return way + (" and" if way and side else "") + (f" to the {side}" if side else "")
