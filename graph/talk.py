"""The nodes of a conversation: remember, interpret, ask back, answer."""

from __future__ import annotations

from langgraph.types import interrupt

from imagewright.agents.conversation.kinds import reply_to
from imagewright.errors import Fault
from imagewright.graph import decide
from imagewright.graph.answers import answer_intent
from imagewright.graph.events import tell, tell_notes
from imagewright.graph.nodes import node
from imagewright.graph.parts import Parts
from imagewright.graph.state import State, Update
from imagewright.intents import Answer, Question, UnclearIntent
from imagewright.schemas import RunEvent


@node
def recall(state: State, parts: Parts) -> Update:
    """Bring back the thread's earlier pictures that are still kept, and the person's lasting wishes."""
    return decide.remember_thread(state, parts)


@node
def interpret(state: State, parts: Parts) -> Update:
    """Read what the person wants; where nobody can be asked, the first reading is assumed, and said to be."""
    update = decide.read_request(state, parts)
    if "settled" not in update:
        return update
    tell_notes(state, update["notes"][len(state.notes) :])
    if update["intent"].kind != "create":
        text = f"{update['intent'].kind}: {update['settled'].prompt}"
        tell(RunEvent(kind="note", run=state.run, text=text))
    return update


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
