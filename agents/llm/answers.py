"""Reading what a language model says: its text or tool call without its thoughts, and what is wrong there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from imagewright.agents.llm.objects import find_objects, is_one_object
from imagewright.agents.llm.thoughts import without_thoughts

MAX_REPLY = 200_000
"""Characters of an answer that are read."""
_TOLD = 1000
"""Characters of a complaint that a model is shown."""
_LENGTHS = ("maxLength", "minLength", "maxItems", "minItems", "default", "minimum", "maximum", "title")
"""Keywords that a strict schema on the wire may not hold everywhere; the answer is checked against them here."""


REASONING = "reasoning_content"
"""Where a client keeps what a service says beside the answer's text, in a message's ``additional_kwargs``."""
_CUT = frozenset({"length", "max_tokens", "model_length", "model_context_window_exceeded"})
_DECLINED = frozenset({"refusal", "content_filter", "safety"})
"""How services mark answers that were cut off, and those that were declined."""


@dataclass(frozen=True)
class Said:
    """One answer: its text without thoughts, the tokens that it cost, and what the service says about it."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    refused: bool = False
    words: str = ""
    """What the model or its service said where it refused."""
    cut: bool = False
    """Whether the service ended it because it was too long."""
    thoughts: int = 0
    """Characters that were thoughts."""

    @property
    def lack(self) -> str:
        """Why this is no answer at all, in words for the person; empty where there is something to read."""
        if self.refused:
            return f"it refused to answer ({self.words})" if self.words else "it refused to answer"
        thinking = " while it was still thinking" if self.thoughts and not self.text.strip() else ""
        if self.cut:
            after = f" at {self.tokens_out:,} tokens" if self.tokens_out else ""
            return f"its answer was cut off{after}{thinking}"
        return f"it thought aloud ({self.thoughts:,} characters) and gave no answer" if thinking else ""

    def blank(self, censor: Callable[[str], str]) -> Said:
        """This with what is said censored."""
        return replace(self, text=censor(self.text), words=censor(self.words))


def read_reply(raw: Any) -> Said:
    """What a chat model replied: the arguments of its tool call where it made one, else its text without thoughts,
    else what stands where its service puts thoughts, if that is an answer and nothing else."""
    usage, beyond = getattr(raw, "usage_metadata", None) or {}, raw.additional_kwargs or {}
    marks = _marks(raw)
    refused = bool(marks & _DECLINED) or bool(beyond.get("refusal"))
    whole = text_of(raw.content)[:MAX_REPLY]
    spoken = without_thoughts(whole)
    text = _tool_call(raw)[:MAX_REPLY] or spoken
    thoughts = len(whole) - len(spoken)
    if not text.strip():
        beside = str(beyond.get(REASONING) or "")[:MAX_REPLY]
        text = "" if refused or marks & _CUT else _misplaced(beside)
        thoughts += len(beside) - len(text)
    return Said(
        text=text,
        tokens_in=_count(usage, "input_tokens"),
        tokens_out=_count(usage, "output_tokens"),
        refused=refused,
        words=" ".join(str(beyond.get("refusal") or whole).split())[:200] if refused else "",
        cut=bool(marks & _CUT),
        thoughts=thoughts,
    )


def _count(usage: Any, name: str) -> int:
    """A number of tokens; 0 where a service says something else."""
    value = usage.get(name)
    return max(0, value) if isinstance(value, int) else 0


def _marks(raw: Any) -> set[str]:
    """How the service says that the answer ended."""
    facts = getattr(raw, "response_metadata", None) or {}
    return {str(facts.get(name)).lower() for name in ("stop_reason", "finish_reason")}


def _misplaced(beside: str) -> str:
    """What stands where thoughts belong, when it is an answer: one object with nothing around it but a fence, or
    what follows the end of the thoughts. A draft among thoughts is none."""
    said = without_thoughts(beside).strip()
    bare = said.removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    return said if said and (said != beside.strip() or is_one_object(bare)) else ""


def _tool_call(raw: Any) -> str:
    """The arguments of the first tool call, well formed or not; empty when there is none."""
    for call in getattr(raw, "tool_calls", None) or ():
        return json.dumps(call["args"], ensure_ascii=False)
    for call in getattr(raw, "invalid_tool_calls", None) or ():
        return str(call.get("args") or "")
    return ""


def text_of(content: str | list[Any]) -> str:
    """The text of a message, which may come in parts."""
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in content)


def first_object(text: str) -> dict[str, Any]:
    """The likeliest JSON object in ``text``, whatever stands around it: prose, a fence, marks of thoughts.

    Raises:
        ValueError: there is none, or it is nested too deeply.
    """
    for found in find_objects(text):
        return found
    raise ValueError("there is no JSON object in the answer")


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
