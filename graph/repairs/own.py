"""What a redrawn edit is answerable for: the faults of what it touched, and those that the redraw brought.

A fault that the picture had before the edit, in a thing that the edit did not touch so, is borne: told once, neither
counted nor repaired, for the redraw of some regions cannot mend it. What an edit asked and no critic checks by itself,
that a larger thing is seen to be larger, is checked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from imagewright.agents.conversation.edits import base_of
from imagewright.agents.critic.repairs.new_seed import NewSeed
from imagewright.agents.critic.verdict import failed_checks, verdict
from imagewright.agents.reading.lexicon import KNOWN_COLOURS
from imagewright.graph.repairs.spots import check_size, check_spots
from imagewright.graph.repairs.tried import fault_of
from imagewright.graph.state import State
from imagewright.intents import (
    AddEdit,
    AnyEdit,
    BoxesEdit,
    EditIntent,
    PutEdit,
    RecolourEdit,
    Reference,
    RemoveEdit,
    ReplaceEdit,
    ResizeEdit,
)
from imagewright.schemas import Box, Check, Layout, Round, Verdict

_LOOKS = frozenset({"attribute", "form", "present"})
_PLACES = _LOOKS | {"relation", "size", "place"}
_NUMBERS = _PLACES | {"count", "absent"}
_ANSWERS_FOR: Mapping[str, frozenset[str]] = {
    "recolour": _LOOKS, "resize": _PLACES, "move": _PLACES, "place": _PLACES, "swap": _PLACES,
    "add": _NUMBERS, "put": _NUMBERS, "remove": _NUMBERS, "replace": _NUMBERS,
}  # fmt: skip
"""By the edit, the checks of its things that it is answerable for even where they failed before."""


def narrow_to_edit(state: State, judged: Verdict) -> Verdict:
    """``judged`` without what the edit cannot help, which it bears, and with what it asked that no critic checks.

    A picture that is drawn whole bears nothing.
    """
    edit, attempt = state.intent, state.attempt
    if not isinstance(edit, EditIntent) or attempt is None:
        return judged
    base = base_of(edit, state.references)
    asked = tuple(check_spots(state, base, edit.edits, judged))
    if not attempt.edited:
        return _judge_anew(judged, (*judged.checks, *asked), ()) if asked else judged
    known = {fault_of(check): check.detail for check in _renamed((*base.faults, *base.borne), edit.edits, base)}
    mine = _mine(state, edit.edits, base)
    borne = tuple(
        check for check in failed_checks(judged.checks) if _is_old(check, known, judged) and not _touches(check, mine)
    )
    own = (*(check for check in judged.checks if check not in borne), *_sizes(edit.edits, base, judged, state), *asked)
    return judged if own == judged.checks else _judge_anew(judged, own, borne)


def _judge_anew(judged: Verdict, checks: Sequence[Check], borne: tuple[Check, ...]) -> Verdict:
    failed = failed_checks(checks)
    repair = judged.repair or NewSeed(reason=failed[0].detail if failed else "")
    repair = repair.model_copy(update={"reason": "; ".join(check.detail for check in failed)})
    narrowed = verdict(checks, repair, judged.decided_by)
    more = {"drawn": judged.drawn, "borne": borne, "nearer": judged.nearer if failed else None}
    return narrowed.model_copy(update=more)


def list_borne(state: State, judged: Verdict) -> tuple[str, ...]:
    """A note on what is borne that the picture before was delivered with, once; what it bore itself was told then."""
    edit = state.intent
    if not judged.borne or not isinstance(edit, EditIntent):
        return ()
    told = {fault_of(check) for check in base_of(edit, state.references).borne}
    new = [check.detail for check in judged.borne if fault_of(check) not in told]
    note = f"left as it was before this edit: {'; '.join(new)}"
    return (note,) if new and note not in state.notes else ()


def follow_drawn(made: Round) -> Layout | None:
    """The layout of ``made`` with each box where its thing was seen; None where nobody looked."""
    seen = made.verdict.drawn if made.verdict else ()
    if made.layout is None or not any(seen) or len(seen) != len(made.layout.boxes):
        return None
    boxes = tuple(
        box if found is None else box.model_copy(update={side: getattr(found, side) for side in _SIDES})
        for box, found in zip(made.layout.boxes, seen, strict=True)
    )
    return made.layout.model_copy(update={"boxes": boxes})


_SIDES = ("x", "y", "width", "height")


# --- what is old, and whose it is -------------------------------------------------------------


def _is_old(check: Check, known: Mapping[str, str], judged: Verdict) -> bool:
    """Whether it failed before, in the same numbers where a detector counts them; a model words each look anew."""
    before = known.get(fault_of(check))
    return before is not None and (before == check.detail or judged.decided_by != "detector")


def _renamed(faults: Sequence[Check], edits: Sequence[AnyEdit], base: Reference) -> Iterator[Check]:
    """The faults as they are worded after a recolouring: "a red house left of" is then about a blue house."""
    names = dict(_new_names(edits, base))
    for check in faults:
        wanted, detail = check.wanted, check.detail
        for old, new in names.items():
            wanted, detail = (re.sub(rf"\b{re.escape(old)}\b", new, text) for text in (wanted, detail))
        yield check.model_copy(update={"wanted": wanted, "detail": detail})


def _new_names(edits: Sequence[AnyEdit], base: Reference) -> Iterator[tuple[str, str]]:
    boxes = _boxes(base)
    for edit in edits:
        if isinstance(edit, RecolourEdit):
            for box in (boxes[n] for n in edit.boxes if n < len(boxes)):
                colour = next((word for word in box.attributes if word in KNOWN_COLOURS), "")
                yield f"{colour} {box.object}".strip(), f"{edit.text} {box.object}"


def _boxes(base: Reference) -> tuple[Box, ...]:
    return base.shown.boxes if base.shown else ()


def _mine(state: State, edits: Sequence[AnyEdit], base: Reference) -> tuple[tuple[str, frozenset[str]], ...]:
    """The objects that the edits are about, each with the checks that they are answerable for; what gave way too."""
    boxes, mine = _boxes(base), []
    for edit in edits:
        names = _ANSWERS_FOR.get(edit.op, frozenset())
        if isinstance(edit, BoxesEdit):
            mine += [(boxes[n].object, names) for n in edit.boxes if n < len(boxes)]
        if isinstance(edit, AddEdit | PutEdit | ReplaceEdit):
            mine.append((edit.text.rpartition(" ")[2], names))
    settled = state.settled
    if settled is not None and settled.layout is not None and not any(isinstance(e, RecolourEdit) for e in edits):
        mine += [(settled.layout.boxes[n].object, _PLACES) for n in settled.focus]
    return tuple(mine)


def _touches(check: Check, mine: Sequence[tuple[str, frozenset[str]]]) -> bool:
    words = check.wanted or check.detail
    return any(check.name in names and re.search(rf"\b{re.escape(thing)}\b", words) for thing, names in mine)


# --- seen to be larger ------------------------------------------------------------------------


def _sizes(edits: Sequence[AnyEdit], base: Reference, judged: Verdict, state: State) -> Iterator[Check]:
    if base.drawn is None or state.settled is None or state.settled.layout is None:
        return
    gone = {n for edit in edits if isinstance(edit, RemoveEdit) for n in edit.boxes}
    for edit in edits:
        for n in edit.boxes if isinstance(edit, ResizeEdit) else ():
            at = n - sum(other < n for other in gone)
            if n not in gone and at < len(judged.drawn) and (seen := judged.drawn[at]) is not None:
                yield from check_size(base.drawn.boxes[n], state.settled.layout.boxes[at], seen, at)
