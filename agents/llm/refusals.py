"""What a service means when it refuses a request, and how the next request has to look.

Services say it in words of their own, under several statuses; what counts is what they name: a number of tokens, the
system message, a field of the request, a way of asking for JSON.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagewright.memory.llm_cache import Known

LEAST_TOKENS = 256
"""Fewer tokens are no answer."""
_MARGIN = 64
"""Tokens that a chat template adds to what is counted."""
_UNKNOWN = re.compile(
    r"unsupported|not support|n[o']t (?:currently )?(?:accept|allow|permit|available|compatible|recogni[sz]ed)|"
    r"unrecogni|unknown|unexpected|(?:extra|additional)[\s_]*(?:inputs?|fields?|propert\w+|forbidden)|forbidden|deprecated|"
    r"invalid (?:param|field|arg|type|value|role|response|tool)|no (?:such )?(?:param|field|arg)|must be|only|requires",
    re.IGNORECASE,
)
_TOKENS = re.compile(
    r"context[\s_-]*(?:length|size|window|limit)|maximum (?:context|model|sequence)|max_(?:completion_|new_|output_)?"
    r"tokens|n_ctx|(?:completion|output|total|new) tokens|token limit|too many tokens|max_model_len",
    re.IGNORECASE,
)
_CONTEXT = (
    r"> ?(\d+)\b(?! ?- ?\d)", r"context[\s_-]*(?:length|size|window|limit)[^\d]{0,40}(\d+)",
    r"(\d+)[\s-]*(?:tokens? )?(?:maximum )?context", r"n_ctx\W{1,4}(\d+)", r"max_new_tokens\W* must be <= ?(\d+)",
)  # fmt: skip
_PROMPT = (
    r"(\d+) (?:tokens )?(?:in|from) the (?:messages|input|prompt)", r"(\d+) (?:input|prompt) tokens",
    r"(\d+) .?inputs.? tokens", r"n_prompt_tokens\W{1,4}(\d+)", r"(?:prompt|input) (?:contains|has|of) (\d+)",
    r"(\d+) \+ \d+ >",
)  # fmt: skip
_SYSTEM = re.compile(
    r"system[\s_'\"`]*(?:role|message|instruction|prompt)|role\W{1,4}system|roles? must alternate|"
    r"developer[\s_]*instruction|conversation roles|role[\s:=\W]{1,6}.{0,20}\bsystem\b",
    re.IGNORECASE,
)
_SYSTEM_REFUSED = re.compile(rf"{_UNKNOWN.pattern}|alternate|not enabled|n[o']t have|must start", re.IGNORECASE)
_FIELDS = (
    "temperature", "top_p", "parallel_tool_calls", "tool_choice", "disable_parallel_tool_use", "strict", "n", "seed",
    "store", "stop", "stream_options", "presence_penalty", "frequency_penalty",
)  # fmt: skip
"""Fields that a request can do without; the clients send some of them unasked."""
_NAMES = ("max_completion_tokens", "max_tokens")
_SCHEMA = re.compile(r"response[\s_]?format|json[\s_]?schema|structured[\s_]output|guided|grammar|output_config", re.I)
_JSON = re.compile(r"json[\s_]?object|json[\s_]?mode", re.I)
_TOOLS = re.compile(r"\btools?\b|tool[\s_](?:choice|use|call)|function[\s_]?call|\bfunctions\b", re.I)
_POLICY = re.compile(r"content[\s_](?:policy|filter|management)|safety system|moderation|flagged|usage polic", re.I)
_PICTURES = re.compile(r"image|picture|vision|multi-?modal", re.I)


@dataclass(frozen=True)
class SentRequest:
    """What was sent, as far as it matters to what comes back."""

    way: str
    tokens_in: int
    """About how long it is."""
    most: int
    """Tokens of an answer that it asks for."""
    wire: str = "openai"
    """Whose protocol it is in; empty for a model without one."""
    system: bool = True
    """Whether it holds a system message."""
    pictures: int = 0


@dataclass(frozen=True)
class RequestChange:
    """How to ask from now on: what to remember, which ways are of no use, and what to tell."""

    learned: dict[str, Any] = field(default_factory=dict)
    ways: frozenset[str] = frozenset()
    told: str = ""


def names_request(words: str) -> bool:
    """Whether a service says that something about the request is wrong, so that the same one will not pass."""
    system = _SYSTEM.search(words) and _SYSTEM_REFUSED.search(words)
    field_named = (
        any(_word(name, words) for name in (*_FIELDS[:4], *_NAMES)) or _SCHEMA.search(words) or _JSON.search(words)
    )
    return bool(system or (_TOKENS.search(words) and re.search(r"\d|exceed", words))
                or (field_named and _UNKNOWN.search(words)))  # fmt: skip


def is_policy(words: str) -> bool:
    """Whether a request is refused for what it asks."""
    return bool(_POLICY.search(words))


def is_about_pictures(words: str) -> bool:
    """Whether the words are about pictures."""
    return bool(_PICTURES.search(words))


def adapt(words: str, known: Known, request: SentRequest) -> RequestChange | None:
    """What ``words`` ask to change about ``request``; None where they name nothing that can be changed.

    Every change alters what is known or leaves ways out, so that a service that is never content is soon left alone.
    """
    steps = (_fields(words, known, request), _fewer(words, request), _folded(words, request))
    found = [step for step in steps if step is not None]
    unusable = frozenset[str]() if found else _unusable_ways(words, request.way)
    if not found and not unusable:
        return None
    learned = {name: value for step in found for name, value in step.learned.items()}
    return RequestChange(learned, unusable, "; ".join(step.told for step in found))


def _word(name: str, words: str) -> bool:
    if len(name) < 5:  # short names are words of their own: only as a field
        return bool(re.search(rf"['\"`]{name}['\"`]", words))
    return bool(re.search(rf"(?<![\w]){name}(?!\w)", words, re.IGNORECASE))


def _fields(words: str, known: Known, request: SentRequest) -> RequestChange | None:
    """Fields that the service does not know."""
    if not _UNKNOWN.search(words):
        return None
    learned: dict[str, Any] = {}
    sent = known.tokens_name if known.tokens_name is not None else _NAMES[0]
    named = re.search(r"max_(?:completion_)?tokens", words)
    too_many = re.search(r"too large|exceed|at most|context|less than|greater|range|<=|\d\s*>", words)
    if request.wire == "openai" and sent and named and named[0] == sent and not too_many:
        learned["tokens_name"] = _NAMES[1] if sent == _NAMES[0] else ""
    refused = [name for name in _FIELDS if name not in known.without and _word(name, words)]
    if request.way == "function_calling" and "tool_choice" in refused and "--enable-auto-tool-choice" in words:
        refused.remove("tool_choice")  # it is the tools themselves
    if refused:
        learned["without"] = (*known.without, *refused)
    if not learned:
        return None
    left = [*refused, *([sent] if "tokens_name" in learned else [])]
    instead = f" ({learned['tokens_name']} is sent instead)" if learned.get("tokens_name") else ""
    return RequestChange(learned, told=f"takes no {' and no '.join(left)}{instead}")


def _fewer(words: str, request: SentRequest) -> RequestChange | None:
    """Fewer tokens: what fits into the context, what the service allows, or half."""
    if not _TOKENS.search(words) or request.most <= LEAST_TOKENS:
        return None
    text = re.sub(r"(?<=\d)[,_](?=\d{3})", "", words)
    context, prompt = _number(_CONTEXT, text), _number(_PROMPT, text)
    allowed = [n for n in map(int, re.findall(r"(?<![\w.-])\d{2,6}(?![\w.]*\d)", text)) if n < request.most]
    about_context = bool(re.search(r"context|n_ctx|inputs. tokens", text, re.IGNORECASE))
    if about_context and context:
        learned = {"context": context, "most_tokens": min(context // 2, request.most)}
        if learned["most_tokens"] == request.most:
            learned["most_tokens"] = context - (prompt or request.tokens_in) - _MARGIN
        if (prompt or 0) + LEAST_TOKENS > context:
            return None  # the question alone does not fit
    elif allowed := [n for n in allowed if n >= LEAST_TOKENS]:
        learned = {"most_tokens": max(allowed)}
    elif not re.search(r"\d|exceed|too (?:large|long|many)|maximum|limit", text):
        return None
    else:
        learned = {"most_tokens": request.most // 2}
    if not LEAST_TOKENS <= learned["most_tokens"] < request.most:
        return None  # fewer were asked for already, or would be no answer
    return RequestChange(learned, told=f"is asked for at most {learned['most_tokens']:,} tokens")


def _number(patterns: tuple[str, ...], text: str) -> int | None:
    for pattern in patterns:
        if (match := re.search(pattern, text, re.IGNORECASE)) is not None:
            return int(match[1])
    return None


def _folded(words: str, request: SentRequest) -> RequestChange | None:
    """The rules within the person's message."""
    if not request.system or not (_SYSTEM.search(words) and _SYSTEM_REFUSED.search(words)):
        return None
    return RequestChange({"rules_apart": False}, told="takes no system message: its instructions stand in the question")


