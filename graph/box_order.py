"""Boxes that a person or a program changed by hand: the picture that they are of, and the intent that this makes."""

from __future__ import annotations

from collections.abc import Sequence

from imagewright.agents.conversation.box_checks import check_changes
from imagewright.agents.conversation.by_hand import list_edits
from imagewright.agents.conversation.edits import base_of
from imagewright.agents.critic.verdict import failed_checks
from imagewright.agents.layout.rules import layout_of
from imagewright.box_changes import BoxOrder
from imagewright.errors import BadInput
from imagewright.graph.choose import placing
from imagewright.graph.parts import Parts
from imagewright.graph.repairs.own import follow_drawn
from imagewright.graph.state import State
from imagewright.intents import AnyEdit, EditIntent, Reference
from imagewright.schemas import Layout, ParsedPrompt
from imagewright.trace import Trace, TraceRound


def find_delivered(trace: Trace) -> TraceRound | None:
    """The round whose picture a run has delivered; None where it has delivered nothing."""
    return next((made for made in reversed(trace.rounds) if made.image == trace.image), None)


def describe_base(trace: Trace, number: int = 0) -> Reference:
    """The picture of a run as a turn may refer to it, with its boxes where their things were seen."""
    made = find_delivered(trace)
    if made is None:
        raise BadInput(f"run {trace.run or trace.id} has delivered no picture", "name the run of a picture")
    return Reference(
        run=trace.run,
        prompt=trace.prompt,
        said=trace.said or trace.prompt,
        image=trace.image,
        flow=trace.flow,
        seed=trace.seed,
        number=number,
        live=False,
        parsed=trace.parsed or ParsedPrompt(),
        layout=placing(made.layout),
        drawn=placing(follow_drawn(made)),
        faults=failed_checks(made.verdict.checks) if made.verdict else (),
        borne=made.verdict.borne if made.verdict else (),
        tried=trace.tried,
    )


def boxes_of(base: Reference) -> Layout:
    """The layout that the numbers of changes are about: as it was seen, else as drawn, else as it would be planned."""
    return base.shown or layout_of(base.parsed)


def with_base(parts: Parts, order: BoxOrder | None, known: Sequence[Reference]) -> tuple[Reference, ...]:
    """``known``, with the picture that ``order`` is about as its boxes were seen, whatever conversation it is of.

    Raises:
        BadInput: there is no such picture.
    """
    there = {reference.run: reference for reference in known}
    if order is None or (order.base in there and there[order.base].live):
        return tuple(known)
    number = there[order.base].number if order.base in there else 0
    base = describe_base(parts.runs.trace(order.base), number)
    if not parts.store.has(base.image):
        raise BadInput(f"the picture of run {order.base} was deleted", "go on from another one")
    if order.base in there:
        return tuple(base if reference.run == order.base else reference for reference in known)
    return (base, *known)


def read_boxes(state: State, parts: Parts) -> EditIntent | None:
    """What the request's changed boxes ask for; None where the request is one of words.

    Raises:
        BadInput: a change cannot be made, or what was said beside is no change of the same picture.
    """
    order = state.request.boxes
    if order is None:
        return None
    base = base_of(EditIntent(base=order.base), state.references)
    boxes = boxes_of(base).boxes
    edits = list_edits(check_changes(order.changes, boxes), boxes)
    return EditIntent(base=base.run, edits=(*_read_beside(order.said, base, parts), *edits), decided_by="person")


def _read_beside(said: str, base: Reference, parts: Parts) -> tuple[AnyEdit, ...]:
    """What was said beside the boxes, as edits of the same picture; they come first, exact places last."""
    if not said:
        return ()
    intent = parts.interpreter.interpret(said, (base,))
    if not isinstance(intent, EditIntent):
        remedy = "beside changed boxes, say a change of the same picture: `make the background blue`"
        raise BadInput(f"{said[:80]!r} is no change of this picture", remedy)
    return intent.edits
