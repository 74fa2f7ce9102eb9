"""The prompt writer: words the prompt for one base model, keeps every stated fact, and names what it added."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from pydantic import BaseModel, Field

from imagewright.agents.llm.ask import Asker, OnNote, Query, Unusable
from imagewright.agents.llm.prompt_files import prompt as prompt_file
from imagewright.agents.reading.nouns import plural
from imagewright.agents.reading.numbers import number_word
from imagewright.agents.reading.parse import parse_prompt
from imagewright.schemas import Card, ParsedPrompt, Written

MOST_ADDED = 40
"""Words that may be added."""
_PAIRS = frozenset({"pair", "couple", "dozen", "both", "half"})
_QUOTED = re.compile(r'"([^"]{1,200})"')


class Wording(BaseModel):
    """A prompt and what was added to it."""

    prompt: str = Field(min_length=1, max_length=4000)
    added: list[str] = Field(default_factory=list, max_length=20)


class LLMWriter:
    """Asks a language model; where it gives no usable prompt, the person's own words stay and it says why."""

    def __init__(self, asker: Asker, on_fallback: OnNote) -> None:
        self.asker, self.on_fallback = asker, on_fallback

    def write(self, prompt: str, parsed: ParsedPrompt, card: Card) -> Written:
        """The prompt for the model of ``card``."""
        request = {"prompt": prompt, "model": card.base_model[:60] or "unknown", "avoid": list(parsed.negative)}
        text = prompt_file("writer", request=request, most=str(MOST_ADDED))
        try:
            answer = self.asker.ask(Query(text, Wording, lambda wording: why_unfaithful(wording, prompt, parsed)))
        except Unusable as error:
            self.on_fallback(f"the prompt stays in the person's words: {error}")
            return Written(prompt=prompt)
        added = tuple(" ".join(phrase.split()) for phrase in answer.added)
        return Written(prompt=" ".join(answer.prompt.split()), added=added, decided_by="llm")


def why_unfaithful(wording: Wording, prompt: str, parsed: ParsedPrompt) -> str:
    """What is wrong with ``wording`` of ``prompt``, in words; empty when every fact is kept and nothing hidden."""
    text = " ".join(wording.prompt.split())
    return next(chain(_unnamed(wording, prompt, text), _lost(text, prompt, parsed), _brought_in(text, parsed)), "")


def _unnamed(wording: Wording, prompt: str, text: str) -> Iterator[str]:
    """Phrases listed that are not there, and new words that are not listed."""
    for phrase in wording.added:
        if " ".join(phrase.lower().split()) not in text.lower():
            yield f"added lists {phrase[:60]!r}, which is not in the prompt"
    listed = {word for phrase in wording.added for word in _words(phrase)}
    new = [word for word in _words(text) if word not in _words(prompt)]
    hidden = [word for word in new if word not in listed and len(word) > 3]
    if len(hidden) > 4:
        yield f"these words are new and not listed in added: {', '.join(hidden[:6])}"
    if len(new) > MOST_ADDED:
        yield f"{len(new)} words are new; at most {MOST_ADDED} may be"


def _lost(text: str, prompt: str, parsed: ParsedPrompt) -> Iterator[str]:
    words = set(_words(text))
    for group in parsed.groups:
        for fact in (group.object, *group.attributes):
            kept = all(word in words or plural(word) in words for word in _words(fact))
            if not kept:
                yield f"{fact!r} is lost"
        counted = {number_word(group.count), str(group.count), *(_PAIRS & set(_words(prompt)))}
        if group.exact and group.count > 1 and not counted & words:
            yield f"the number {group.count} of {plural(group.object)} is lost"
    for quoted in _QUOTED.findall(prompt):
        if f'"{quoted}"' not in text:
            yield f'the text "{quoted}" is lost'


def _brought_in(text: str, parsed: ParsedPrompt) -> Iterator[str]:
    """Excluded things that are named, and counts that the new wording changes."""
    words = set(_words(text))
    for name in parsed.negative:
        if all(word in words or plural(word) in words for word in _words(name)):
            yield f"{name!r} must not appear and must not be named"
    read = {group.object: group for group in parse_prompt(text).groups}
    for group in parsed.groups:
        other = read.get(group.object)
        alone = sum(g.object == group.object for g in parsed.groups) == 1
        if other is not None and alone and group.exact and other.exact and other.count != group.count:
            yield f"it now reads as {other.count} {group.object}, not {group.count}"


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())