def _unusable_ways(words: str, way: str) -> frozenset[str]:
    """The ways of asking for JSON that the service says it does not take."""
    if way == "words" or _fewest(words):
        return frozenset()
    schema, mode, tools = bool(_SCHEMA.search(words)), bool(_JSON.search(words)), bool(_TOOLS.search(words))
    unusable = set()
    if schema and way != "function_calling":
        unusable |= {"json_schema"} | ({"json_mode"} if not mode or way == "json_mode" else set())
    if schema and way == "function_calling" and tools:
        unusable |= {"json_schema", "function_calling"}
    if mode and way == "json_mode":
        unusable |= {"json_mode"}
    if tools and (way == "function_calling" or schema):
        unusable |= {"function_calling"}
    if schema and tools and "response_format" in words:
        unusable |= {"json_mode"}
    return frozenset(unusable)


def _fewest(words: str) -> bool:
    """Whether the words are about a number of tokens and no way of asking."""
    return bool(_TOKENS.search(words)) and not _SCHEMA.search(words) and not _TOOLS.search(words)


def most_tokens(known: Known, tokens_in: int, usual: int) -> int:
    """Tokens to ask for in an answer to a question of about ``tokens_in``."""
    most = min(usual, known.most_tokens or usual)
    room = usual if known.context is None else known.context - tokens_in - _MARGIN
    return max(LEAST_TOKENS, min(most, room))
