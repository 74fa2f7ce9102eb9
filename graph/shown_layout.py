"""The layout of a delivered picture as it was drawn, with what the critic found wrong at which box."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from imagewright.graph.box_order import boxes_of, describe_base, find_delivered
from imagewright.schemas import Box, Check, Detection, Value, Verdict
from imagewright.trace import Trace


class ShownBox(Value):
    """One box: where its thing was seen, else where it was planned. Sides are shares of the picture."""

    box: int
    """Its number, from 0: what a change of boxes names it by."""
    caption: str
    x: float
    y: float
    width: float
    height: float
    seen: bool
    """Whether the critic saw the thing, so that this is where it stands."""


class BoxFinding(Value):
    """Something that the critic found wrong."""

    check: str
    """What kind of check failed: ``count``, ``attribute``, ``place``, …"""
    detail: str
    boxes: tuple[int, ...] = ()
    """The boxes that it is about; none where it is about the whole picture."""


class ShownLayout(Value):
    """The boxes of one picture, in the numbers that changes use, and the faults that it was delivered with."""

    run: str
    image: str
    """SHA-256 of the picture."""
    thread: str | None = None
    boxes: tuple[ShownBox, ...] = ()
    findings: tuple[BoxFinding, ...] = ()
    accepted: bool | None = None
    """Whether the critic accepted the picture; None where nothing was checked."""
    redraws: bool = True
    """Whether the picture was drawn by these boxes, so that a change redraws parts of it; else it is drawn anew."""


def show_layout(trace: Trace) -> ShownLayout:
    """The layout of the picture that a run has delivered.

    Raises:
        BadInput: it has delivered none.
    """
    base, made = describe_base(trace), find_delivered(trace)
    verdict = made.verdict if made else None
    boxes = boxes_of(base).boxes
    seen = _seen(verdict, len(boxes)) if base.drawn else (None,) * len(boxes)
    judged = verdict if verdict and any(check.counts for check in verdict.checks) else None
    return ShownLayout(
        run=base.run,
        image=base.image,
        thread=trace.thread,
        boxes=tuple(_show(n, box, seen[n] is not None) for n, box in enumerate(boxes)),
        findings=tuple(_findings((*base.faults, *base.borne), boxes, seen)),
        accepted=judged.accepted if judged else None,
        redraws=base.layout is not None,
    )


def _seen(verdict: Verdict | None, count: int) -> tuple[Detection | None, ...]:
    drawn = verdict.drawn if verdict else ()
    return drawn if len(drawn) == count else (None,) * count


def _show(number: int, box: Box, seen: bool) -> ShownBox:
    sides = {side: round(getattr(box, side), 4) for side in ("x", "y", "width", "height")}
    return ShownBox(box=number, caption=box.caption, seen=seen, **sides)


def _findings(faults: Sequence[Check], boxes: Sequence[Box], seen: Sequence[Detection | None]) -> Iterator[BoxFinding]:
    for check in faults:
        yield BoxFinding(check=check.name, detail=check.detail, boxes=locate_fault(check, boxes, seen))


def locate_fault(check: Check, boxes: Sequence[Box], seen: Sequence[Detection | None]) -> tuple[int, ...]:
    """The boxes that a failed check is about: the one that it names, else those whose thing its words name.

    Of like things only those that were not seen, where some were and some were not.
    """
    if check.box is not None:
        return (check.box,) if check.box < len(boxes) else ()
    words = check.wanted or check.detail
    named = [n for n, box in enumerate(boxes) if box.object and _names(words, box.object)]
    exact = [n for n in named if boxes[n].attributes and all(_names(words, word) for word in boxes[n].attributes)]
    found = exact or named
    missing = [n for n in found if seen[n] is None]
    return tuple(missing if missing and check.name in ("present", "count", "attribute") else found)


def _names(words: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", words) is not None
