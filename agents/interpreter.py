"""Turning an interpreter's decision into something that the graph can act on."""

from __future__ import annotations

from imagewright.errors import BadInput
from imagewright.intents import Intent


def insist(intent: Intent) -> Intent:
    """``intent``, when it is clear; ``draw`` and programs cannot ask the person back.

    Raises:
        BadInput: the intent is unclear.
    """
    if intent.kind == "unclear":
        raise BadInput(intent.reason, 'say what to draw, such as "a red circle above a blue square"')
    return intent
