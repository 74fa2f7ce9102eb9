"""What cannot be done with the boxes of a picture, in one sentence each, before anything is drawn."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from imagewright.box_changes import BOX_SIDES, LEAST_SIDE, MOST_CAPTION, MOST_CHANGES, ROUNDING, BoxChange, is_elsewhere
from imagewright.errors import BadInput
from imagewright.geometry import Rectangle
from imagewright.schemas import Box


def check_changes(changes: Sequence[BoxChange], boxes: Sequence[Box]) -> tuple[BoxChange, ...]:
    """The changes that change anything of ``boxes``, with their captions trimmed.

    Raises:
        BadInput: one names a box that is not there or that another names too, lies outside the canvas, is too small,
            or has no usable caption; there are too many, or none that changes anything.
    """
    if len(changes) > MOST_CHANGES:
        raise BadInput(f"{len(changes)} boxes are changed at once", f"change {MOST_CHANGES} at most, then the others")
    numbers = [change.box for change in changes if change.box is not None]
    for number in numbers:
        if not 0 <= number < len(boxes):
            there = f"its boxes are 0 to {len(boxes) - 1}" if boxes else "it has no boxes; new ones can be added"
            raise BadInput(f"the picture has no box {number}", there)
        if numbers.count(number) > 1:
            raise BadInput(f"box {number} is changed twice", "say all that becomes of it in one change")
    kept = tuple(change for change in (_check_one(change, boxes) for change in changes) if _changes(change, boxes))
    if not kept:
        raise BadInput("no box is changed", "move, resize, rename, add or delete one")
    return kept


def _check_one(change: BoxChange, boxes: Sequence[Box]) -> BoxChange:
    name = "the new box" if change.box is None else f"box {change.box}"
    if change.delete:
        _check_deletion(change, name)
        return change
    if change.box is None and (change.caption is None or any(getattr(change, side) is None for side in BOX_SIDES)):
        raise BadInput("a new box is not whole", "give its caption, x, y, width and height")
    if change.caption is not None:
        change = change.model_copy(update={"caption": _check_caption(change.caption, name)})
    if change.places:
        _check_place(change, None if change.box is None else boxes[change.box], name)
    return change


def _check_deletion(change: BoxChange, name: str) -> None:
    if change.box is None:
        raise BadInput("a box is deleted that has no number", "give its number as box")
    if change.places or change.caption is not None:
        raise BadInput(f"{name} is deleted and changed", "do one of the two")


def _check_caption(caption: str, name: str) -> str:
    text = " ".join(caption.split())
    if not text:
        raise BadInput(f"the caption of {name} is empty", "say what is to be there, or delete the box")
    if len(text) > MOST_CAPTION:
        raise BadInput(f"the caption of {name} has {len(text)} characters", f"at most {MOST_CAPTION} are read")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise BadInput(f"the caption of {name} is not text: it holds control characters", "say what is to be there")
    return text


def _check_place(change: BoxChange, before: Rectangle | None, name: str) -> None:
    x, y, width, height = (
        getattr(before, side) if getattr(change, side) is None else getattr(change, side) for side in BOX_SIDES
    )
    remedy = "x, y, width and height are shares of the picture, from 0 to 1, from its top left corner"
    lowest, highest = -ROUNDING, 1 + ROUNDING
    # Written so that what is no number fails too.
    if not (lowest <= x and lowest <= y and x + width <= highest and y + height <= highest):
        raise BadInput(f"{name} reaches outside the picture", remedy)
    if not (width >= LEAST_SIDE - ROUNDING and height >= LEAST_SIDE - ROUNDING):
        raise BadInput(f"{name} is too small to draw", f"make each side {LEAST_SIDE} of the picture or more")


def _changes(change: BoxChange, boxes: Sequence[Box]) -> bool:
    if change.box is None or change.delete:
        return True
    before = boxes[change.box]
    renamed = change.caption is not None and change.caption != before.caption
    return renamed or (change.places and is_elsewhere(change.to_spot(before), before))
