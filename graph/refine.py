"""Turning a verdict's repair into the next attempt. Nothing that was tried is tried again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from imagewright.errors import Fault
from imagewright.graph.state import Attempt, State
from imagewright.schemas import Box, Layout, Region, Repair, Round


def next_seed(seed: int, number: int) -> int:
    """The seed of round ``number``, in 32 bits: the same for the same first seed, everywhere."""
    digest = hashlib.sha256(f"imagewright {seed} {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def refined(state: State, canonical: str) -> Attempt:
    """The next attempt: the last verdict's repair applied to the last attempt, or a new seed where it cannot be.

    ``canonical`` is the prompt in the planner's plain words; ``reprompt`` uses it when the critic wrote none.
    """
    last = state.rounds[-1]
    if state.attempt is None or last.verdict is None:
        raise Fault("refine was reached without a verdict")
    repair = last.verdict.repair or Repair(kind="new_seed", reason="the critic proposed nothing")
    attempt = _applied(state, state.attempt, last, repair, canonical)
    if attempt is None or _was_tried(attempt, state.rounds):
        instead = Repair(kind="new_seed", reason=f"{repair.kind.replace('_', ' ')} has nothing new to offer")
        return _new_seed(state, state.attempt, instead)
    return attempt


def _applied(state: State, attempt: Attempt, last: Round, repair: Repair, canonical: str) -> Attempt | None:
    """``attempt`` with ``repair``; None where it does not apply."""
    if repair.kind == "new_seed":
        return _new_seed(state, attempt, repair)
    if repair.kind == "move_box":
        if attempt.edited is not None:
            return None  # what the person placed stays where it is
        layout = _moved(attempt.layout, repair)
        return _changed(attempt, repair, layout=layout) if layout else None
    if repair.kind == "redraw":
        return _redrawn(state, attempt, last, repair)
    if repair.kind == "reprompt":
        prompt = repair.prompt or canonical
        return _changed(attempt, repair, prompt=prompt) if prompt and prompt != attempt.prompt else None
    following = _next_flow(state)
    return _changed(attempt, repair, flow=following) if following else None


def _changed(attempt: Attempt, repair: Repair, **changes: object) -> Attempt:
    """``attempt`` with a repair; a repair of an edit starts from the edited picture again."""
    return attempt.model_copy(update={"repair": repair, "base": attempt.edited, **changes})


def _new_seed(state: State, attempt: Attempt, repair: Repair) -> Attempt:
    return _changed(attempt, repair, seed=next_seed(state.seed, len(state.rounds)))


def _redrawn(state: State, attempt: Attempt, last: Round, repair: Repair) -> Attempt | None:
    layout = _moved(attempt.layout, repair) if repair.moved else attempt.layout
    if layout is None or repair.box is None or not 0 <= repair.box < len(layout.boxes):
        return None
    if attempt.edited is not None and (state.settled is None or repair.box not in state.settled.focus):
        return None  # what the person did not name keeps its pixels
    seed = next_seed(state.seed, len(state.rounds))
    return _changed(attempt, repair, seed=seed, layout=layout, base=last.image)


def _moved(layout: Layout | None, repair: Repair) -> Layout | None:
    """``layout`` with box ``repair.box`` replaced; None where there is no such box."""
    if layout is None or repair.moved is None or repair.box is None or not 0 <= repair.box < len(layout.boxes):
        return None
    boxes = list(layout.boxes)
    boxes[repair.box] = repair.moved
    return layout.model_copy(update={"boxes": tuple(boxes)})


def _next_flow(state: State) -> str | None:
    """The next flow of ``able`` that has not drawn in this run; a flow asked for by name is kept."""
    tried = {made.flow for made in state.rounds}
    left = (flow for flow in state.able if flow not in tried)
    return None if state.request.flow else next(left, None)


def _was_tried(attempt: Attempt, rounds: Sequence[Round]) -> bool:
    """Whether a whole picture was drawn from just this before; a redraw always starts from its own picture."""
    wanted = (attempt.flow, attempt.seed, attempt.prompt, attempt.layout)
    return attempt.base == attempt.edited and any(
        wanted == (made.flow, made.seed, made.prompt, made.layout) and not _is_redraw(made) for made in rounds
    )


def _is_redraw(made: Round) -> bool:
    return made.repair is not None and made.repair.kind == "redraw"


def region(box: Box) -> Region:
    """The part of a backend's job that one box of the layout is."""
    return Region(caption=box.caption, x=box.x, y=box.y, width=box.width, height=box.height)
