"""What every interpreter shares: which decisions make a picture, and what to do with one that is not clear."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeGuard

from imagewright.errors import BadInput
from imagewright.intents import AnyIntent, CreateIntent, EditIntent, UnclearIntent, VaryIntent

_REMEDY = 'say what to draw, such as "a red circle above a blue square"'
_NOTHING = re.compile(
    r"(?:never ?mind|cancel|forget it|nothing|none|no|n|nope|no thanks|no thank you|not now|neither|stop|leave it|"
    r"skip)[.! ]*",
    re.IGNORECASE,
)


def insist(intent: AnyIntent) -> AnyIntent:
    """``intent``, when it is clear; ``plan`` and programs cannot ask the person back.

    Raises:
        BadInput: the intent is unclear.
    """
    if intent.kind == "unclear":
        raise BadInput(intent.reason, _REMEDY)
    return intent


def wants_picture(intent: AnyIntent) -> TypeGuard[CreateIntent | EditIntent | VaryIntent]:
    """Whether ``intent`` ends in a new picture."""
    return isinstance(intent, CreateIntent | EditIntent | VaryIntent)


def assume(intent: AnyIntent, again: Callable[[str], AnyIntent]) -> tuple[AnyIntent, str]:
    """``intent``; an unclear one as its first choice, read with ``again``, and the assumption in words.

    Raises:
        BadInput: the intent is unclear and offers no choice.
    """
    if intent.kind != "unclear" or not intent.choices:
        return insist(intent), ""
    return insist(again(intent.choices[0])), f"assumed: {intent.choices[0]} ({intent.reason})"


def reply_to(intent: UnclearIntent, reply: str) -> str:
    """What to interpret next, after ``reply`` to the question of an unclear ``intent``; empty to let it be.

    A number or words that fit one choice best pick that choice; anything else is taken as a new saying.
    """
    text = reply.strip()
    if _NOTHING.fullmatch(text) or not text:
        return ""
    if re.fullmatch(r"\d{1,2}", text) and 0 < int(text) <= len(intent.choices):
        return intent.choices[int(text) - 1]
    if len(text.split()) <= 5 and (choice := _fitting(text, intent.choices)):
        return choice
    return text


def _fitting(text: str, choices: tuple[str, ...]) -> str:
    """The choice that alone holds the most of the words of ``text`` that tell choices apart."""
    words = [set(re.findall(r"\w+", choice.lower())) for choice in choices]
    common = set.intersection(*words) if words else set()
    said = set(re.findall(r"\w+", text.lower())) - common
    hits = [len(said & found) for found in words]
    best = max(hits, default=0)
    return choices[hits.index(best)] if best and hits.count(best) == 1 else ""
