"""Reading what a language model says: its text, its tool call, the first JSON object in it, and what is wrong there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from imagewright import untrusted
from imagewright.errors import BadInput

MAX_REPLY = 200_000
"""Characters of an answer that are read."""
_STARTS = 1000
"""Opening brackets at which an object is looked for: each look may read to the end of the answer."""
_TOLD = 1000
"""Characters of a complaint that a model is shown."""
_LENGTHS = ("maxLength", "minLength", "maxItems", "minItems", "default", "minimum", "maximum", "title")
"""Keywords that a strict schema on the wire may not hold everywhere; the answer is checked against them here."""


@dataclass(frozen=True)
class Said:
    """One answer: its text, the tokens that it cost, and whether the model declined to answer."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    refused: bool = False


def read_reply(raw: Any) -> Said:
    """What a chat model replied: the arguments of its tool call where it made one, else its text."""
    usage = getattr(raw, "usage_metadata", None) or {}
    return Said(
        text=(_tool_call(raw) or text_of(raw.content))[:MAX_REPLY],
        tokens_in=int(usage.get("input_tokens", 0)),
        tokens_out=int(usage.get("output_tokens", 0)),
        refused=_refused(raw),
    )


def _tool_call(raw: Any) -> str:
    """The arguments of the first tool call, well formed or not; empty when there is none."""
    for call in getattr(raw, "tool_calls", None) or ():
        return json.dumps(call["args"], ensure_ascii=False)
    for call in getattr(raw, "invalid_tool_calls", None) or ():
        return str(call.get("args") or "")
    return ""


def _refused(raw: Any) -> bool:
    """Whether a service marked the answer as a refusal; one in prose is an answer without JSON."""
    facts = getattr(raw, "response_metadata", None) or {}
    marks = (facts.get("stop_reason"), facts.get("finish_reason"))
    return bool((raw.additional_kwargs or {}).get("refusal")) or "refusal" in marks or "content_filter" in marks


def text_of(content: str | list[Any]) -> str:
    """The text of a message, which may come in parts."""
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in content)


def first_object(text: str) -> dict[str, Any]:
    """The first whole JSON object in ``text``, whatever stands around it: prose, a fence, thoughts.

    Raises:
        ValueError: there is none, or it is nested too deeply.
    """
    start = text.find("{")
    for _ in range(_STARTS):
        if start < 0:
            break
        value = _value_at(text, start)
        if isinstance(value, dict):
            return value
        start = text.find("{", start + 1)
    raise ValueError("there is no JSON object in the answer")


def _value_at(text: str, start: int) -> object:
    try:
        return untrusted.parse_at(text, start)
    except BadInput as error:
        raise ValueError(str(error)) from None


def complaint(error: Exception) -> str:
    """What was wrong with an answer, in a few words that a model can act on."""
    if not isinstance(error, ValidationError):
        return str(error)[:_TOLD]
    lines = [f"{'.'.join(map(str, item['loc'])) or 'answer'}: {item['msg']}" for item in error.errors()[:6]]
    return "; ".join(lines)[:_TOLD]


def schema_text(model: type[BaseModel]) -> str:
    """The JSON schema of ``model`` in as few characters as say all of it, for a prompt."""
    return json.dumps(_untitled(model.model_json_schema()), ensure_ascii=False, separators=(",", ":"))


def _untitled(node: Any, names: bool = False) -> Any:
    """``node`` without the titles that repeat the names of fields; ``names`` as for ``_strict``."""
    if isinstance(node, list):
        return [_untitled(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _untitled(value, names=not names and key in ("properties", "$defs"))
        for key, value in node.items()
        if names or key != "title"
    }


def strict_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of ``model`` as services with strict outputs take it: closed objects, every field required.

    Lengths, ranges and defaults are left out, which those services refuse; pydantic checks them in the answer.
    """
    schema: dict[str, Any] = _strict(model.model_json_schema())
    return {**schema, "title": model.__name__, "description": (model.__doc__ or "An answer.").strip().split("\n")[0]}


def _strict(node: Any, names: bool = False) -> Any:
    """``node`` made strict; ``names`` tells that its keys are names of fields and no keywords."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: _strict(value, names=not names and key in ("properties", "$defs"))
        for key, value in node.items()
        if names or key not in _LENGTHS
    }
    if not names and "properties" in node:
        kept |= {"required": list(node["properties"]), "additionalProperties": False}
    return kept
