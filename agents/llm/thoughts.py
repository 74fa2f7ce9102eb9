"""Telling what a model thought aloud from what it answered.

Servers that do not part the two leave the marks of the model's own format in the text: ``<think>`` and its relatives,
gpt-oss's channels, and what is left of those where a server drops special tokens. A draft in a thought is no answer.
"""

from __future__ import annotations

import re

from imagewright import untrusted
from imagewright.errors import BadInput

_NAMES = r"(?:think|thinking|thoughts?|reason|reasoning|reflection|scratchpad|analysis|inner_monologue)"
_MARK = re.compile(
    rf"(?P<open><(?:\w+:)?{_NAMES}(?:\s[^<>]*)?>|◁think▷|\[THINK\]|<\|(?:begin_of_thought|start_thinking)\|>"
    r"|<\|channel>\s*thought)"
    rf"|(?P<close></(?:\w+:)?{_NAMES}\s*>|◁/think▷|\[/THINK\]|<\|end_of_thought\|>|<\|end_thinking\|>|<channel\|>)",
    re.IGNORECASE,
)
"""Beginnings and ends of thoughts as models write them: Qwen and DeepSeek, Kimi, Mistral, Sky, Cohere, Gemma, …"""
_ENDED = re.compile(r"<\|(?:end|start|return|call|channel)\|>")
_CHANNELS = ("final", "call")
"""Channels that may hold an answer, surest first."""
_BARE = re.compile(r"\A\s*(?:assistant)?analysis(?=[^a-z]|[A-Z]).*assistantfinal", re.DOTALL)
"""A thought in gpt-oss's format whose special tokens the server dropped."""
_BARE_UNENDED = re.compile(r"\A\s*(?:assistant)?analysis(?=[A-Z])")


def without_thoughts(text: str) -> str:
    """What ``text`` says when every thought is left out: an unclosed one goes to its end, and what stands before an
    end without a beginning was one (templates write the beginning themselves). A text that is one whole JSON value is
    left alone, whatever marks its strings hold.
    """
    if _is_json(text):
        return text
    return _outside_marks(_in_channels(text))


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return False
    try:
        untrusted.parse_json(text, "the answer", untrusted.ANSWER)
    except BadInput:
        return False
    return True


def _outside_marks(text: str) -> str:
    kept, since, depth = [], 0, 0
    for mark in _MARK.finditer(text):
        if mark["open"]:
            if depth == 0:
                kept.append(text[since : mark.start()])
            depth += 1
        elif depth:
            depth -= 1
        else:
            kept = []  # an end without a beginning
        since = mark.end()
    return "".join(kept) + ("" if depth else text[since:])


def _in_channels(text: str) -> str:
    """The message in the surest channel of gpt-oss's format; ``text`` itself where it has no channels."""
    if "<|channel|>" not in text:
        if (bare := _BARE.match(text)) is not None:
            return text[bare.end() :]
        return "" if _BARE_UNENDED.match(text) else text
    if "<|message|>" not in text:
        return text.partition("<|channel|>final")[2]
    said: dict[str, str] = {}
    header, *bodies = text.split("<|message|>")
    for body in bodies:
        ended = _ENDED.search(body)
        name = _channel(header)
        said[name] = body[: ended.start()] if ended else body
        header = body[ended.start() :] if ended else ""
    return next((said[name] for name in _CHANNELS if name in said), "")


def _channel(header: str) -> str:
    """The channel that ``header``, what stands before a message, names last; ``call`` for a tool call, which goes
    through the commentary."""
    names = re.findall(r"analysis|commentary|final", header)
    name = names[-1] if names else "analysis"
    return "call" if name == "commentary" and "to=" in header else name
