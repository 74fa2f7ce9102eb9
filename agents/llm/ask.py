"""Asking language models one question whose answer has a schema, in a way that never breaks the run.

What a model says is data: it is read as JSON, checked against the schema, shown its mistakes at most twice, and then
given up on. The next model of the list is asked; when none is left, the caller goes on with the rules.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel

from imagewright.agents.llm.account import Account
from imagewright.agents.llm.answers import Said, complaint
from imagewright.agents.llm.calls import Deadline, Policy, blank_secrets
from imagewright.agents.llm.models import MOST_TOKENS, LanguageModel
from imagewright.agents.llm.objects import read_answer
from imagewright.agents.llm.prompt_files import Prompt
from imagewright.agents.llm.say import Silence, say
from imagewright.errors import BadInput, ImagewrightError
from imagewright.memory.llm_cache import Known, LLMCache, answer_key

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

REPAIRS = 2
"""How often a model is shown what was wrong with its answer."""
SHOWN = 20_000
"""Characters of a wrong answer that the model is shown again."""
SHARE = 0.4
"""The share of a run's seconds that language models may take; the rest is for pictures."""

_Answer = TypeVar("_Answer", bound=BaseModel)
OnNote = Callable[[str], None]


class Unusable(ImagewrightError):
    """No language model gave an answer that can be used; the caller goes on with the rules."""


@dataclass(frozen=True)
class Query(Generic[_Answer]):
    """One question to a language model, and what its answer must look like."""

    prompt: Prompt
    schema: type[_Answer]
    check: Callable[[_Answer], str]
    """What is wrong with an answer that fits the schema; empty when nothing is."""
    pictures: tuple[bytes, ...] = ()
    """PNG files to look at."""
    read: Callable[[str], _Answer] | None = None
    """How a text becomes an answer, for prompts that ask for another form than JSON. Raises ``ValueError``."""


@dataclass
class Line:
    """What all agents of one run share on their way to language models."""

    account: Account = field(default_factory=Account)
    on_note: OnNote = lambda note: None
    """Hears every fallback."""
    policy: Policy = field(default_factory=Policy)
    store: LLMCache | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    run_seconds: float | None = None
    """How long the whole run may take; ``SHARE`` of it is for language models."""
    down: dict[str, str] = field(default_factory=dict)
    """Models that did not answer in this run, and why: they are not asked again."""
    endpoints: dict[str, Known] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)
    """Models of which it was told that their key can be read on the way."""

    @property
    def seconds_left(self) -> float:
        """How long models may still take in this run: never so long that no time is left for a picture."""
        return (
            float("inf")
            if self.run_seconds is None
            else max(0.0, SHARE * self.run_seconds - self.account.total.model_seconds)
        )

    def recall(self, model: LanguageModel) -> Known:
        """What was found out about ``model``, in this run or before."""
        if model.name not in self.endpoints:
            found = self._stored(lambda store: store.recall(model.name))
            self.endpoints[model.name] = found or Known()
        return self.endpoints[model.name]

    def learn(self, model: LanguageModel, **found: Any) -> None:
        """Remember what was found out about ``model``."""
        known = self.recall(model).model_copy(update=found)
        if known != self.recall(model):
            self.endpoints[model.name] = known
            self._stored(lambda store: store.learn(model.name, known))

    def warn_of_open_key(self, model: LanguageModel) -> None:
        """Tell, once, that a key goes to another machine where others can read it on the way."""
        if model.open_key and model.name not in self.warned:
            self.warned.add(model.name)
            self.on_note(f"the key for {model.name} goes over plain http, where others can read it: use https")

    def recall_answer(self, key: str) -> str | None:
        """The kept answer under ``key``."""
        found: str | None = self._stored(lambda store: store.answer(key))
        return found

    def keep(self, key: str, model: str, answer: str) -> None:
        """Keep a checked answer."""
        self._stored(lambda store: store.keep(key, model, answer))

    def _stored(self, use: Callable[[LLMCache], Any]) -> Any:
        """What ``use`` gets from the store; a store that fails is told once and left alone."""
        if self.store is None:
            return None
        try:
            return use(self.store)
        except BadInput as error:
            self.store = None
            self.on_note(f"answers of language models are not kept: {error}")
            return None


