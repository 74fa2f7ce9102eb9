"""Counting what each node uses, also where it is cut off, and asking the person before a limit is passed.

A node that ends writes what it used into the state. One that is killed, stopped or interrupted by a question has no
such chance: so a thread leaves word in the run's lock file every half second, and so does the node when it is left by
an exception. Whoever resumes the run finds the word and goes on counting from there.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from imagewright.agents.llm.account import LimitName
from imagewright.errors import BadInput
from imagewright.graph.choose import name_backend
from imagewright.graph.parts import Parts
from imagewright.graph.state import Spent, State, Update
from imagewright.intents import Question

BEAT = 0.5
"""Seconds between two words about a node that is at work."""
YES_NO = "go on? [y/N]"
"""How a question about a limit ends."""
YES = frozenset({"y", "yes", "ok", "okay", "sure", "go on", "please do"})
NO = frozenset({"", "n", "no", "stop", "nope", "enough"})


@dataclass
class Meter:
    """What one node has used."""

    state: State
    """The state as the node should see it: with what was used before it was cut off, where it was."""
    parts: Parts
    began: float
    mark: str
    """Which visit of which node this is, so that no word about another one is taken for it."""

    @property
    def spent(self) -> Spent:
        """What the run has used so far."""
        return self.state.spent.plus(self.parts.clock() - self.began, self.parts.account.now)

    def leave_word(self) -> None:
        """Write down what this node has used; a disk that is full must not end the run here."""
        with contextlib.suppress(BadInput):
            self.parts.runs.note(self.state.run, json.dumps({"at": self.mark, "spent": self.spent.model_dump()}))

    def update(self, update: Update) -> Update:
        """What the node's use changes of the state."""
        spent = self.spent
        account = self.parts.account
        account.take()
        return {
            "spent": spent,
            "extended": update.get("extended", account.extended),
            "declined": update.get("declined", account.declined),
        }


@contextlib.contextmanager
def meter(state: State, parts: Parts, node: str) -> Iterator[Meter]:
    """Count what happens inside."""
    mark = f"{node} {len(state.rounds)} {state.spent.seconds!r}"
    resumed = state.model_copy(update={"spent": _found(parts, state, mark)})
    parts.account.open(resumed.spent.used, state.extended, state.declined)
    parts.account.ask = ask_about if parts.asks else None
    meter = Meter(resumed, parts, parts.clock(), mark)
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(meter, ended), daemon=True, name="meter")
    thread.start()
    try:
        yield meter
    except BaseException:
        meter.leave_word()
        raise
    finally:
        ended.set()
        thread.join()


def _beat(meter: Meter, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        meter.leave_word()


def _found(parts: Parts, state: State, mark: str) -> Spent:
    """What the run has used, with the word that an earlier process left about this visit of this node."""
    try:
        word = json.loads(parts.runs.note_of(state.run) or "{}")
        return Spent.model_validate(word["spent"]) if word.get("at") == mark else state.spent
    except (ValueError, ValidationError, KeyError, TypeError, AttributeError):
        return state.spent


# --- limits ---------------------------------------------------------------------------------


def ask_about(name: LimitName, what: str) -> bool:
    """Ask the person whether a limit may be passed; the run waits, however long it takes, and time stands still."""
    from langgraph.types import interrupt  # a plan asks nobody, and does not wait for LangGraph

    return is_yes(str(interrupt(Question(text=f"{what}: {YES_NO}").model_dump())))


def is_yes(said: str) -> bool:
    """Whether a limit may be passed."""
    return said.strip().lower().rstrip(".!") in YES


def is_reply(said: str) -> bool:
    """Whether something answers such a question at all; what does not is taken for no, and is said anew."""
    return is_yes(said) or said.strip().lower().rstrip(".!") in NO


def asks_about_a_limit(question: str) -> bool:
    """Whether a question is about a limit."""
    return question.endswith(YES_NO)


def picture_name(parts: Parts, state: State, flow: str) -> str:
    """Under which name the price of a flow's pictures is looked for: the backend that draws, and the base model."""
    return f"{name_backend(parts, state.candidates, flow)}:{parts.catalogue.flow(flow).card.base_model}"
