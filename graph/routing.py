"""Where a run goes next: the places at which its way divides."""

from __future__ import annotations

from typing import Literal

from imagewright.agents.conversation.kinds import wants_picture
from imagewright.errors import Fault
from imagewright.graph.repairs import polish as polishing
from imagewright.graph.state import State
from imagewright.intents import UnclearIntent


def after_interpret(state: State) -> Literal["categorize", "ask", "answer"]:
    """A picture is made, the person is asked which of several is meant, or something is said."""
    if state.intent is None:
        raise Fault("the state has no intent yet")
    if wants_picture(state.intent):
        return "categorize"
    return "ask" if isinstance(state.intent, UnclearIntent) and state.intent.choices else "answer"


def after_ask(state: State) -> Literal["interpret", "__end__"]:
    """What the person said is interpreted, unless they let it be."""
    return "__end__" if state.answer is not None else "interpret"


def after_generate(state: State) -> Literal["critique", "deliver"]:
    """A new picture is judged, unless the person wants no critic or the run has ended."""
    return "critique" if state.request.use_critic and not state.stopped else "deliver"


def after_critique(state: State) -> Literal["refine", "deliver"]:
    """An accepted picture is delivered, or polished first; the best one when there is no room for another."""
    if polishing.pending(state):
        return "refine"
    last = state.rounds[-1]
    accepted = last.verdict is None or last.verdict.accepted or polishing.is_polished(last)
    return "deliver" if accepted or state.stopped else "refine"
