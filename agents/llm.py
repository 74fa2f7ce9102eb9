"""Language models: reaching one by name, and asking it one question whose answer has a schema.

Any LangChain chat model will do: ``anthropic:NAME``, ``openai:NAME``, ``openai:NAME@http://localhost:11434/v1`` for
any compatible server, ``scripted:PATH`` for answers from a file. What a model says is data: it is read as JSON,
checked against the schema, shown its mistakes at most twice, and then given up on.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from imagewright.errors import BadInput, ImagewrightError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable

PROVIDERS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
"""Providers and the variable that holds each one's key."""
TIMEOUT = 60.0
"""Seconds to wait for one answer."""
RETRIES = 1
"""How often a client repeats a call that failed on the way."""
REPAIRS = 2
"""How often a model is shown what was wrong with its answer."""
MAX_ANSWER = 200_000
"""Characters of an answer that are read."""
_KEY = re.compile(r"\b(?:sk|key)-[\w*-]{6,}|(?<=Bearer )\S+", re.IGNORECASE)
"""What looks like a key: it never enters a message, a log or a trace."""
_FORMAT = "name it as provider:model or provider:model@base_url, such as anthropic:claude-sonnet-4-5"

Answer = TypeVar("Answer", bound=BaseModel)
Count = Callable[[int, int], None]
OnFallback = Callable[[str], None]


class Unusable(ImagewrightError):
    """A language model gave no answer that can be used; the caller goes on with the rules."""


@dataclass(frozen=True)
class LanguageModel:
    """A chat model, and whether its service can hold an answer to a schema."""

    chat: BaseChatModel
    structured: bool = False
    """True for the providers' own services; compatible servers often refuse or ignore schemas, so those get text."""


# --- reaching a model -----------------------------------------------------------------------


def connect(name: str, key: SecretStr | None = None) -> LanguageModel:
    """The chat model called ``name``; nothing is sent yet.

    ``key`` is for a server named by ``@base_url``; the providers' own services read their own variables, which are
    never sent anywhere else.

    Raises:
        BadInput: the name cannot be read, the extra is not installed, or the provider's key is not set.
    """
    provider, _, rest = name.partition(":")
    if provider == "scripted" and rest:
        from imagewright.agents.scripted import ScriptedChatModel

        return LanguageModel(ScriptedChatModel.from_file(Path(rest)))
    model, _, url = rest.partition("@")
    if provider not in PROVIDERS or not model or ("@" in rest and not _is_url(url)):
        raise BadInput(f"cannot read the language model {name!r}", f"{_FORMAT}; providers: {', '.join(PROVIDERS)}")
    if importlib.util.find_spec("langchain") is None or importlib.util.find_spec(f"langchain_{provider}") is None:
        raise BadInput(f"{provider} models need an extra that is not installed", "pip install 'imagewright[llm]'")
    return LanguageModel(_connect(provider, model, url, key), structured=not url)


def _is_url(text: str) -> bool:
    """Whether ``text`` is the address of a server; one with a password or a query is not, for it would be logged."""
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.username or parts.query)


def _connect(provider: str, model: str, url: str, key: SecretStr | None) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    settings: dict[str, Any] = {"timeout": TIMEOUT, "max_retries": RETRIES}
    if url:
        settings |= {"base_url": url, "api_key": key.get_secret_value() if key else "none"}
    try:
        connected: BaseChatModel = init_chat_model(model, model_provider=provider, **settings)
    except Exception as error:  # the boundary to a provider's client, which raises kinds of its own
        raise _unreachable(provider, error) from error
    if not url and _key_of(connected, provider) == "":
        raise _unreachable(provider, None)
    return connected


def _key_of(model: BaseChatModel, provider: str) -> str:
    held = getattr(model, f"{provider}_api_key", None)
    return held.get_secret_value() if isinstance(held, SecretStr) else "unknown"


def _unreachable(provider: str, error: Exception | None) -> BadInput:
    variable = PROVIDERS[provider]
    if error is None or "api_key" in str(error).lower():
        return BadInput(f"the key for {provider} is not set", f"export {variable}=…, or leave --llm out for the rules")
    return BadInput(f"cannot set up the {provider} model: {_first_line(error)}", _FORMAT)


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return _KEY.sub("…", line)[:200]


