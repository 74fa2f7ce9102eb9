"""What a run has tried against which fault, and how the score moved: read off its rounds, so that it survives a kill.

A fault is a failed check, known again by what was wanted. A repair was in vain for a fault that was there before it and
is there after it. In a conversation the memory goes over to the next turn with the picture that it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagewright.agents.critic.repairs.base import KnownRepair
from imagewright.agents.critic.verdict import failed_checks
from imagewright.graph.budget import ground
from imagewright.intents import Reference, Tried
from imagewright.schemas import Check, Layout, Repair, Round, Verdict

MOST_TRIED = 40
"""How many repairs a picture's memory holds; the oldest are forgotten first."""


def fault_of(check: Check) -> str:
    """What a failed check is about, in words that are the same for every picture of the request."""
    return f"{check.name}: {check.wanted or check.detail}"


def faults_of(verdict: Verdict) -> tuple[str, ...]:
    """What is wrong, the first fault first."""
    return tuple(dict.fromkeys(fault_of(check) for check in failed_checks(verdict.checks)))


def target_of(repair: Repair, layout: Layout | None, flow: str, prompt: str) -> str:
    """What a repair is applied to; the same for two repairs that are the same but for the seed."""
    return repair.target(layout, flow, prompt) if isinstance(repair, KnownRepair) else ""


def of_rounds(rounds: Sequence[Round]) -> tuple[Tried, ...]:
    """What the rounds of a run have tried, in order; rounds that nobody judged say nothing."""
    return tuple(_each(rounds))


def _each(rounds: Sequence[Round]) -> Iterator[Tried]:
    for number, made in enumerate(rounds[1:], start=1):
        before = ground(rounds[:number])
        if before.verdict is None or made.verdict is None:
            continue
        if made.repair is None or (isinstance(made.repair, KnownRepair) and not made.repair.remembered):
            continue
        yield Tried(
            flow=before.flow, faults=faults_of(before.verdict), kind=made.repair.kind, seed=made.seed,
            target=target_of(made.repair, made.layout, made.flow, made.prompt),
            before=before.verdict.score, after=made.verdict.score, left=faults_of(made.verdict),
        )  # fmt: skip


def list_tried(earlier: Reference | None, rounds: Sequence[Round]) -> tuple[Tried, ...]:
    """Everything that was tried for a picture: in the turns that it was changed from, then in this run."""
    return ((earlier.tried if earlier else ()) + of_rounds(rounds))[-MOST_TRIED:]


def vain(memory: Sequence[Tried], fault: str, flow: str, repair: Repair, target: str) -> Tried | None:
    """The last time that this repair was tried in vain for ``fault`` on ``flow``; None where it never was."""
    same = (
        tried for tried in reversed(memory)
        if (tried.flow, tried.kind, tried.target) == (flow, repair.kind, target) and tried.in_vain(fault)
    )  # fmt: skip
    return next(same, None)
