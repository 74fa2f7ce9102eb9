"""Whether one more picture may be made: the limits, and the person's word on passing one."""

from __future__ import annotations

from imagewright.agents.llm.account import LimitName
from imagewright.graph.budget import best, passing, say_used_up, seconds_limit
from imagewright.graph.parts import Parts
from imagewright.graph.spending import ask_about, picture_name
from imagewright.graph.state import Attempt, State


def allow(state: State, parts: Parts, attempt: Attempt) -> tuple[State, str]:
    """The state with what the person said, and why ``attempt`` may not be drawn; empty when it may.

    The money comes first, for its question is asked by the account and its answer is kept there: asked again after an
    interruption, the questions must come in the same order.
    """
    if reason := parts.account.why_no_picture(picture_name(parts, attempt.flow)):
        return _with_account(state, parts), reason
    state = _with_account(state, parts)
    while (over := passing(state)) is not None:
        name, size = over
        if not parts.asks or name in state.declined or size.startswith("0 "):
            return state, say_used_up(name, size)
        if ask_about(name, f"{_more(state)} would pass your limit of {size}{_so_far(state)}"):
            state = _extended(state, name)
        else:
            state = state.model_copy(update={"declined": (*state.declined, name)})
    return state, ""


def out_of_time(state: State, parts: Parts) -> str:
    """The seconds ended inside a picture: why the run ends there. A person who can be asked is asked instead.

    The question is put when the node is done again, for then the seconds that this picture took are counted.
    """
    over = f"{seconds_limit(state):g} seconds"
    if parts.asks and "seconds" not in state.declined:
        ask_about("seconds", f"this picture would pass your limit of {over}{_so_far(state)}")
    return say_used_up("seconds", over)


def _extended(state: State, name: LimitName) -> State:
    """The state with as much allowed again, and what one more picture takes."""
    while (over := passing(state)) is not None and over[0] == name:
        state = state.model_copy(update={"extended": (*state.extended, name)})
    return state


def _with_account(state: State, parts: Parts) -> State:
    account = parts.account
    return state.model_copy(update={"extended": account.extended, "declined": account.declined})


def _more(state: State) -> str:
    return "another picture" if state.rounds else "a picture"


def _so_far(state: State) -> str:
    if not state.rounds:
        return ""
    judged = best(state.rounds).verdict
    return f" (the best so far scores {judged.score:.2f})" if judged else ""