@dataclass(frozen=True)
class Asker:
    """One agent's models, in the order in which they are asked."""

    agent: str
    models: tuple[LanguageModel, ...]
    line: Line = field(default_factory=Line)

    def ask(self, question: Query[_Answer]) -> _Answer:
        """The first usable answer.

        Raises:
            Unusable: no model gave one.
            Cancelled: the person stopped the run.
        """
        line, why = self.line, "no language model is set"
        deadline = Deadline(min(line.policy.question, line.seconds_left), line.stop)
        for number, model in enumerate(self.models):
            began = time.monotonic()
            try:
                return _asked(line, model, question, deadline)
            except Unusable as error:
                why = f"{model.name}: {error}"
            finally:
                line.account.add_seconds(0.0 if model.patient else time.monotonic() - began)
            following = self.models[number + 1 : number + 2]
            if following:
                line.on_note(f"{self.agent}: {following[0].name} is asked instead; {why}")
        raise Unusable(why)


def _asked(line: Line, model: LanguageModel, question: Query[_Answer], deadline: Deadline) -> _Answer:
    """``model``'s checked answer: the one kept from before, or a new one."""
    key = _key(model, question)
    if not model.patient and (kept := line.recall_answer(key)) is not None and (old := _still_good(kept, question)):
        return old
    if model.name in line.down:
        raise Unusable(f"it did not answer before in this run ({line.down[model.name]})")
    answer = _repaired(line, model, question, deadline)
    if not model.patient:
        line.keep(key, model.name, answer.model_dump_json())
    return answer


def _key(model: LanguageModel, question: Query[Any]) -> str:
    import hashlib

    prompt = question.prompt
    return answer_key(
        {
            "model": model.name,
            "parameters": {"max_tokens": MOST_TOKENS, "script": repr(getattr(model.chat, "answers", ""))},
            "messages": [prompt.rules, prompt.request, *(hashlib.sha256(p).hexdigest() for p in question.pictures)],
            "prompt": [prompt.name, prompt.version],
            "schema": question.schema.model_json_schema(),
        }
    )


def _still_good(kept: str, question: Query[_Answer]) -> _Answer | None:
    """A kept answer, unless what is asked of answers has changed since."""
    try:
        answer = question.schema.model_validate_json(kept)
    except ValueError:
        return None
    return None if question.check(answer) else answer


def _repaired(line: Line, model: LanguageModel, question: Query[_Answer], deadline: Deadline) -> _Answer:
    """An answer, after at most ``REPAIRS`` repairs.

    Raises:
        Unusable: the call failed, the model refused, the budget is used, or the answer was still wrong.
    """
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    first = [SystemMessage(question.prompt.rules), HumanMessage(_contents(question))]
    messages: list[BaseMessage] = [*first]
    wrong = ""
    for _ in range(1 + REPAIRS):
        try:
            said = say(line, model, messages, question, deadline)
        except Silence as error:
            raise Unusable(str(error)) from None
        if said.refused:
            raise Unusable(said.lack)
        try:
            return _read(said, question)
        except (ValueError, RecursionError) as error:
            if said.lack:  # the same question would end in the same way
                raise Unusable(said.lack) from None
            wrong = complaint(error)
        again = f"That cannot be used: {wrong}\nAnswer again in the form that was asked for, and with nothing else."
        messages = [*first, AIMessage(said.text[:SHOWN] or "…"), HumanMessage(again)]
    told = blank_secrets((wrong.splitlines() or [""])[0], model.secrets)
    raise Unusable(f"no usable answer in {1 + REPAIRS} tries ({told[:200]})")


def _contents(question: Query[Any]) -> str | list[Any]:
    if not question.pictures:
        return question.prompt.request
    import base64

    urls = [f"data:image/png;base64,{base64.b64encode(picture).decode()}" for picture in question.pictures]
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"type": "text", "text": question.prompt.request}, *pictures]


def _read(said: Said, question: Query[_Answer]) -> _Answer:
    """The likeliest answer that passes the question's check. What was cut off is read as it stands: what a repair
    would add to it, nobody said.

    Raises:
        ValueError: there is none.
    """
    if question.read is not None:
        answers = iter((question.read(said.text),))
    else:
        answers = read_answer(said.text, question.schema, repair=not said.cut)
    problem = ""
    for answer in answers:
        if not (found := question.check(answer)):
            return answer
        problem = problem or found
    raise ValueError(problem)
