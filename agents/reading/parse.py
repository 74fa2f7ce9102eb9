"""Reads a prompt: what is to be seen, how many, in what colours, where, on what, and what must not appear.

The field's syntax is told apart first. Then one pass from left to right: fixed phrases ("to the left of", "free of")
and noun phrases are recognised where they start; a little state says what the next noun phrase is to whatever came
before it. Linear in the prompt's length, and never fails. What it finds is claimed only where the reading is sure.
"""

from __future__ import annotations

from functools import lru_cache

from imagewright.agents.reading import sureness
from imagewright.agents.reading.languages import foreign_language
from imagewright.agents.reading.reader import Reader
from imagewright.agents.reading.syntax.field import Plain, read_field
from imagewright.agents.reading.tokens import tokenise
from imagewright.schemas import ParsedPrompt


def parse_prompt(text: str) -> ParsedPrompt:
    """What ``text`` asks for. Any text is accepted; one without things to draw gives an empty ``groups``.

    At most 24 groups are read, and about the first 4,000 words. A vague number ("several", a bare plural) counts as 3.
    Where the reading is not sure, ``groups``, ``relations`` and ``negative`` are empty, ``sure`` is False and
    ``unread`` says in words what was not read.
    """
    return _read(text)


@lru_cache(maxsize=32)
def _read(text: str) -> ParsedPrompt:
    """As ``parse_prompt``; a run asks for the same text in several of its steps."""
    plain = read_field(text)
    language = foreign_language(plain.words or text)
    if language:
        return _unsure(ParsedPrompt(), plain, f"this is {language}; the rules read English, a language model reads any")
    if plain.refused:
        return _unsure(ParsedPrompt(), plain, plain.refused)
    reader = Reader(tokenise(plain.text))
    parsed = _with_field(reader.read(), plain)
    doubt = sureness.find_doubt(reader, parsed, plain.text if plain.tags else plain.words or text)
    if doubt:
        return _unsure(parsed, plain, doubt)
    return parsed.model_copy(update={"unread": (*plain.told, *_of_tags(plain), *_beside(reader.aside, parsed))})


def _with_field(parsed: ParsedPrompt, plain: Plain) -> ParsedPrompt:
    """The reading with what the field's syntax said beside the words."""
    ground = ", ".join(part for part in (parsed.background, *plain.background) if part)
    negative = tuple(dict.fromkeys((*parsed.negative, *plain.excluded)))
    return parsed.model_copy(
        update={
            "background": ground,
            "style": (*parsed.style, *plain.style),
            "negative": negative,
            "words": plain.words,
        }
    )


def _unsure(parsed: ParsedPrompt, plain: Plain, why: str) -> ParsedPrompt:
    """A prompt of which nothing is claimed: its words go to the flow, and no box and no count comes of them."""
    return ParsedPrompt(
        background=parsed.background, style=parsed.style, sure=False, words=plain.words, unread=(why, *plain.told)
    )


def _beside(aside: list[str], parsed: ParsedPrompt) -> tuple[str, ...]:
    """What is told of the words that have no box beside those that have one."""
    shown = ", ".join(dict.fromkeys(aside[:6])) + (", …" if len(aside) > 6 else "")
    return (f"no place is stated for {shown}, so the words alone describe it",) if aside and parsed.groups else ()


def _of_tags(plain: Plain) -> tuple[str, ...]:
    shown = ", ".join(plain.tags[:6]) + (", …" if len(plain.tags) > 6 else "")
    return (f"tags name no place, so they have no box: {shown}",) if plain.tags else ()
