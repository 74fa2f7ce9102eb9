"""What is said where no picture is made: going back, questions, thumbs, lasting wishes."""

from __future__ import annotations

from imagewright.agents.conversation.edits import base_of
from imagewright.errors import BadInput, Fault
from imagewright.graph.orders import carry_out
from imagewright.graph.parts import Parts
from imagewright.graph.short_answers import tell_briefly, tell_world
from imagewright.graph.state import State
from imagewright.graph.thumbs import tell_thumb, weigh_thumb
from imagewright.graph.why import explain
from imagewright.intents import (
    Answer,
    BranchIntent,
    CommandIntent,
    FeedbackIntent,
    Preference,
    PreferenceIntent,
    QuestionIntent,
    Reference,
    UnclearIntent,
    UndoIntent,
)


def answer_intent(parts: Parts, state: State) -> Answer:
    """The answer to an intent that makes no picture."""
    intent = state.intent
    if intent is None:
        raise Fault("answer was reached without an intent")
    if isinstance(intent, UndoIntent | BranchIntent):
        back = base_of(intent, state.references)
        return Answer(text=f"back to picture {back.number}: {back.prompt}", back_to=back.run)
    if isinstance(intent, FeedbackIntent):
        return Answer(text=_thumb(parts, state, intent))
    if isinstance(intent, PreferenceIntent):
        return Answer(text=_wish(parts, intent.preference))
    if isinstance(intent, UnclearIntent):
        return Answer(text=intent.reason)
    if isinstance(intent, QuestionIntent):
        return Answer(text=_told(parts, state, intent))
    if isinstance(intent, CommandIntent):
        return Answer(text=carry_out(parts, state, intent))
    raise Fault(f"answer was reached with an intent to {intent.kind}")


def _thumb(parts: Parts, state: State, intent: FeedbackIntent) -> str:
    """Keep a person's thumb as evidence, and beside the picture."""
    made = base_of(intent, state.references)
    parts.learn(weigh_thumb(made, _drawn_by(parts, made), intent.thumb))
    parts.runs.note_thumb(made.run, intent.thumb)
    return tell_thumb(made, intent.thumb)


def _drawn_by(parts: Parts, made: Reference) -> str:
    """The backend that drew a picture of the conversation, as its trace says."""
    try:
        return parts.runs.trace(made.run).backend or parts.backend.name
    except BadInput:
        return parts.backend.name


def _wish(parts: Parts, wish: Preference) -> str:
    if parts.preferences is None:
        raise BadInput("no preferences are kept here", "use imagewright chat")
    known = parts.preferences.put(wish)
    what = f"in {wish.text}" if wish.kind == "style" else f"never {wish.text}"
    if wish.on:
        return f"noted for every new picture: {what} (see: imagewright prefs list)"
    return f"switched off: {what}" if known else f"nothing like {wish.text!r} was noted"


def _told(parts: Parts, state: State, intent: QuestionIntent) -> str:
    if intent.topic == "preferences":
        wishes = [f"{w.kind} {w.text}{'' if w.on else ' (off)'}" for w in state.preferences]
        return "; ".join(wishes) or "no preferences are noted"
    if intent.topic == "world":
        return tell_world(parts)
    if not intent.base:
        return "there is no picture yet"
    if short := tell_briefly(parts, state, intent):
        return short
    return explain(parts.runs.trace(intent.base), intent.topic)
