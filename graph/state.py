"""The state of a run: small, typed and serialisable. Pictures are named by their hash and never stand here.

Everything but ``turns`` belongs to one run and is set anew when the next run of the thread begins.
"""

from __future__ import annotations

from typing import TypedDict, TypeVar

from imagewright.agents.critic.repairs.base import Ground, KnownRepair
from imagewright.agents.llm.account import LimitName, Used
from imagewright.errors import Fault
from imagewright.intents import Answer, AnyIntent, Idea, Preference, Reference, Settled
from imagewright.schemas import (
    Candidate,
    Categories,
    Choice,
    DrawRequest,
    Layout,
    Planned,
    Region,
    Repair,
    Round,
    RunResult,
    Value,
)
from imagewright.verdicts import AnyRepair, load_repairs

T = TypeVar("T")


class Attempt(Value):
    """What ``generate`` is to draw next."""

    flow: str
    seed: int
    prompt: str
    layout: Layout | None = None
    repair: AnyRepair | None = None
    """The repair that led here; none for the first picture."""
    base: str | None = None
    """SHA-256 of the picture that ``redraw`` or an edit changes regions of."""
    regions: tuple[Region, ...] = ()
    """What an edit draws anew in ``edited``; none for a whole picture."""
    edited: str | None = None
    """SHA-256 of the picture that an edit starts from, and that every repair of it starts from again."""


def apply_repair(attempt: Attempt, repair: Repair, ground: Ground, seed: int) -> Attempt | None:
    """``attempt``, which draws the picture of ``ground``, with ``repair``; None where that is not allowed.

    It is always drawn with another seed, ``seed``: with the old one a model mostly makes the old mistake. A repair of
    an edit starts from the edited picture again.
    """
    change = repair.change(ground) if isinstance(repair, KnownRepair) else None
    if change is None:
        return None
    return attempt.model_copy(update={"repair": repair, "base": attempt.edited, "seed": seed, **change})


class Spent(Value):
    """What a run has used so far, over all the processes that worked on it."""

    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0
    """US dollars, by the price table, for what has a price there."""
    model_seconds: float = 0.0
    """How many of the seconds language models took."""
    unpriced: tuple[str, ...] = ()
    """What was used without a price: what it cost is unknown."""

    @property
    def used(self) -> Used:
        """The part that an account counts."""
        return Used(**self.model_dump(exclude={"seconds"}))

    def plus(self, seconds: float, used: Used) -> Spent:
        """This and some more."""
        return Spent(seconds=self.seconds + seconds, **vars(self.used.plus(**vars(used))))


class State(Value):
    """What the nodes read. They return an ``Update`` and never change it."""

    run: str
    request: DrawRequest
    seed: int
    out: str
    """Where the picture goes: an absolute path."""
    turns: tuple[Reference, ...] = ()
    """What this line of the thread has delivered, oldest first; the one field that outlives a run."""
    references: tuple[Reference, ...] = ()
    """What the prompt may refer to: the thread's pictures that were left behind, then those of ``turns``."""
    preferences: tuple[Preference, ...] = ()
    said: str = ""
    """What is to be interpreted instead of the request's prompt: the person's answer to a question."""
    intent: AnyIntent | None = None
    settled: Settled | None = None
    categories: Categories | None = None
    generation: int = 0
    """The index's generation when the flow was chosen."""
    candidates: tuple[Candidate, ...] = ()
    able: tuple[str, ...] = ()
    """The flows that may draw this prompt here, best first: where ``next_flow`` looks."""
    choice: Choice | None = None
    planned: Planned | None = None
    attempt: Attempt | None = None
    rounds: tuple[Round, ...] = ()
    keys: tuple[str, ...] = ()
    """The content key of each round's picture in the artifact store."""
    spent: Spent = Spent()
    extended: tuple[LimitName, ...] = ()
    """The limits that the person let the run pass, once for each time; each allows as much again."""
    declined: tuple[LimitName, ...] = ()
    """The limits that the person wants kept."""
    notes: tuple[str, ...] = ()
    stopped: str = ""
    """Why the loop ended before a picture was accepted; empty while it goes on."""
    idea: Idea | None = None
    """What could make the accepted picture more beautiful; None where nothing is proposed, or was tried."""
    preferred: str = ""
    """SHA-256 of the polished picture, where it is kept."""
    result: RunResult | None = None
    answer: Answer | None = None


class Update(TypedDict, total=False):
    """What a node returns: the fields that it sets."""

    references: tuple[Reference, ...]
    preferences: tuple[Preference, ...]
    said: str
    request: DrawRequest
    intent: AnyIntent
    settled: Settled
    categories: Categories
    generation: int
    candidates: tuple[Candidate, ...]
    able: tuple[str, ...]
    choice: Choice
    planned: Planned
    attempt: Attempt
    rounds: tuple[Round, ...]
    keys: tuple[str, ...]
    spent: Spent
    extended: tuple[LimitName, ...]
    declined: tuple[LimitName, ...]
    notes: tuple[str, ...]
    stopped: str
    idea: Idea | None
    preferred: str
    turns: tuple[Reference, ...]
    result: RunResult
    answer: Answer


def require(value: T | None, name: str) -> T:
    """A field of the state that an earlier node has set, called ``name``.

    Raises:
        Fault: it has not.
    """
    if value is None:
        raise Fault(f"the state has no {name} yet")
    return value


OWN_TYPES: tuple[type[Value], ...] = (State, Attempt, Spent, *load_repairs().values())
"""What a checkpoint may rebuild beside the values of ``schemas``, ``intents`` and ``verdicts``."""


def fresh(run: str, request: DrawRequest, seed: int, out: str) -> dict[str, object]:
    """The input of a new run: every field but ``turns``, so that nothing of the thread's last run is left."""
    state = State(run=run, request=request, seed=seed, out=out)
    return {name: getattr(state, name) for name in State.model_fields if name != "turns"}
