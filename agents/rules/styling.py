"""Styles and plain backgrounds: "watercolour", "in the style of …", "on a white background"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagewright.agents.rules import lexicon, nouns, scenes
from imagewright.agents.rules.function_words import DETERMINERS, PREPOSITIONS
from imagewright.agents.rules.numbers import WORDS
from imagewright.agents.rules.phrases import Phrase
from imagewright.agents.rules.words import words

if TYPE_CHECKING:
    from imagewright.agents.rules.reader import Reader

_LEADS = words("in as rendered drawn painted sketched illustrated like using style")
_STOPS = words("of with showing featuring depicting that where which is are on")
_LONGEST = 7


def style_segment(reader: Reader, i: int) -> int | None:
    """The end of a run that is nothing but a style, if one starts at ``i``: ", digital art", "in anime style"."""
    led = reader.low[i] in _LEADS
    phrase = reader.finder.at(i)
    if phrase is not None and (not led or phrase.kind == "rel"):
        return None
    if reader.state.glue not in {"start", "comma"} and not led:
        return None
    end = _segment_end(reader, i)
    words = reader.low[i:end]
    if (
        not 0 < len(words) <= _LONGEST
        or words[0] in WORDS
        or (end < len(reader.low) and reader.low[end] in _STOPS and not led)
    ):
        return None
    if (end < len(reader.low) and reader.low[end] == "of") or any(_breaks(reader, k) for k in range(i + 1 + led, end)):
        return None
    last = words[-1]
    lone_medium = len(words) == 2 and words[0] in {"a", "an", "the"} and last in lexicon.MEDIA
    if lone_medium or not (last in lexicon.STYLES or (last in lexicon.STYLE_HEADS and len(words) > 1)):
        return None
    return end


def _breaks(reader: Reader, i: int) -> bool:
    """Whether the word speaks of things rather than of a style."""
    low = reader.low[i]
    determined = low in DETERMINERS and reader.low[i - 1] not in _LEADS
    return determined or low in PREPOSITIONS or low in lexicon.AUXILIARY or reader.finder.at(i) is not None


def _segment_end(reader: Reader, i: int) -> int:
    end = i
    while end < len(reader.tokens) and end < i + _LONGEST + 2:
        token = reader.tokens[end]
        if token.is_mark or token.quoted or (end > i and token.low in _STOPS):
            break
        end += 1
    return end


def named_style(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """ "in the style of Rembrandt", "by Van Gogh": everything up to the next comma."""
    last = end
    while last < len(reader.tokens) and last < end + 8:
        token = reader.tokens[last]
        if token.is_mark or token.low in {"with", "and", "showing", "featuring"}:
            break
        last += 1
    reader.record.style.append(" ".join(t.text for t in reader.tokens[i:last]))
    reader.state.link = None
    return last


def backdrop(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """ "on a white background", "against black": the plain ground behind everything."""
    found = reader.phrases.read(end)
    if found is None:
        return end
    if found.words and scenes.is_backdrop(found):
        reader.record.background.append(scenes.text_of(found, ""))
    elif not found.words and found.described:
        reader.record.background.append(f"{nouns.article(found.described)} {found.described} background")
    else:
        return end
    reader.state.link = None
    reader.state.glue = "none"
    return found.end
