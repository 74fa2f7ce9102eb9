"""The words of a completed prompt: the person's own with the new ones in their places, or all of it restated plainly.

A wording is taken only where it reads as what it is to say; where none does, the prompt stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagewright.agents.reading import nouns
from imagewright.agents.reading.describe import canonical_prompt, says_no_more
from imagewright.agents.reading.numbers import NUMBER_WORDS
from imagewright.agents.reading.parse import parse_prompt
from imagewright.schemas import ParsedGroup, ParsedPrompt

_LEADS = frozenset(NUMBER_WORDS) | {"a", "an"}
"""What captions begin the name of a thing with."""


def reword(prompt: str, parsed: ParsedPrompt, wanted: ParsedPrompt) -> str | None:
    """``prompt``, which reads as ``parsed``, in words that read as ``wanted``; None where there are none."""
    return next((text for text in _wordings(prompt, parsed, wanted) if _reads_as(text, wanted)), None)


def _wordings(prompt: str, parsed: ParsedPrompt, wanted: ParsedPrompt) -> Iterator[str]:
    plain = canonical_prompt(wanted)
    if says_no_more(prompt, parsed) and _lacks_articles(prompt, parsed):
        yield plain
    if parsed.relations == wanted.relations and (inserted := _insert(prompt, parsed, wanted)):
        yield from _with_background(inserted, parsed.background, wanted.background)
    yield plain


def _lacks_articles(prompt: str, parsed: ParsedPrompt) -> bool:
    """Whether things are named as in "house and tree", which a model that learned captions was not taught."""
    return sum(word in _LEADS or word.isdigit() for word in prompt.lower().split()) < len(parsed.groups)


def _insert(prompt: str, parsed: ParsedPrompt, wanted: ParsedPrompt) -> str:
    """``prompt`` with each new colour before its noun; empty where a noun is not plain to find."""
    text = prompt
    for noun in dict.fromkeys(group.object for group in parsed.groups):
        new = {after.attributes[-1] for before, after in _pairs(parsed, wanted, noun) if before != after}
        if any(before.count != after.count for before, after in _pairs(parsed, wanted, noun)) or len(new) > 1:
            return ""
        for colour in new:
            spots = list(re.finditer(rf"\b(an? )?({re.escape(noun)}|{re.escape(nouns.plural(noun))})\b", text, re.I))
            if len(spots) != 1:
                return ""
            article = f"{nouns.article(colour)} " if spots[0][1] else ""
            text = f"{text[: spots[0].start()]}{article}{colour} {spots[0][2]}{text[spots[0].end() :]}"
    return text


def _pairs(parsed: ParsedPrompt, wanted: ParsedPrompt, noun: str) -> list[tuple[ParsedGroup, ParsedGroup]]:
    return [(b, a) for b, a in zip(parsed.groups, wanted.groups, strict=True) if b.object == noun]


def _with_background(text: str, before: str, after: str) -> Iterator[str]:
    """``text`` with the new background in the place of the old one, or after and before all."""
    if before == after:
        yield text
    elif before and before in text:
        yield text.replace(before, after, 1)
    elif not before:
        bare = text.rstrip(" .!,;")
        yield f"{bare} on {after}"
        yield f"on {after}, {bare}"


def _reads_as(text: str, wanted: ParsedPrompt) -> bool:
    read = parse_prompt(text)
    return read.sure and _gist(read) == _gist(wanted)


def _gist(parsed: ParsedPrompt) -> object:
    """What two readings must have in common to mean the same."""
    groups = [(g.object, frozenset(g.attributes), g.count, g.exact, g.position) for g in parsed.groups]
    paper = frozenset(parsed.background.split()) - {"a", "an", "the", "on", "background", "backdrop"}
    relations = {(r.subject, r.relation, r.object) for r in parsed.relations}
    return groups, relations, paper, frozenset(parsed.negative), frozenset(" ".join(parsed.style).split())
