"""Which one repair to propose for a picture that is not right. Deterministic.

What is wrong puts a picture into one of three cases. The repairs (``agents/critic/repairs``, a file each) have their
place on the ladder of each case; the first that has something to propose and was not used in vain is proposed:

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

from collections.abc import Sequence

from imagewright.agents.critic.repairs.base import Case, KnownRepair, WrongPicture, list_ladder, list_repairs
from imagewright.agents.critic.repairs.new_seed import NewSeed
from imagewright.agents.critic.sight import SeenThing, Sight, Wanted, stands
from imagewright.schemas import Check, Layout, ParsedPrompt, Repair, Verdict

HELD = 0.1
"""The least overlap (IoU) with a box for a thing to count as what the box holds."""


def propose(seen: WrongPicture, tried: Sequence[Verdict]) -> Repair:
    """The first repair of the ladder that has something to propose for ``seen`` and is not among ``tried``."""
    used = {verdict.repair.rung for verdict in tried if isinstance(verdict.repair, KnownRepair)}
    for shape in list_ladder(seen.case):
        repair = shape.propose(seen)
        if repair is not None and repair.rung not in used:
            return repair
    return NewSeed(reason=seen.reason)


def offer_later(seen: WrongPicture) -> Repair | None:
    """A repair for later, once another whole picture has not helped; None where none has one."""
    return next((repair for shape in list_repairs() if (repair := shape.offer(seen))), None)


def see_wrong(sight: Sight, parsed: ParsedPrompt, layout: Layout | None, failed: Sequence[Check]) -> WrongPicture:
    """What a detector saw of a picture with ``failed`` checks, and which case it is."""
    case, wrong = _case(sight, parsed, layout, failed)
    return WrongPicture(failed, parsed, layout, case, wrong, sight)


# --- what is wrong --------------------------------------------------------------------------


def _case(
    sight: Sight, parsed: ParsedPrompt, layout: Layout | None, failed: Sequence[Check]
) -> tuple[Case, int | None]:
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
