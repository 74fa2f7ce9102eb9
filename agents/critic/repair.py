"""Which one repair to propose for a picture that is not right. Deterministic.

What is wrong puts a picture into one of three cases, and each case has a ladder of repairs. The first rung that this
run has not used in vain is proposed:

=========  ==========================================================  ===========================================
case       when                                                        ladder
=========  ==========================================================  ===========================================
one box    one box holds a thing of the wrong colour or kind, or a     redraw that box, new seed, reprompt,
           half-formed one, and nothing else is wrong                  next flow
place      the things are there, but stand wrongly to one another      move box, new seed, reprompt, next flow
number     something is missing, too many, or not wanted               new seed, move box (only where boxes are
                                                                       crowded), reprompt, next flow
=========  ==========================================================  ===========================================

Once a ladder is used up, a new seed is drawn each time: it never repeats a picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from imagewright.agents.critic.sight import SeenThing, Sight, Wanted, stands
from imagewright.agents.critic.verdict import only_form
from imagewright.agents.reading.describe import canonical_prompt
from imagewright.agents.reading.nouns import article
from imagewright.schemas import (
    Box,
    Check,
    Layout,
    ParsedGroup,
    ParsedPrompt,
    ParsedRelation,
    Repair,
    RepairKind,
    Verdict,
)

_Case = Literal["one box", "place", "number"]
LADDERS: dict[_Case, tuple[RepairKind, ...]] = {
    "one box": ("redraw", "new_seed", "reprompt", "next_flow"),
    "place": ("move_box", "new_seed", "reprompt", "next_flow"),
    "number": ("new_seed", "move_box", "reprompt", "next_flow"),
}
HELD = 0.1
"""The least overlap (IoU) with a box for a thing to count as what the box holds."""
_STEP = 0.12
"""How far a box is moved, as a share of the canvas."""
_EDGE = 0.02
"""The margin that boxes keep from the edge of the canvas and from one another."""
CROWDED = 0.3
"""A box whose shorter side is below this share of the canvas is crowded: small models draw small things badly."""
_LARGE = 0.5
"""A thing with a side above this share of the canvas is drawn large already: a close-up shows hardly more of it."""
GROWTH = 1.25
"""By how much a crowded box is enlarged."""


def propose(
    sight: Sight, parsed: ParsedPrompt, layout: Layout | None, failed: Sequence[Check], tried: Sequence[Verdict]
) -> Repair | None:
    """The repair for a picture with these failed checks; None when nothing failed."""
    if not failed:
        return None
    case, wrong = _case(sight, parsed, layout, failed)
    reason = failed[0].detail
    used = {_rung(verdict.repair) for verdict in tried if verdict.repair}
    for kind in LADDERS[case]:
        repair = _built(kind, sight, parsed, layout, wrong, reason)
        if repair is not None and _rung(repair) not in used:
            return repair
    return Repair(kind="new_seed", reason=reason)


def _rung(repair: Repair) -> tuple[RepairKind, int | None]:
    """What counts as the same repair again: of redrawing, the same box."""
    return (repair.kind, repair.box if repair.kind == "redraw" else None)


def _built(
    kind: RepairKind, sight: Sight, parsed: ParsedPrompt, layout: Layout | None, wrong: int | None, reason: str
) -> Repair | None:
    if kind == "redraw":
        return Repair(kind=kind, reason=reason, box=wrong) if layout and wrong is not None else None
    if kind == "move_box":
        return _move(sight, parsed, layout, reason)
    return Repair(kind=kind, reason=reason)


# --- what is wrong --------------------------------------------------------------------------


def _case(
    sight: Sight, parsed: ParsedPrompt, layout: Layout | None, failed: Sequence[Check]
) -> tuple[_Case, int | None]:
    """The case, and for ``one box`` which.

    A relation that fails only because one of its things is not there is no matter of place.
    """
    if all(check.name == "relation" for check in failed):
        return "place", None
    if _misplaced(sight, parsed) or any(check.name == "background" for check in failed):
        return "number", None
    held = _held(sight, layout)
    wrong = [number for number, thing in enumerate(held) if thing is None or not _fits(sight, layout, number, thing)]
    whole = layout is not None and bool(held) and None not in held and len(sight.things) == len(held)
    return ("one box", wrong[0]) if whole and len(wrong) == 1 else ("number", None)


def _misplaced(sight: Sight, parsed: ParsedPrompt) -> bool:
    """Whether things that are there stand wrongly."""
    for relation in parsed.relations:
        subjects, others = (sight.matching(sight.wanted[at]) for at in (relation.subject, relation.object))
        if subjects and others and stands(relation.relation, subjects, others) is False:
            return True
    return False


def _held(sight: Sight, layout: Layout | None) -> list[SeenThing | None]:
    """For each box the thing that lies in it best, each thing in one box at most; None for an empty box."""
    boxes = layout.boxes if layout else ()
    pairs = sorted(
        ((box.iou(thing.box), number, at) for number, box in enumerate(boxes) for at, thing in enumerate(sight.things)),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    found: dict[int, int] = {}
    for overlap, number, at in pairs:
        if overlap >= HELD and number not in found and at not in found.values():
            found[number] = at
    return [sight.things[found[number]] if number in found else None for number in range(len(boxes))]


def _fits(sight: Sight, layout: Layout | None, number: int, thing: SeenThing) -> bool:
    if layout is None:
        return False
    box = layout.boxes[number]
    wanted = Wanted.of(box.object, box.attributes, 1, sight.colours)
    return thing.whole and thing.object == wanted.object and (not wanted.colour or thing.colour == wanted.colour)


# --- coming closer --------------------------------------------------------------------------


def nearer(sight: Sight, parsed: ParsedPrompt, failed: Sequence[Check]) -> Repair | None:
    """The close-up of the thing that is least plain to see, where nothing but form is doubted.

    None where something else is wrong too, or where every such thing is drawn large already.
    """
    if not only_form(failed):
        return None
    kinds = {wanted.object for wanted in sight.wanted}
    blurred = [
        thing for thing in sight.things
        if not thing.whole and thing.object in kinds and max(thing.box.width, thing.box.height) <= _LARGE
    ]  # fmt: skip
    if not blurred:
        return None
    thing = min(blurred, key=lambda each: each.box.score)
    words = tuple(word for word in (thing.colour,) if word)
    name = " ".join((*words, thing.object))
    box = Box(
        caption=f"{article(name)} {name}", object=thing.object, attributes=words,
        x=thing.box.x, y=thing.box.y, width=thing.box.width, height=thing.box.height,
    )  # fmt: skip
    return Repair(kind="close_up", reason=failed[0].detail, moved=box, prompt=canonical_prompt(alone(box, parsed)))


def alone(thing: Box, parsed: ParsedPrompt) -> ParsedPrompt:
    """A prompt for one thing, with what ``parsed`` says of background and style."""
    group = ParsedGroup(object=thing.object, count=1, caption=thing.caption, attributes=thing.attributes)
    return parsed.model_copy(update={"groups": (group,), "relations": (), "negative": ()})


# --- where a box could go -------------------------------------------------------------------


def _move(sight: Sight, parsed: ParsedPrompt, layout: Layout | None, reason: str) -> Repair | None:
    """Spread the boxes of a relation that does not hold further apart, or give a crowded box more room."""
    if layout is None:
        return None
    for number, moved in (*_spread(sight, parsed, layout), *_enlarged(layout)):
        if _is_free(moved, number, layout):
            return Repair(kind="move_box", reason=reason, box=number, moved=moved)
    return None


def _spread(sight: Sight, parsed: ParsedPrompt, layout: Layout) -> Iterator[tuple[int, Box]]:
    for relation in parsed.relations:
        subject, other = sight.wanted[relation.subject], sight.wanted[relation.object]
        if stands(relation.relation, sight.matching(subject), sight.matching(other)) is False:
            yield from _away(relation, layout, subject, other, sight.colours)


def _away(
    relation: ParsedRelation, layout: Layout, subject: Wanted, other: Wanted, colours: frozenset[str]
) -> Iterator[tuple[int, Box]]:
    """Each box of the subject a step along the relation, then each box of the other a step against it."""
    across, down = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}.get(relation.relation, (0, 0))
    for wanted, sign in ((subject, 1), (other, -1)):
        for number, box in enumerate(layout.boxes):
            if Wanted.of(box.object, box.attributes, 1, colours).name == wanted.name:
                yield number, box.shift(sign * across * _STEP, sign * down * _STEP, _EDGE)


def roomier(layout: Layout, reason: str) -> Repair | None:
    """More room for the smallest crowded box that can have it; None where no box is crowded, or none can grow."""
    for number, moved in _enlarged(layout):
        if _is_free(moved, number, layout):
            return Repair(kind="move_box", reason=reason, box=number, moved=moved)
    return None


def _enlarged(layout: Layout) -> Iterator[tuple[int, Box]]:
    """Each crowded box, smallest first, grown about its centre."""
    sides = {number: min(box.width, box.height) for number, box in enumerate(layout.boxes)}
    for number in sorted((n for n in sides if sides[n] < CROWDED), key=lambda n: (sides[n], n)):
        yield number, layout.boxes[number].grow(GROWTH, _EDGE)


def _is_free(moved: Box, number: int, layout: Layout) -> bool:
    """Whether the new box differs from the old one and comes no nearer to the others than it was or than a margin."""
    if moved == layout.boxes[number]:
        return False
    others = [box for at, box in enumerate(layout.boxes) if at != number]
    before = layout.boxes[number]
    return all(moved.intersection(box) == 0 and moved.gap(box) >= min(_EDGE, before.gap(box)) - 1e-9 for box in others)
