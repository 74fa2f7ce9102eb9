"""When the loop ends, and which picture is delivered.

The loop goes on until the first of these: a picture is accepted; ``max_images`` pictures are made; ``max_seconds``
are used; two rounds in a row were no better than the best one before them. What is delivered is always the best
picture so far: an accepted one, else the highest score, and among equals the earliest.
"""

from __future__ import annotations

from collections.abc import Sequence

from imagewright.errors import BudgetSpent
from imagewright.graph.state import State
from imagewright.schemas import Round

PATIENCE = 2
"""How many rounds in a row may fail to improve on the best one before them."""


def rank(made: Round) -> tuple[bool, float]:
    """How good a round is; one that nobody judged is worth less than any judged one."""
    return (made.verdict.accepted, made.verdict.score) if made.verdict else (False, -1.0)


def best(rounds: Sequence[Round]) -> Round:
    """The round to deliver."""
    return max(rounds, key=rank)


def stalled(rounds: Sequence[Round]) -> bool:
    """Whether the last ``PATIENCE`` rounds were no better than the best one before them."""
    if len(rounds) <= PATIENCE:
        return False
    return rank(best(rounds[-PATIENCE:])) <= rank(best(rounds[:-PATIENCE]))


def seconds_left(state: State) -> float:
    """How long the run may still take; infinite without a limit."""
    limit = state.request.max_seconds
    return float("inf") if limit is None else limit - state.spent.seconds


def why_stop(state: State) -> str:
    """Why no further picture is made, in words; empty while there is room for one."""
    if len(state.rounds) >= state.request.max_images:
        return f"the budget of {state.request.max_images} image{'s' * (state.request.max_images != 1)} is used"
    if seconds_left(state) <= 0:
        return f"the budget of {state.request.max_seconds:g} seconds is used"
    if stalled(state.rounds):
        return f"{PATIENCE} rounds in a row were no better than the best picture"
    return ""


def insist_on_room(state: State) -> None:
    """Refuse a run whose budget is used up before its first picture.

    Raises:
        BudgetSpent: nothing may be drawn any more and there is nothing to deliver.
    """
    if not state.rounds and (reason := why_stop(state)):
        raise BudgetSpent(f"{reason}, and no picture was made", "allow more with --max-images or --max-seconds")
