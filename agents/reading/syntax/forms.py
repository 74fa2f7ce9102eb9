"""Prompts in a form: JSON, or lines of "Subject: …". Their values are the prompt; each key says what a value is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from imagewright import untrusted
from imagewright.agents.reading import nouns
from imagewright.errors import BadInput

_KEYS = {
    "subject": "subject subjects prompt description main main_subject object objects content characters character "
    "positive positive_prompt elements what image text_prompt",
    "place": "position placement location arrangement relation",
    "ground": "background setting environment backdrop scene",
    "style": "style mood lighting camera medium art_style color_palette palette colors atmosphere technique quality "
    "composition lens light tone look rendering aesthetic camera_angle shot",
    "excluded": "negative negative_prompt avoid exclude without not",
}
_ROLE = {key: role for role, keys in _KEYS.items() for key in keys.split()}
_LINE = re.compile(r"^\s*[*#-]*\s*\**([A-Za-z][A-Za-z _-]{1,24}?)\**\s*:\**\s*(.+?)\s*$")
_BRACKETED = re.compile(r"\[([A-Za-z][A-Za-z _-]{1,24})\]\s*:?\s*([^\[\]]+)")
_COUNTS, _THINGS = ("count", "number", "quantity"), ("type", "name", "object", "item", "thing", "subject")
_LEAST_LINES = 2


@dataclass(frozen=True)
class Form:
    """A prompt taken apart."""

    subject: str
    background: tuple[str, ...] = ()
    style: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    """Keys whose values are no part of what is to be seen, or whose role is not known."""


def read_form(text: str) -> Form | None:
    """The form that ``text`` is written in; None for running text."""
    pairs = _json_pairs(text) or _line_pairs(text) or _bracket_pairs(text)
    if not pairs or not any(_role(key) == "subject" for key, _ in pairs):
        return None
    parts: dict[str, list[str]] = {"subject": [], "place": [], "ground": [], "style": [], "excluded": [], "": []}
    for key, value in pairs:
        parts[_role(key)].append(value if _role(key) else key)
    subject = " ".join([", ".join(parts["subject"]), *parts["place"]])
    return Form(subject, tuple(parts["ground"]), tuple(parts["style"]), tuple(parts["excluded"]), tuple(parts[""]))


def _role(key: str) -> str:
    return _ROLE.get(re.sub(r"[ -]+", "_", key.strip().lower()), "")


def _json_pairs(text: str) -> list[tuple[str, str]]:
    body = re.sub(r"^```(?:json)?|```$", "", text.strip()).strip()
    if not body.startswith(("{", "[")):
        return []
    try:
        found = untrusted.parse_json(body, "the prompt")
    except BadInput:
        return []
    return list(_leaves(found, "")) if isinstance(found, dict | list) else []


def _leaves(value: object, key: str) -> Iterator[tuple[str, str]]:
    """Every text of a JSON value under its nearest key."""
    if isinstance(value, dict):
        counted = _counted(value)
        if counted:
            yield key, counted
            return
        for name, inner in value.items():
            known = _role(str(name)) or not key
            yield from _leaves(inner, str(name) if known else key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, key or "subject")
    elif isinstance(value, str) and value.strip():
        yield key, value.strip()


def _counted(value: dict[str, object]) -> str:
    """``{"type": "dalmatian", "count": 2}`` in words; empty for any other object."""
    number = next((value[name] for name in _COUNTS if isinstance(value.get(name), int)), None)
    thing = next((value[name] for name in _THINGS if isinstance(value.get(name), str)), None)
    if number is None or thing is None:
        return ""
    looks = [str(value[name]) for name in ("color", "colour", "size") if isinstance(value.get(name), str)]
    return " ".join([str(number), *looks, str(thing) if number == 1 else nouns.plural(str(thing))])


def _bracket_pairs(text: str) -> list[tuple[str, str]]:
    """``[Subject] a red canoe [Place] lake shore``."""
    pairs = [(hit.group(1), hit.group(2).strip()) for hit in _BRACKETED.finditer(text)]
    whole = text.lstrip().startswith("[") and len(pairs) >= _LEAST_LINES
    return [(key, value) for key, value in pairs if value] if whole else []


def _line_pairs(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    hits = [hit for line in lines if (hit := _LINE.match(line))]
    if len(hits) < len(lines) or len(lines) < _LEAST_LINES:
        return []
    return [(hit.group(1), hit.group(2)) for hit in hits]
