"""What the person wants, by rules: a new picture, unless there is nothing to draw."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from imagewright.agents.rules.parse import parse_prompt
from imagewright.intents import Intent, Reference


class RulesInterpreter:
    """Knows one thing to do: create a picture."""

    def interpret(self, prompt: str, references: Sequence[Reference]) -> Intent:
        """``create`` with the prompt trimmed and read, or ``unclear`` with the reason."""
        text = " ".join(prompt.split())
        reason = why_unclear(text)
        if reason:
            return Intent(kind="unclear", reason=reason)
        return Intent(kind="create", prompt=text, parsed=parse_prompt(text))


def why_unclear(text: str) -> str:
    """Why nothing can be drawn from ``text``; empty when something can."""
    if not text.strip():
        return "the prompt is empty"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text if character not in "\n\r\t"):
        return "the prompt is not text: it holds control characters"
    return ""
