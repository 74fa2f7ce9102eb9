r"""Prompt weights as the first rules read them: ``(more:1.3)`` weighs words, ``(more)`` by 1.1, they nest; ``\(`` is a
bracket, and one without its partner is plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PIECES = re.compile(r"\\[()]|[()]|[^()\\]+|\\")
_WEIGHT = re.compile(r"^(.*):\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$", re.DOTALL)
PLAIN_BRACKET = 1.1
MOST = 100.0
"""The strongest weight, either way."""


def weigh_words(text: str) -> list[tuple[str, float]]:
    """The pieces of ``text`` with their weights; text without brackets is one piece of weight 1.

    An open bracket that is never closed, or a closed one that was never opened, is plain text.
    """
    if "(" not in text:
        return [(_plain(text), 1.0)]
    return [(piece, weight) for piece, weight in _merge(_walk(text, 1.0)) if piece] or [("", 1.0)]


def _plain(text: str) -> str:
    return text.replace(r"\(", "(").replace(r"\)", ")")


def _walk(text: str, weight: float) -> Iterator[tuple[str, float]]:
    tokens = _PIECES.findall(text)
    at = 0
    while at < len(tokens):
        token = tokens[at]
        end = _closing(tokens, at) if token == "(" else None
        if end is None:
            yield _plain(token), weight
            at += 1
            continue
        inner = "".join(tokens[at + 1 : end])
        found = _WEIGHT.match(inner)
        factor = float(found[2]) if found else PLAIN_BRACKET
        stated = factor if found else weight * factor
        yield from _walk(found[1] if found else inner, max(-MOST, min(MOST, stated)))
        at = end + 1


def _closing(tokens: list[str], start: int) -> int | None:
    depth = 0
    for at in range(start, len(tokens)):
        depth += (tokens[at] == "(") - (tokens[at] == ")")
        if depth == 0:
            return at
    return None


def _merge(pieces: Iterator[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Neighbours of one weight as one piece."""
    held: tuple[str, float] | None = None
    for piece, weight in pieces:
        if held is not None and held[1] == weight:
            held = held[0] + piece, weight
            continue
        if held is not None:
            yield held
        held = piece, weight
    if held is not None:
        yield held
