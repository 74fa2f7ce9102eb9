r"""ComfyUI's prompt syntax as it reads it today: weights in brackets, escaped brackets, textual inversions by name.

``(more:1.3)`` weighs words, ``(more)`` by 1.1, they nest; ``\(`` is a bracket. A bracket that never closes makes the
rest of the prompt plain text. ``embedding:NAME`` stands for the vectors of a textual inversion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from imagewright.t2i_backends.text.weights import MOST, PLAIN_BRACKET

_OPEN, _CLOSE = "\x01", "\x02"
"""What stands for an escaped bracket while brackets are read."""
_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*")
_MARK = "embedding:"
_STARTS = re.compile(rf"(?:(?<=\s)|^){_MARK}(?=[^\s<\[])")
_NAME = re.compile(rf"{_MARK}([^\s<\[]+)")


@dataclass(frozen=True)
class Piece:
    """Words of one weight, or a textual inversion."""

    text: str
    weight: float
    inversion: str = ""
    """The name as it is typed, with what clings to it; ``text`` is then what follows it."""


def read_pieces(text: str) -> list[Piece]:
    """The pieces of a prompt, in order; at least one."""
    hidden = text.replace(r"\(", _OPEN).replace(r"\)", _CLOSE)
    found = [piece for words, weight in _weigh(hidden, 1.0) for piece in _split(_show(words), weight)]
    return found or [Piece("", 1.0)]


def list_inversions(text: str) -> tuple[str, ...]:
    """The names of the textual inversions in a prompt, as they are typed."""
    return tuple(dict.fromkeys(piece.inversion for piece in read_pieces(text) if piece.inversion))


def _show(text: str) -> str:
    return text.replace(_OPEN, "(").replace(_CLOSE, ")")


def _weigh(text: str, weight: float) -> Iterator[tuple[str, float]]:
    for part in _part(text):
        if not (part.startswith("(") and part.endswith(")") and len(part) > 1):
            yield part, weight
            continue
        inner, stated = part[1:-1], weight * PLAIN_BRACKET
        words, colon, number = inner.rpartition(":")
        if colon and words and _NUMBER.fullmatch(number):
            inner, stated = words, float(number)
        yield from _weigh(inner, max(-MOST, min(MOST, stated)))


def _part(text: str) -> Iterator[str]:
    """``text`` cut before each outermost opening bracket and after the one that closes it."""
    depth = start = 0
    for at, char in enumerate(text):
        if char == "(":
            if depth == 0 and at > start:
                yield text[start:at]
                start = at
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                yield text[start : at + 1]
                start = at + 1
    if start < len(text):
        yield text[start:]


def _split(text: str, weight: float) -> Iterator[Piece]:
    """Words and textual inversions in turn."""
    starts = [match.start() for match in _STARTS.finditer(text)]
    if first := text[: starts[0]] if starts else text:
        yield Piece(first, weight)
    for start, end in pairwise([*starts, len(text)]):
        match = _NAME.match(text, start)
        assert match is not None
        yield Piece(text[match.end() : end].strip(), weight, match[1])
