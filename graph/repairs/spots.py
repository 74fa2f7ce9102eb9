"""What an edit asked in numbers and no critic checks by itself: that a thing stands there, and is so much larger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagewright.geometry import Rectangle
from imagewright.graph.state import State
from imagewright.intents import AnyEdit, PlaceEdit, PutEdit, Reference
from imagewright.schemas import Box, Check, Verdict

_TOLD = 1.3
"""The least planned ratio of areas from which a thing must be seen larger (or its inverse, smaller)."""
_ASTRAY = 0.02
"""How far outside its box the middle of a thing may be seen."""


def check_spots(state: State, base: Reference, edits: Sequence[AnyEdit], judged: Verdict) -> Iterator[Check]:
    """Whether each thing that was put to an exact place is seen there, and in its size; what is not seen is skipped.

    That a thing is missing is what the critic's own checks are for.
    """
    boxes = state.settled.layout.boxes if state.settled and state.settled.layout else ()
    for edit in edits if len(judged.drawn) == len(boxes) else ():
        spot = edit.spot if isinstance(edit, PlaceEdit | PutEdit) else None
        at = None if spot is None else _find(spot, boxes)
        if spot is None or at is None or (seen := judged.drawn[at]) is None:
            continue
        yield _check_place(boxes[at], spot, seen, at)
        if isinstance(edit, PlaceEdit) and base.drawn is not None and edit.boxes[0] < len(base.drawn.boxes):
            yield from check_size(base.drawn.boxes[edit.boxes[0]], boxes[at], seen, at)


def _find(spot: Rectangle, boxes: Sequence[Box]) -> int | None:
    return next((at for at, box in enumerate(boxes) if box.edges == spot.edges), None)


def _check_place(box: Box, spot: Rectangle, seen: Rectangle, at: int) -> Check:
    (across, down), (x, y) = spot.displacement(seen), seen.centre
    there = abs(across) <= spot.width / 2 + _ASTRAY and abs(down) <= spot.height / 2 + _ASTRAY
    told = f"{box.caption}: in its box wanted"
    return Check(name="place", passed=there, detail=f"{told}, its middle is seen at {x:.2f}, {y:.2f}", wanted=told,
                 box=at)  # fmt: skip


def check_size(before: Box, planned: Rectangle, seen: Rectangle, at: int) -> Iterator[Check]:
    """Whether box ``at``, which was to become larger or smaller than ``before``, is seen so; nothing for little."""
    was = max(before.area, 1e-6)
    asked, ratio = max(planned.area, 1e-6) / was, seen.area / was
    larger = asked > 1
    if (asked if larger else 1 / asked) < _TOLD:
        return
    told = f"{before.object}: {'larger' if larger else 'smaller'} wanted"
    passed = ratio > 1.05 if larger else ratio < 0.95
    yield Check(name="size", passed=passed, detail=f"{told}, {ratio:.1f} times its area seen", wanted=told, box=at)
