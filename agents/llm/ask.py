"""Asking language models one question whose answer has a schema, in a way that never breaks the run.

What a model says is data: it is read as JSON, checked against the schema, shown its mistakes at most twice, and then
given up on. The next model of the list is asked; when none is left, the caller goes on with the rules. How an
endpoint can be asked for JSON is found out by asking, surest way first, and remembered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel

from imagewright.agents.llm import calls
from imagewright.agents.llm.account import Account, guess_tokens
from imagewright.agents.llm.answers import Said, complaint, first_object, read_reply, schema_text, strict_schema
from imagewright.agents.llm.calls import Deadline, Failure, Policy, blank_secrets
from imagewright.agents.llm.models import MOST_TOKENS, LanguageModel, Way
from imagewright.agents.llm.prompt_files import Prompt
from imagewright.errors import BadInput, ImagewrightError
from imagewright.memory.llm_cache import Known, LLMCache, answer_key
from imagewright.redaction import blank_text

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

REPAIRS = 2
"""How often a model is shown what was wrong with its answer."""
SHOWN = 20_000
"""Characters of a wrong answer that the model is shown again."""
SHARE = 0.4
"""The share of a run's seconds that language models may take; the rest is for pictures."""
_EXPECTED = 600
"""Tokens that an answer is taken to have when it is asked whether the budget has room."""
_CANNOT = frozenset({400, 405, 415, 422, calls.NOT_IMPLEMENTED})
"""How services say that they cannot take a schema, a tool or a picture."""

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
        said = _say(line, model, messages, question, deadline)
        if said.refused:
            raise Unusable("it refused to answer")
        try:
            return _read(said.text, question)
        except (ValueError, RecursionError) as error:
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


def _read(said: str, question: Query[_Answer]) -> _Answer:
    answer = question.read(said) if question.read else question.schema.model_validate(first_object(said))
    if problem := question.check(answer):
        raise ValueError(problem)
    return answer


# --- one message ----------------------------------------------------------------------------


def _say(
    line: Line, model: LanguageModel, messages: list[BaseMessage], question: Query[Any], deadline: Deadline
) -> Said:
    """One answer, asked for in the surest way that the endpoint takes."""
    ways = _ways(line, model, question)
    for way in ways:
        try:
            said = _called(line, model, way, messages, question, deadline)
        except Failure as failed:
            if way != ways[-1] and failed.status in _CANNOT:
                continue
            if failed.status not in _CANNOT:
                line.down[model.name] = str(failed)
            raise Unusable(f"the call failed: {failed}") from None
        if question.read is None:
            _learn_way(line, model, way)
        return said
    raise Unusable("there is no way to ask it")


def _ways(line: Line, model: LanguageModel, question: Query[Any]) -> tuple[Way, ...]:
    if question.read is not None:
        return ("words",)
    known = line.recall(model).way
    return model.ways[model.ways.index(known) :] if known in model.ways else model.ways


def _learn_way(line: Line, model: LanguageModel, way: Way) -> None:
    if way != line.recall(model).way:
        if way != model.ways[0]:
            line.on_note(f"{model.name} takes no {model.ways[0].replace('_', ' ')}; it is asked by {way} from now on")
        line.learn(model, way=way)


def _called(
    line: Line, model: LanguageModel, way: Way, messages: list[BaseMessage], question: Query[Any], deadline: Deadline
) -> Said:
    sent = _with_schema(messages, question) if way in ("json_mode", "words") else messages
    guess = guess_tokens("".join(_text(message) for message in sent), len(question.pictures))
    if reason := line.account.why_not(model.name, guess, _EXPECTED):
        raise Unusable(reason)
    if deadline.left <= 0 and not model.patient:
        raise Unusable("there is no time left for it")
    reply = calls.call(
        lambda: _invoked(model, way, sent, question.schema), line.policy, deadline, model.secrets, model.patient
    )
    said = read_reply(reply)
    text = blank_text(said.text, model.secrets, "…")
    line.account.add(said.tokens_in or guess, said.tokens_out or guess_tokens(said.text), model.name)
    return Said(text, said.tokens_in, said.tokens_out, said.refused)


def _invoked(model: LanguageModel, way: Way, messages: Sequence[BaseMessage], schema: type[BaseModel]) -> Any:
    """What the client returns; what it raises about an answer that it could not read is an answer too."""
    from langchain_core.messages import AIMessage

    chat: Any = model.chat
    if way == "json_mode":
        chat = chat.bind(response_format={"type": "json_object"})
    elif way != "words":
        # Only the model with its schema: LangChain's own reader takes hours over a megabyte that is no JSON.
        chat = chat.with_structured_output(strict_schema(schema), method=way).first
    try:
        return chat.invoke(list(messages))
    except Exception as error:  # the boundary to a provider's client, which raises kinds of its own
        kind = type(error).__name__
        if kind == "LengthFinishReasonError":
            return AIMessage("")
        if kind in ("ContentFilterFinishReasonError", "OpenAIRefusalError"):
            return AIMessage("", response_metadata={"stop_reason": "refusal"})
        raise


def _with_schema(messages: Sequence[BaseMessage], question: Query[Any]) -> list[BaseMessage]:
    """The messages with the schema in words behind the rules, which stay the same from request to request."""
    from langchain_core.messages import SystemMessage

    if question.read is not None:
        return list(messages)
    return [SystemMessage(f"{messages[0].content}{closing(question.schema)}"), *messages[1:]]


def closing(schema: type[BaseModel]) -> str:
    """What is said behind the rules to a model that takes no schema."""
    return f"\n\nAnswer with one JSON object and nothing else. Its JSON schema:\n{schema_text(schema)}"


def _text(message: BaseMessage) -> str:
    from imagewright.agents.llm.answers import text_of

    return text_of(message.content)
