"""One message to a language model, in the surest way and the form that its endpoint takes.

How an endpoint can be asked for JSON, and what it refuses in a request, is found out by asking and remembered: what a
service names in a refusal is changed once. A service that refuses a question in every way is not asked again in the
run, unless it is the question that it refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from imagewright.agents.llm import calls
from imagewright.agents.llm.account import guess_tokens
from imagewright.agents.llm.answers import REASONING, Said, read_reply, schema_text, strict_schema, text_of
from imagewright.agents.llm.calls import Deadline, Failure
from imagewright.agents.llm.models import MOST_TOKENS, LanguageModel, Way
from imagewright.agents.llm.refusals import RequestChange, SentRequest, adapt, is_about_pictures, is_policy, most_tokens
from imagewright.memory.llm_cache import Known
from imagewright.redaction import blank_text

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from imagewright.agents.llm.ask import Line, Query

_EXPECTED = 600
"""Tokens that an answer is taken to have when it is asked whether the budget has room."""
_CANNOT = frozenset({400, 405, 415, 422, calls.NOT_IMPLEMENTED})
"""How services say that they cannot take a schema, a tool or a picture."""
_PERSONAL = frozenset({401, 403, 429})
"""Statuses that are about the person and not about the request."""
_CHANGES = 8
"""Changes of one request at most."""


class Silence(Exception):
    """There is no answer; why, in words for the person."""


def say(
    line: Line, model: LanguageModel, messages: list[BaseMessage], question: Query[Any], deadline: Deadline
) -> Said:
    """One answer.

    Raises:
        Silence: the call failed, or may not be made.
        Cancelled: the person stopped the run.
    """
    ways, before, heard = list(_ways(line, model, question)), line.recall(model), set[str]()
    try:
        for _ in range(_CHANGES + len(ways)):
            sent = _sent(line.recall(model), ways[0], messages, question)
            try:
                said = _call(line, model, ways[0], sent, question, deadline)
            except Failure as failed:
                ways = _changed(line, model, ways, _request(line, model, ways[0], sent, question), failed, heard)
                continue
            if question.read is None:
                _learn_way(line, model, ways[0])
            return said
        raise Silence("the call failed: it refused every form of the request")
    except Silence:
        line.learn(model, **dict(before))  # what did not help was not what it refused
        raise


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


# --- what a refusal changes -----------------------------------------------------------------


def _changed(
    line: Line, model: LanguageModel, ways: list[Way], request: SentRequest, failed: Failure, heard: set[str]
) -> list[Way]:
    """The ways that are left after ``failed``, with what it says learned; ``heard`` are the words that led to a change.

    Raises:
        Silence: nothing is left to change.
    """
    status, said = failed.status, failed.said
    if status is None or status in _PERSONAL:
        line.down[model.name] = str(failed)
        raise Silence(f"the call failed: {failed}")
    if is_policy(said):
        raise Silence(f"it refused to answer ({failed})")
    if request.pictures and status in _CANNOT | {404} and is_about_pictures(said):
        raise Silence(f"the call failed: {failed}")
    change, again = adapt(said, line.recall(model), request), said in heard
    if change is not None and (left := _follow(line, model, ways, change)):
        heard.add(said)
        return left
    too_long = "context" in said.lower() and not again
    if status in _CANNOT and len(ways) > 1 and not (too_long or again):
        return ways[1:]
    if not (too_long or (request.pictures and status in _CANNOT)):  # else it is this question that is refused
        line.down[model.name] = str(failed)
    raise Silence(f"the call failed: {failed}")


def _follow(line: Line, model: LanguageModel, ways: list[Way], change: RequestChange) -> list[Way]:
    """The ways that are left after ``change``, which is remembered and told; none where it changes nothing."""
    before = line.recall(model)
    if change.learned:
        line.learn(model, **change.learned)
        if line.recall(model) != before:
            line.on_note(f"{model.name} {change.told}")
    left = [way for way in ways if way not in change.ways]
    return left if line.recall(model) != before or left != ways else []


# --- the call -------------------------------------------------------------------------------


def _request(
    line: Line, model: LanguageModel, way: Way, sent: Sequence[BaseMessage], question: Query[Any]
) -> SentRequest:
    guess = _guess(sent, question)
    return SentRequest(
        way=way,
        tokens_in=guess,
        most=most_tokens(line.recall(model), guess, MOST_TOKENS),
        wire=model.wire,
        system=any(message.type == "system" for message in sent),
        pictures=len(question.pictures),
    )


def _guess(sent: Sequence[BaseMessage], question: Query[Any]) -> int:
    return guess_tokens("".join(text_of(message.content) for message in sent), len(question.pictures))


def _call(
    line: Line, model: LanguageModel, way: Way, sent: list[BaseMessage], question: Query[Any], deadline: Deadline
) -> Said:
    guess = _guess(sent, question)
    if reason := line.account.why_not(model.name, guess, _EXPECTED):
        raise Silence(reason)
    if deadline.left <= 0 and not model.patient:
        raise Silence("there is no time left for it")
    line.warn_of_open_key(model)
    settings = _settings(line.recall(model), model, guess)
    reply = calls.call(
        lambda: _invoke(model, way, sent, question.schema, settings), line.policy, deadline, model.secrets,
        model.patient,
    )  # fmt: skip
    said = read_reply(reply)
    written = said.tokens_out or guess_tokens(said.text + "." * said.thoughts)
    line.account.add(said.tokens_in or guess, written, model.name)
    return said.blank(lambda text: blank_text(text, model.secrets, "…"))


def _settings(known: Known, model: LanguageModel, guess: int) -> dict[str, Any]:
    """What is different about a request to this endpoint; empty as long as nothing is."""
    settings: dict[str, Any] = {}
    if (most := most_tokens(known, guess, MOST_TOKENS)) != MOST_TOKENS and known.tokens_name != "":
        settings["max_tokens"] = most
    if model.wire and (known.tokens_name is not None or known.without):
        from imagewright.agents.llm.clients import ReplyShape

        settings["shape"] = ReplyShape(known.tokens_name, known.without)
    return settings


def _invoke(
    model: LanguageModel, way: Way, messages: Sequence[BaseMessage], schema: type[BaseModel], settings: dict[str, Any]
) -> Any:
    """What the client returns; what it raises about an answer that it could not read is an answer too."""
    from langchain_core.messages import AIMessage

    chat: Any = model.chat
    if way == "json_mode":
        chat = chat.bind(response_format={"type": "json_object"})
    elif way != "words":
        # Only the model with its schema: LangChain's own reader takes hours over a megabyte that is no JSON.
        chat = chat.with_structured_output(strict_schema(schema), method=way).first
    try:
        return (chat.bind(**settings) if settings else chat).invoke(list(messages))
    except Exception as error:  # the boundary to a provider's client, which raises kinds of its own
        kind = type(error).__name__
        if kind == "LengthFinishReasonError":
            return _cut_off(getattr(error, "completion", None))
        if kind in ("ContentFilterFinishReasonError", "OpenAIRefusalError"):
            return AIMessage("", response_metadata={"stop_reason": "refusal"})
        raise


def _cut_off(completion: Any) -> Any:
    """What there is of an answer that OpenAI's client refuses to return because it was cut off."""
    from langchain_core.messages import AIMessage

    from imagewright.agents.llm.clients import reasoning_of

    message = completion.choices[0].message if getattr(completion, "choices", None) else None
    usage = getattr(completion, "usage", None)
    read, written = (getattr(usage, name, None) or 0 for name in ("prompt_tokens", "completion_tokens"))
    made = AIMessage(str(getattr(message, "content", None) or ""), response_metadata={"finish_reason": "length"})
    made.additional_kwargs[REASONING] = reasoning_of(message)
    if isinstance(read, int) and isinstance(written, int):
        made.usage_metadata = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    return made


# --- what is sent ---------------------------------------------------------------------------


def _sent(known: Known, way: Way, messages: Sequence[BaseMessage], question: Query[Any]) -> list[BaseMessage]:
    """The messages as this endpoint takes them: with the schema in words, or without a system message."""
    made = list(messages)
    if way in ("json_mode", "words") and question.read is None:
        made[0] = type(made[0])(f"{text_of(made[0].content)}{closing(question.schema)}")
    if known.rules_apart is False and made[0].type == "system":
        made = [_folded(made[0], made[1]), *made[2:]]
    return made


def _folded(rules: BaseMessage, asked: BaseMessage) -> BaseMessage:
    """The person's message with the rules before it."""
    text = text_of(rules.content)
    if isinstance(asked.content, str):
        return type(asked)(f"{text}\n\n{asked.content}")
    return type(asked)([{"type": "text", "text": text}, *asked.content])


def closing(schema: type[BaseModel]) -> str:
    """What is said behind the rules to a model that takes no schema."""
    return f"\n\nAnswer with one JSON object and nothing else. Its JSON schema:\n{schema_text(schema)}"
