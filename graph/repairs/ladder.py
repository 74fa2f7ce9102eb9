"""Turning a verdict's repair into the next attempt: from the best picture so far; nothing tried in vain comes again."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence

from imagewright.agents.critic.repair import roomier
from imagewright.agents.critic.verdict import failed_checks
from imagewright.errors import Fault
from imagewright.graph.budget import best, ground, only_blurred
from imagewright.graph.choose import placing
from imagewright.graph.repairs.tried import faults_of, say_move, target_of, vain
from imagewright.graph.state import Attempt, State
from imagewright.intents import Tried
from imagewright.schemas import Box, Layout, Region, Repair, RepairKind, Round

LADDER: tuple[RepairKind, ...] = ("redraw", "new_seed", "move_box", "reprompt", "next_flow")
"""From the smallest change to the largest."""


def next_seed(seed: int, number: int) -> int:
    """The seed of round ``number``, in 32 bits: the same for the same first seed, everywhere."""
    digest = hashlib.sha256(f"imagewright {seed} {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def refine_attempt(
    state: State,
    canonical: str,
    memory: Sequence[Tried] = (),
    others: Sequence[str] = (),
    closer: Repair | None = None,
) -> Attempt:
    """The next attempt: the repair of the best picture so far applied to it, or the next rung where it is no use.

    The other way to draw comes first, for what one way gets wrong it gets wrong with another seed too. Where that
    picture was drawn from the words alone the planned boxes are tried, unless things are only half-formed, which is no
    matter of reading; where its flow draws with boxes, the best of ``others``, the flows that draw from words alone.
    Only a single box that is worth redrawing goes before, and ``closer``, a close-up whose turn it is, before all. A
    repair is no use where it cannot be applied, would draw the same picture again, or was tried in vain for the same
    fault on the same flow, by ``memory``. Then the rungs of ``LADDER`` behind it are tried, in the end another seed.
    ``canonical`` is the prompt in the planner's plain words; ``reprompt`` uses it when the critic wrote none.
    """
    if state.attempt is None or state.rounds[-1].verdict is None:
        raise Fault("refine was reached without a verdict")
    last = ground(state.rounds)
    if last.verdict is None:
        raise Fault("refine starts from a picture that nobody judged")
    from_there = {"flow": last.flow, "seed": last.seed, "prompt": last.prompt, "layout": last.layout}
    attempt_there = state.attempt.model_copy(update=from_there)
    seed = _unseen_seed(state, memory)
    if closer is not None:
        return _changed(attempt_there, closer, seed=seed, base=last.image)
    proposed = last.verdict.repair or Repair(kind="new_seed", reason="the critic proposed nothing")
    fault = next(iter(faults_of(last.verdict)), "")
    vain_kinds = [tried.kind for tried in memory if tried.flow == last.flow and tried.in_vain(fault)]
    useless: list[str] = []
    avoided = _flows_in_vain(memory, fault)
    rungs = _rungs(proposed, last, vain_kinds)
    before = [next(rungs)] if proposed.kind == "redraw" else []
    for repair in (*before, *_other_way(state, last, proposed.reason, others), *rungs):
        attempt = _applied(state, attempt_there, last, repair, canonical, seed, (*others, *state.able), avoided)
        why = _useless(attempt, last, fault, memory, state.rounds)
        if attempt is not None and not why:
            return _told(attempt, useless)
        useless.append(f"{repair.kind.replace('_', ' ')} {why}")
    another = Repair(kind="new_seed", reason=proposed.reason)
    return _told(_changed(attempt_there, another, seed=seed), useless)


def was_drawn_again(rounds: Sequence[Round]) -> bool:
    """Whether a picture of which only the form was doubted was followed by another."""
    return any(only_blurred(best(rounds[:number])) for number in range(1, len(rounds)))


def _other_way(state: State, last: Round, reason: str, others: Sequence[str]) -> list[Repair]:
    """The repair that draws from boxes what was drawn from words, or the other way round; none where neither can be."""
    if _drawn_from_words(state, last):
        return [Repair(kind="boxes", reason=reason)]
    drew = {made.flow for made in state.rounds}
    free = state.attempt is not None and not state.attempt.edited and not drew & set(others)
    return [Repair(kind="next_flow", reason=reason)] if others and free and placing(last.layout) else []


def _drawn_from_words(state: State, last: Round) -> bool:
    """Whether there are planned boxes that governed no picture yet, and may."""
    if (
        any(placing(made.layout) for made in state.rounds)
        or not state.request.use_layout
        or state.attempt is None
        or state.attempt.edited
    ):
        return False
    if last.verdict is None or only_blurred(last):
        return False
    return state.planned is not None and placing(state.planned.layout) is not None


def _rungs(proposed: Repair, last: Round, vain_kinds: Sequence[RepairKind]) -> Iterator[Repair]:
    """What the critic proposed, then each rung behind it; a box that nobody asked to move is moved once."""
    yield proposed
    failed = failed_checks(last.verdict.checks) if last.verdict else ()
    for kind in LADDER[LADDER.index(proposed.kind) + 1 if proposed.kind in LADDER else 0 :]:
        if kind == "redraw" and len(failed) == 1 and failed[0].box is not None:
            yield Repair(kind=kind, reason=proposed.reason, box=failed[0].box)
        elif kind == "move_box" and kind not in vain_kinds and last.layout is not None:
            if more := roomier(last.layout, proposed.reason):
                yield more
        elif kind in ("new_seed", "reprompt", "next_flow"):
            yield Repair(kind=kind, reason=proposed.reason)


def _useless(attempt: Attempt | None, last: Round, fault: str, memory: Sequence[Tried], rounds: Sequence[Round]) -> str:
    """Why ``attempt`` is not worth a picture; empty when it is."""
    if attempt is None or attempt.repair is None or _was_tried(attempt, rounds):
        return "has nothing new to offer"
    target = target_of(attempt.repair, attempt.layout, attempt.flow, attempt.prompt)
    before = vain(memory, fault, last.flow, attempt.repair, target)
    return f"did not help before ({say_move(before)})" if before else ""


def _told(attempt: Attempt, useless: Sequence[str]) -> Attempt:
    """``attempt`` with the rungs that were passed over in its reason."""
    if not useless or attempt.repair is None:
        return attempt
    reason = f"{attempt.repair.reason}; {', '.join(useless)}"
    return attempt.model_copy(update={"repair": attempt.repair.model_copy(update={"reason": reason})})


def _flows_in_vain(memory: Sequence[Tried], fault: str) -> frozenset[str]:
    return frozenset(tried.target for tried in memory if tried.kind == "next_flow" and tried.in_vain(fault))


def _unseen_seed(state: State, memory: Sequence[Tried]) -> int:
    """A seed that nothing was drawn with yet, neither in this run nor in the turns before."""
    used = {made.seed for made in state.rounds} | {tried.seed for tried in memory}
    numbers = itertools.count(len(state.rounds))
    return next(seed for number in numbers if (seed := next_seed(state.seed, number)) not in used)


def _applied(
    state: State, attempt: Attempt, last: Round, repair: Repair, canonical: str, seed: int, flows: Sequence[str],
    avoided: frozenset[str],
) -> Attempt | None:  # fmt: skip
    """``attempt`` with ``repair``; None where it does not apply.

    A whole picture is always drawn with another seed: with the old one a model mostly makes the old mistake.
    """
    if repair.kind == "new_seed":
        return _changed(attempt, repair, seed=seed)
    if repair.kind == "boxes" and state.planned is not None:
        return _changed(attempt, repair, layout=state.planned.layout, seed=seed)
    if repair.kind == "move_box":
        if attempt.edited is not None:
            return None  # what the person placed stays where it is
        layout = _moved(attempt.layout, repair)
        return _changed(attempt, repair, layout=layout, seed=seed) if layout else None
    if repair.kind == "redraw":
        return _redrawn(state, attempt, last, repair, seed)
    if repair.kind == "reprompt":
        prompt = repair.prompt or canonical
        return _changed(attempt, repair, prompt=prompt, seed=seed) if prompt and prompt != attempt.prompt else None
    following = _next_flow(state, flows, avoided) if repair.kind == "next_flow" else None
    return _changed(attempt, repair, flow=following, seed=seed) if following else None


def _changed(attempt: Attempt, repair: Repair, **changes: object) -> Attempt:
    """``attempt`` with a repair; a repair of an edit starts from the edited picture again."""
    return attempt.model_copy(update={"repair": repair, "base": attempt.edited, **changes})


def _redrawn(state: State, attempt: Attempt, last: Round, repair: Repair, seed: int) -> Attempt | None:
    layout = _moved(attempt.layout, repair) if repair.moved else attempt.layout
    if layout is None or repair.box is None or not 0 <= repair.box < len(layout.boxes):
        return None
    if attempt.edited is not None and (state.settled is None or repair.box not in state.settled.focus):
        return None  # what the person did not name keeps its pixels
    return _changed(attempt, repair, seed=seed, layout=layout, base=last.image)


def _moved(layout: Layout | None, repair: Repair) -> Layout | None:
    """``layout`` with box ``repair.box`` replaced; None where there is no such box."""
    if layout is None or repair.moved is None or repair.box is None or not 0 <= repair.box < len(layout.boxes):
        return None
    boxes = list(layout.boxes)
    boxes[repair.box] = repair.moved
    return layout.model_copy(update={"boxes": tuple(boxes)})


def _next_flow(state: State, flows: Sequence[str], avoided: frozenset[str]) -> str | None:
    """The first of ``flows`` that has not drawn in this run or in vain before; one asked for by name is kept."""
    tried = {made.flow for made in state.rounds} | avoided
    left = (flow for flow in flows if flow not in tried)
    return None if state.request.flow else next(left, None)


def _was_tried(attempt: Attempt, rounds: Sequence[Round]) -> bool:
    """Whether a whole picture was drawn from just this before; a redraw always starts from its own picture."""
    wanted = (attempt.flow, attempt.seed, attempt.prompt, attempt.layout)
    return attempt.base == attempt.edited and any(
        wanted == (made.flow, made.seed, made.prompt, made.layout) and not _is_redraw(made) for made in rounds
    )


def _is_redraw(made: Round) -> bool:
    return made.repair is not None and made.repair.kind in ("redraw", "close_up")


def region(box: Box) -> Region:
    """The part of a backend's job that one box of the layout is."""
    return Region(caption=box.caption, x=box.x, y=box.y, width=box.width, height=box.height)
