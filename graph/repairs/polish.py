"""One suggestion for beauty, after the facts are right: whether it is tried, and whether what came of it is kept."""

from __future__ import annotations

from imagewright.agents.critic.repairs.polish import Polish
from imagewright.agents.critic.verdict import why_unchecked
from imagewright.errors import Fault
from imagewright.graph.budget import passing
from imagewright.graph.choose import is_closed
from imagewright.graph.events import tell
from imagewright.graph.parts import Parts
from imagewright.graph.state import Attempt, State, Update
from imagewright.schemas import Round, RunEvent


def is_polished(made: Round) -> bool:
    """Whether a round came of a suggestion."""
    return isinstance(made.repair, Polish)


def pending(state: State) -> bool:
    """Whether a suggestion waits to be tried."""
    return state.idea is not None and not is_polished(state.rounds[-1])


def judge_polish(state: State, parts: Parts) -> tuple[Update, tuple[str, ...]]:
    """After the verdict on the last round: a suggestion, or whether the polished picture is kept; and notes."""
    last = state.rounds[-1]
    if is_polished(last):
        return _compared(state, parts)
    if parts.polisher is None or last.verdict is None or not last.verdict.accepted:
        return {}, ()
    if why := _why_not(state, parts):
        return {}, (f"not polished: {why}",)
    idea = parts.polisher.suggest(parts.store.open(last.image), _prompt(state))
    if idea is None:
        return {}, ("not polished: nothing about its light, angle or mood is suggested",)
    return {"idea": idea}, ()


def attempt(state: State) -> Attempt:
    """The suggestion as an attempt: the same flow, seed and layout, drawn whole, with the words added."""
    before, idea = state.attempt, state.idea
    if before is None or idea is None:
        raise Fault("there is nothing to polish")
    prompt = f"{before.prompt}, {idea.words}"
    repair = Polish(reason=f"{idea.kind}{': ' if idea.reason else ''}{idea.reason}", prompt=prompt)
    return before.model_copy(update={"prompt": prompt, "repair": repair, "base": None, "regions": ()})


def _why_not(state: State, parts: Parts) -> str:
    last = state.rounds[-1]
    if last.verdict is not None and why_unchecked(last.verdict):
        return "its facts were not checked"
    if state.attempt is not None and state.attempt.edited is not None:
        return "an edit keeps the rest of its picture"
    if (over := passing(state)) is not None:
        return f"another picture would pass the limit of {over[1]}"
    flow = parts.catalogue.flow(last.flow)
    if is_closed(parts, flow):
        return f"{flow.card.base_model or flow.id} knows no words for light, angle or mood"
    return ""


def _compared(state: State, parts: Parts) -> tuple[Update, tuple[str, ...]]:
    last, idea = state.rounds[-1], state.idea
    before = next(made for made in reversed(state.rounds) if not is_polished(made))
    if parts.polisher is None or idea is None or last.verdict is None:
        return {}, ()
    if not last.verdict.accepted:
        return {}, _told(state, False, f"{idea.kind}: it is no longer right")
    pictures = parts.store.open(before.image), parts.store.open(last.image)
    better, why = parts.polisher.prefers(*pictures, _prompt(state), idea)
    return {"preferred": last.image if better else ""}, _told(state, better, f"{idea.kind}: {why}")


def _told(state: State, kept: bool, why: str) -> tuple[str, ...]:
    text = f"the polished picture is {'kept' if kept else 'not kept'} ({why})"
    tell(RunEvent(kind="verdict", run=state.run, text=text, image=state.rounds[-1].image))
    return (text,)


def _prompt(state: State) -> str:
    return state.settled.prompt if state.settled else state.request.prompt
