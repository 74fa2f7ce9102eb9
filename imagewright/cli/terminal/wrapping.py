"""Fitting words into a window: lines end between words, never inside a path."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterator

PROSE = 100
"""The widest line of prose, in columns: longer ones are hard to read. Tables and paths take the whole window."""
_NARROWEST = 20
_PATH_MARKS = "/\\"
_JOINERS = "\u200c\u200d"
"""Format characters that words of some scripts are spelt with; they steer nothing."""
_STEERING = ("Cc", "Cf", "Zl", "Zp")


def is_steering(character: str) -> bool:
    """Whether a character could steer a terminal or hide what a text says: control and format characters."""
    return unicodedata.category(character) in _STEERING and character not in _JOINERS


def window(tty: bool) -> int | None:
    """The columns of the terminal; None where output is no terminal, and no line is wrapped."""
    return max(_NARROWEST, shutil.get_terminal_size((80, 24)).columns) if tty else None


def prose(columns: int | None) -> int | None:
    """How many of ``columns`` prose may take."""
    return None if columns is None else min(columns, PROSE)


def measure(text: str) -> int:
    """How many columns ``text`` takes: 2 for each wide letter, none for a mark upon another."""
    if text.isascii():
        return len(text)
    return sum(_cell(character) for character in text)


def _cell(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrap(text: str, columns: int | None) -> list[str]:
    """The lines of ``text``, none wider than ``columns`` but for a path, which is never broken."""
    return [text[start:end] for start, end in line_spans(text, columns)]


def line_spans(text: str, columns: int | None) -> list[tuple[int, int]]:
    """Where the lines of ``text`` begin and end; all of it for None, and at least one."""
    if columns is None or measure(text) <= columns:
        return [(0, len(text))]
    spans: list[tuple[int, int]] = []
    for start, end in _pieces(text, columns):
        if spans and measure(text[spans[-1][0] : end]) <= columns:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans or [(0, len(text))]


def _pieces(text: str, columns: int) -> Iterator[tuple[int, int]]:
    """The words of ``text``; one that is wider than a line, and no path, in parts of a line."""
    start = 0
    for word in text.split(" "):
        end = start + len(word)
        if word and (measure(word) <= columns or any(mark in word for mark in _PATH_MARKS)):
            yield start, end
        elif word:
            yield from _parts(text, start, end, columns)
        start = end + 1


def _parts(text: str, start: int, end: int, columns: int) -> Iterator[tuple[int, int]]:
    used, begin = 0, start
    for at in range(start, end):
        wide = _cell(text[at])
        if used + wide > columns:
            yield begin, at
            used, begin = 0, at
        used += wide
    yield begin, end
