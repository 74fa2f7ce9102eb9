"""Turning a verdict's repair into the next attempt: from the best picture so far; nothing tried in vain comes again."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence

from imagewright.agents.critic.repairs.base import Ground, KnownRepair, list_ladder, list_repairs
from imagewright.agents.critic.repairs.new_seed import NewSeed
from imagewright.agents.critic.verdict import failed_checks
from imagewright.errors import Fault
from imagewright.graph.budget import best, ground, only_blurred
from imagewright.graph.repairs.tried import faults_of, target_of, vain
from imagewright.graph.state import Attempt, State, apply_repair
from imagewright.intents import Tried
from imagewright.schemas import Box, Region, Repair, Round

FlowForPart = Callable[[str, Box], str | None]


def next_seed(seed: int, number: int) -> int:
    """The seed of round ``number``, in 32 bits: the same for the same first seed, everywhere."""
    digest = hashlib.sha256(f"imagewright {seed} {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def refine_attempt(
    state: State,
    canonical: str,
    memory: Sequence[Tried] = (),
    others: Sequence[str] = (),
    flow_for_part: FlowForPart = lambda prompt, thing: None,
) -> Attempt:
    """The next attempt: the repair of the best picture so far applied to it, or the next one where it is no use.

    First what repairs bring by themselves and what the critic proposed, by their turns: a close-up whose turn it is, a
    single box that is worth redrawing, the other way to draw (for what one way gets wrong it gets wrong with another
    seed too), anything else. Then the ladder behind what was proposed, in the end another seed. A repair is no use
    where it is not allowed, would draw the same picture again, or was tried in vain for the same fault on the same
    flow, by ``memory``. ``canonical`` is the prompt in the planner's plain words; ``others`` are the flows that draw
    from words alone, where the best picture's flow needs boxes.
    """
    if state.attempt is None:
        raise Fault("refine was reached without an attempt")
    start = find_ground(state, canonical, memory, others, flow_for_part)
    last, proposed = start.made, _proposed(start.made)
    attempt_there = state.attempt.model_copy(
        update={"flow": last.flow, "seed": last.seed, "prompt": last.prompt, "layout": last.layout}
    )
    seed = _unseen_seed(state, memory)
    useless: list[str] = []
    # What starts from the person's own picture keeps its places: another seed is all that can help.
    for repair in () if state.request.image is not None else _candidates(proposed, start):
        attempt = apply_repair(attempt_there, repair, start, seed)
        why = _useless(attempt, last, start.fault, memory, state.rounds)
        if attempt is not None and not why:
            return _told(attempt, useless)
        useless.append(f"{repair.name} {why}")
    another = apply_repair(attempt_there, NewSeed(reason=proposed.reason), start, seed)
    if another is None:
        raise Fault("another seed is always allowed")
    return _told(another, useless)


def find_ground(
    state: State, canonical: str, memory: Sequence[Tried], others: Sequence[str], flow_for_part: FlowForPart
) -> Ground:
    """What a repair may know of the run: the best picture so far, and what there is to draw it anew."""
    last = ground(state.rounds)
    if state.rounds[-1].verdict is None or last.verdict is None:
        raise Fault("refine starts from a picture that nobody judged")
    return Ground(
        made=last, rounds=state.rounds, failed=failed_checks(last.verdict.checks),
        fault=next(iter(faults_of(last.verdict)), ""), reason=_proposed(last).reason, tried=memory,
        planned=state.planned.layout if state.planned else None, may_place=bool(state.request.use_layout),
        canonical=canonical, flows=(*others, *state.able), from_words=others, named_flow=state.request.flow is not None,
        edited=state.attempt is not None and state.attempt.edited is not None,
        focus=state.settled.focus if state.settled else (),
        only_form=only_blurred(last), drawn_again=was_drawn_again(state.rounds), flow_for_part=flow_for_part,
    )  # fmt: skip


def _proposed(made: Round) -> Repair:
    return (made.verdict and made.verdict.repair) or NewSeed(reason="the critic proposed nothing")


def was_drawn_again(rounds: Sequence[Round]) -> bool:
    """Whether a picture of which only the form was doubted was followed by another."""
    return any(only_blurred(best(rounds[:number])) for number in range(1, len(rounds)))


def _candidates(proposed: Repair, start: Ground) -> Iterator[Repair]:
    """What may be tried, in order; what stands behind the proposal on the ladder is asked for only when it is due."""
    brought = [repair for shape in list_repairs() if (repair := shape.bring(start))]
    yield from sorted((*brought, proposed), key=_turn)
    rank = proposed.rank if isinstance(proposed, KnownRepair) else 0
    for shape in list_ladder():
        if shape.rank > rank and (repair := shape.follow(start)):
            yield repair


def _turn(repair: Repair) -> int:
    return repair.turn if isinstance(repair, KnownRepair) else KnownRepair.turn


def _useless(attempt: Attempt | None, last: Round, fault: str, memory: Sequence[Tried], rounds: Sequence[Round]) -> str:
    """Why ``attempt`` is not worth a picture; empty when it is."""
    if attempt is not None and isinstance(attempt.repair, KnownRepair) and attempt.repair.repeats:
        return ""
    if attempt is None or attempt.repair is None or _was_tried(attempt, rounds):
        return "has nothing new to offer"
    target = target_of(attempt.repair, attempt.layout, attempt.flow, attempt.prompt)
    before = vain(memory, fault, last.flow, attempt.repair, target)
    return f"did not help before ({before.tell_move()})" if before else ""


def _told(attempt: Attempt, useless: Sequence[str]) -> Attempt:
    """``attempt`` with the rungs that were passed over in its reason."""
    if not useless or attempt.repair is None:
        return attempt
    reason = f"{attempt.repair.reason}; {', '.join(useless)}"
    return attempt.model_copy(update={"repair": attempt.repair.model_copy(update={"reason": reason})})


def _unseen_seed(state: State, memory: Sequence[Tried]) -> int:
    """A seed that nothing was drawn with yet, neither in this run nor in the turns before."""
    used = {made.seed for made in state.rounds} | {tried.seed for tried in memory}
    numbers = itertools.count(len(state.rounds))
    return next(seed for number in numbers if (seed := next_seed(state.seed, number)) not in used)


def _was_tried(attempt: Attempt, rounds: Sequence[Round]) -> bool:
    """Whether a whole picture was drawn from just this before; a redraw always starts from its own picture."""
    wanted = (attempt.flow, attempt.seed, attempt.prompt, attempt.layout)
    return attempt.base == attempt.edited and any(
        wanted == (made.flow, made.seed, made.prompt, made.layout) and not _is_redraw(made) for made in rounds
    )


def _is_redraw(made: Round) -> bool:
    return isinstance(made.repair, KnownRepair) and made.repair.part(made.layout) is not None


def region(box: Box) -> Region:
    """The part of a backend's job that one box of the layout is."""
    return Region(caption=box.caption, x=box.x, y=box.y, width=box.width, height=box.height)
