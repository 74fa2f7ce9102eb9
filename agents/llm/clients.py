"""The providers' own clients, made to fit servers that only say they are compatible.

Three things are added to LangChain's: a request can be given another shape (``ReplyShape``), what a service says beside
the answer's text is kept, and an answer that is none (an error under status 200, no choices, a web page) or a
redirect to another server is refused before the client reads it. A prompt is as private as a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import anthropic
import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI

from imagewright.agents.llm.answers import REASONING
from imagewright.agents.llm.calls import NoAnswer

_BESIDE = ("reasoning_content", "reasoning", "thinking")
"""Where services put thoughts: DeepSeek, vLLM and OpenRouter, Ollama."""
_WHOLE = ("stream",)
"""What the clients themselves rely on in a request."""


@dataclass(frozen=True)
class ReplyShape:
    """What is different about the requests to one endpoint."""

    tokens_name: str | None = None
    """What ``max_completion_tokens`` is called; empty to leave it out."""
    without: tuple[str, ...] = ()
    """Fields that are left out."""

    def give(self, payload: dict[str, Any]) -> dict[str, Any]:
        """``payload`` in this shape."""
        made = {key: value for key, value in payload.items() if key in _WHOLE or key not in self.without}
        if self.tokens_name is not None and "max_completion_tokens" in made:
            most = made.pop("max_completion_tokens")
            made |= {self.tokens_name: most} if self.tokens_name else {}
        for tool in made.get("tools") or () if "strict" in self.without else ():
            (tool.get("function") or tool).pop("strict", None)
        return made


class OpenAIChat(ChatOpenAI):
    """OpenAI's client for servers that speak its protocol."""

    def _get_request_payload(self, input_: Any, *, shape: ReplyShape | None = None, **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, **kwargs)
        return payload if shape is None else shape.give(payload)

    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        made = super()._create_chat_result(response, generation_info)
        for choice, generation in zip(getattr(response, "choices", None) or (), made.generations, strict=False):
            if beside := reasoning_of(choice.message):
                generation.message.additional_kwargs[REASONING] = beside
        return made


class AnthropicChat(ChatAnthropic):
    """Anthropic's client for servers that speak its protocol."""

    def _get_request_payload(self, input_: Any, *, shape: ReplyShape | None = None, **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, **kwargs)
        return payload if shape is None else shape.give(payload)

    @cached_property
    def _client(self) -> anthropic.Client:
        made = anthropic.Client(**self._client_params)
        return made.with_options(http_client=_anthropic_http(self.anthropic_proxy))


def openai_chat(**settings: Any) -> OpenAIChat:
    """OpenAI's client with these settings."""
    chat = OpenAIChat(**settings)
    chat.root_client = chat.root_client.with_options(http_client=_openai_http(chat.openai_proxy))
    chat.client = chat.root_client.chat.completions
    return chat


def anthropic_chat(**settings: Any) -> AnthropicChat:
    """Anthropic's client with these settings."""
    return AnthropicChat(**settings)


@cache
def _openai_http(proxy: str | None) -> Any:
    """One for the whole process, as LangChain keeps its own: it is never closed."""
    return openai.DefaultHttpxClient(event_hooks=_HOOKS, proxy=proxy)


@cache
def _anthropic_http(proxy: str | None) -> Any:
    return anthropic.DefaultHttpxClient(event_hooks=_HOOKS, proxy=proxy)


def reasoning_of(message: Any) -> str:
    """What a service says in ``message`` beside the answer's text; empty where it says nothing."""
    said = [getattr(message, name, None) for name in _BESIDE]
    return next((text for text in said if isinstance(text, str) and text.strip()), "")


# --- what comes back ------------------------------------------------------------------------


def check_response(response: Any) -> None:
    """Look at a response before a client follows or reads it.

    Raises:
        NoAnswer: it leads to another server, or it is no answer.
    """
    if response.has_redirect_location:
        _check_redirect(response)
    elif response.is_success:
        response.read()
        try:
            body = response.json()
        except ValueError:
            kind = str(response.headers.get("content-type") or "text").split(";")[0]
            raise NoAnswer(f"it sent {kind} that is no JSON: is the address right, up to /v1?") from None
        _check_body(body, response.request.url.path.endswith("/messages"))


_HOOKS: Any = {"response": [check_response]}


def _check_redirect(response: Any) -> None:
    asked = response.request.url
    leads = asked.join(response.headers["location"])
    upgraded = (asked.scheme, leads.scheme) == ("http", "https") and _port(asked) == 80 and _port(leads) == 443
    if leads.host != asked.host or not (upgraded or (leads.scheme, _port(leads)) == (asked.scheme, _port(asked))):
        where = f"{leads.scheme}://{leads.host}" + (f":{leads.port}" if leads.port else "")
        raise NoAnswer(f"it sends prompts on to {where}, which was not asked: name that address if it is the right one")


def _port(url: Any) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _check_body(body: Any, messages: bool) -> None:
    """Refuse what holds no answer, in the service's own words where it has some."""
    if not isinstance(body, Mapping):
        raise NoAnswer("it sent JSON that is no answer")
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    has_answer = bool(first.get("message")) or bool(messages and body.get("content") is not None)
    error = body.get("error") or first.get("error") or (body if body.get("object") == "error" else None)
    if error and (not has_answer or first.get("error")):
        raise NoAnswer.of(error)
    if not has_answer and not body.get("output"):
        said = body.get("message") or body.get("detail") or body.get("msg")
        raise NoAnswer(f"it sent no answer ({said})" if isinstance(said, str) else "it sent an answer without choices")
