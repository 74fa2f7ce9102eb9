"""The nodes of a conversation: remember, interpret, ask back, answer."""

from __future__ import annotations

from langgraph.types import interrupt

from imagewright.agents.conversation.edits import settle
from imagewright.agents.conversation.kinds import assume, reply_to, wants_picture
from imagewright.errors import BadInput, Fault
from imagewright.graph.answers import answer_intent
from imagewright.graph.events import tell, tell_notes
from imagewright.graph.nodes import node
from imagewright.graph.parts import Parts
from imagewright.graph.state import State, Update
from imagewright.intents import Answer, AnyIntent, Preference, Question, Reference, Settled, UnclearIntent
from imagewright.memory.threads import Threads
from imagewright.schemas import RunEvent

MAX_REFERENCES = 100
"""How many earlier pictures of a thread are kept in mind."""


@node
def recall(state: State, parts: Parts) -> Update:
    """Bring back the thread's earlier pictures that are still kept, and the person's lasting wishes."""
    live = [turn for turn in state.turns if parts.store.has(turn.image)]
    others: list[Reference] = []
    if state.request.thread is not None:
        known = {turn.run for turn in state.turns}
        pictures = Threads(parts.runs.path).pictures(state.request.thread, before=state.run)
        others = [p for p in pictures if p.run not in known and parts.store.has(p.image)]
    wishes = parts.preferences.all() if parts.preferences else ()
    return {"references": tuple((*others, *live)[-MAX_REFERENCES:]), "preferences": wishes}


@node
def interpret(state: State, parts: Parts) -> Update:
    """Read what the person wants; where nobody can be asked, the first reading is assumed, and said to be."""
    said = state.said or state.request.prompt
    intent = parts.interpreter.interpret(said, state.references)
    notes = state.notes
    if not parts.asks:
        intent, assumption = assume(intent, lambda text: parts.interpreter.interpret(text, state.references))
        notes = (*notes, *((assumption,) if assumption else ()))
        if not wants_picture(intent):
            raise BadInput(f"{said[:80]!r} asks for no picture", "say it in a conversation: imagewright chat")
    if not wants_picture(intent):
        return {"intent": intent}
    tell_notes(state, notes[len(state.notes) :])
    settled = add_wishes(settle(intent, state.references), intent, state.preferences)
    if intent.kind != "create":
        tell(RunEvent(kind="note", run=state.run, text=f"{intent.kind}: {settled.prompt}"))
    return {"intent": intent, "settled": settled, "notes": notes}


def add_wishes(settled: Settled, intent: AnyIntent, preferences: tuple[Preference, ...]) -> Settled:
    """A new picture with the person's lasting wishes, where its prompt does not say otherwise itself."""
    wishes = [wish for wish in preferences if wish.on]
    if intent.kind != "create" or not wishes:
        return settled
    parsed = settled.parsed
    named = {group.object for group in parsed.groups}
    style = () if parsed.style else tuple(w.text for w in wishes if w.kind == "style")
    never = tuple(w.text for w in wishes if w.kind == "never" and w.text not in {*named, *parsed.negative})
    prompt = ", ".join([settled.prompt, *style, *(f"no {text}" for text in never)])
    parsed = parsed.model_copy(update={"style": (*parsed.style, *style), "negative": (*parsed.negative, *never)})
    return settled.model_copy(update={"prompt": prompt, "parsed": parsed})


@node
def ask(state: State, parts: Parts) -> Update:
    """Ask the person, and go on with what they say."""
    if not isinstance(state.intent, UnclearIntent):
        raise Fault("ask was reached without an unclear intent")
    question = Question(text=state.intent.reason, choices=state.intent.choices)
    said = reply_to(state.intent, str(interrupt(question.model_dump())))
    return {"said": said} if said else {"answer": Answer(text="all right, nothing is changed")}


@node
def answer(state: State, parts: Parts) -> Update:
    """Say or note something; no picture is made."""
    found = answer_intent(parts, state)
    tell(RunEvent(kind="answer", run=state.run, text=found.text))
    return {"answer": found}