# --- asking ---------------------------------------------------------------------------------


def prompt_text(name: str, **values: object) -> str:
    """The prompt ``prompts/<name>.md`` with each ``{{key}}`` replaced; values are put in once and never read again."""
    text = (Path(__file__).parent / "prompts" / f"{name}.md").read_text(encoding="utf-8")
    pieces = text.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        key, _, rest = piece.partition("}}")
        value = values[key.strip()]
        filled.append((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)) + rest)
    return "".join(filled)


@dataclass(frozen=True)
class Question(Generic[Answer]):
    """One question to a language model, and what its answer must look like."""

    text: str
    schema: type[Answer]
    check: Callable[[Answer], str]
    """What is wrong with an answer that fits the schema; empty when nothing is."""


def ask(model: LanguageModel, question: Question[Answer], count: Count) -> Answer:
    """The model's answer, checked; ``count`` hears the tokens of every call.

    Raises:
        Unusable: the call failed, or the answer was still wrong after ``REPAIRS`` repairs.
    """
    from langchain_core.messages import AIMessage, HumanMessage

    schema = json.dumps(question.schema.model_json_schema(), ensure_ascii=False)
    closing = f"\n\nAnswer with one JSON object and nothing else. Its JSON schema:\n\n```json\n{schema}\n```\n"
    messages: list[BaseMessage] = [HumanMessage(question.text + closing)]
    wrong = ""
    for _ in range(1 + REPAIRS):
        said = _say(model, messages, question.schema, count)
        try:
            return _read(said, question)
        except (ValueError, RecursionError) as error:
            wrong = _complaint(error)
        again = f"That cannot be used: {wrong}\nAnswer again with one JSON object that fits the schema."
        messages = [messages[0], AIMessage(said[:MAX_ANSWER] or "…"), HumanMessage(again)]
    raise Unusable(f"no usable answer in {1 + REPAIRS} tries ({_first_line(ValueError(wrong))})")


def _say(model: LanguageModel, messages: list[BaseMessage], schema: type[BaseModel], count: Count) -> str:
    """One answer as text; a service that cannot do schemas after all is asked again without."""
    if model.structured:
        try:
            return _call(model.chat.with_structured_output(schema, include_raw=True), messages, count)
        except (Unusable, NotImplementedError):
            pass
    return _call(model.chat, messages, count)


def _call(runnable: Runnable[Any, Any], messages: list[BaseMessage], count: Count) -> str:
    try:
        reply = runnable.invoke(messages)
    except Exception as error:  # the boundary to a provider's client, which raises kinds of its own
        raise Unusable(f"the call failed: {type(error).__name__}: {_first_line(error)}") from error
    raw, parsed = (reply["raw"], reply["parsed"]) if isinstance(reply, dict) else (reply, None)
    usage = getattr(raw, "usage_metadata", None) or {}
    count(int(usage.get("input_tokens", 0)), int(usage.get("output_tokens", 0)))
    return parsed.model_dump_json() if isinstance(parsed, BaseModel) else _text_of(raw.content)[:MAX_ANSWER]


def _text_of(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in content)


def _read(said: str, question: Question[Answer]) -> Answer:
    answer = question.schema.model_validate(first_object(said))
    if problem := question.check(answer):
        raise ValueError(problem)
    return answer


def _complaint(error: Exception) -> str:
    """What was wrong, in a few words that a model can act on."""
    if not isinstance(error, ValidationError):
        return str(error)[:1000]
    lines = [f"{'.'.join(map(str, item['loc'])) or 'answer'}: {item['msg']}" for item in error.errors()[:6]]
    return "; ".join(lines)[:1000]


def first_object(text: str) -> dict[str, Any]:
    """The first whole JSON object in ``text``, whatever stands around it: prose, a fence, thoughts.

    Raises:
        ValueError: there is none.
    """
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            value, _ = decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            start = text.find("{", start + 1)
            continue
        if isinstance(value, dict):
            return value
        start = text.find("{", start + 1)
    raise ValueError("there is no JSON object in the answer")
