"""What the editor does to texts before it sends them: comments and ``{a|b}`` choices in prompts, ``%...%`` in names."""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_CHOICES, _MAX_PROMPT, MAX_NAME = 200, 20_000, 1_000
"""The most choices and characters of a prompt, and characters of a file's name, that are looked into."""
_DATES = (
    ("yyyy", "%year%"),
    ("MM", "%month%"),
    ("dd", "%day%"),
    ("hh", "%hour%"),
    ("mm", "%minute%"),
    ("ss", "%second%"),
)
_FORBIDDEN = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')


def plain_prompt(text: str) -> str:
    """A prompt without its comments, each choice ``{a|b}`` replaced by its first part (the editor draws one by lot)."""
    if "{" not in text and "/" not in text and "\\" not in text:
        return text
    if text.count("{") > MAX_CHOICES or len(text) > _MAX_PROMPT:
        return text
    return _first_choices(text)


def has_choice(text: str) -> bool:
    """Whether the prompt has a choice that the editor would draw by lot."""
    return re.search(r"(?<!\\)\{[^{}]*\|", text) is not None


def _first_choices(text: str) -> str:
    text = _without_comments(text)
    found, place = [], 0
    while place < len(text):
        if text[place] == "{":
            option, place = _first_option(text, place + 1)
            found.append(_first_choices(option))
        else:
            width = 2 if text[place] == "\\" else 1
            found.append(text[place : place + width])
            place += width
    return re.sub(r"\\([{}|])", r"\1", "".join(found))


def _without_comments(text: str) -> str:
    """The text without ``/* ... */`` and ``// ...``; an opening without an end is no comment."""
    found, place, last_end = [], 0, text.rfind("*/")
    for start in re.finditer(r"/[/*]", text):
        if start.start() < place:
            continue
        if start[0] == "//":
            end = re.compile(r"[\n\r\u2028\u2029]|\Z").search(text, start.end())
            stop = end.start() if end else len(text)
        elif start.end() <= last_end:
            stop = text.index("*/", start.end()) + 2
        else:
            continue
        found.append(text[place : start.start()])
        place = stop
    return "".join(found) + text[place:]


def _first_option(text: str, place: int) -> tuple[str, int]:
    """The first part of the choice that starts at ``place``, and the place after its closing brace."""
    start, depth, first = place, 0, -1
    while place < len(text):
        char = text[place]
        if char == "\\":
            place += 1
        elif char == "{":
            depth += 1
        elif char == "}" and depth == 0:
            return text[start : place if first < 0 else first], place + 1
        elif char == "}":
            depth -= 1
        elif char == "|" and depth == 0 and first < 0:
            first = place
        place += 1
    return text[start : first if first >= 0 else len(text)], place


def replace_placeholders(text: str, value_of: Callable[[str, str], object]) -> str:
    """``%Node.widget%`` as that widget's value; ``%date:...%`` in the words that the server itself fills in.

    ``value_of`` gives the value of a node's widget, ``None`` where there is none; then the text stays as it is.
    """
    if len(text) > MAX_NAME:
        return text
    return re.sub(r"%([^%]{1,200})%", lambda match: _word(match[0], match[1], value_of), text)


def _word(whole: str, inside: str, value_of: Callable[[str, str], object]) -> str:
    if inside.startswith("date:"):
        for short, word in _DATES:
            inside = inside.replace(short, word)
        return inside.removeprefix("date:")
    node, dot, widget = inside.partition(".")
    value = value_of(node, widget) if dot else None
    return whole if value is None else _FORBIDDEN.sub("_", str(value))
