"""Where a run goes next: the three places at which its way divides."""

from __future__ import annotations

from typing import Literal

from imagewright.graph.state import State


def after_interpret(state: State) -> Literal["categorize"]:
    """Every intent that this version knows makes a new picture; an unclear one never gets here."""
    return "categorize"


def after_generate(state: State) -> Literal["critique", "deliver"]:
    """A new picture is judged, unless the person wants no critic or the run has ended."""
    return "critique" if state.request.use_critic and not state.stopped else "deliver"


def after_critique(state: State) -> Literal["refine", "deliver"]:
    """An accepted picture is delivered, and the best one when there is no room for another."""
    last = state.rounds[-1].verdict
    accepted = last is None or last.accepted
    return "deliver" if accepted or state.stopped else "refine"
