"""Styles, media and plain backgrounds: ", watercolour", "an ink drawing of …", "in outline", "on a white ground"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imagewright.agents.reading import lexicon, nouns, scenes
from imagewright.agents.reading.function_words import DETERMINERS, PREPOSITIONS
from imagewright.agents.reading.noun_phrase import NounPhrase
from imagewright.agents.reading.numbers import NUMBER_WORDS
from imagewright.agents.reading.phrases import Phrase
from imagewright.agents.reading.words import listed, words

if TYPE_CHECKING:
    from imagewright.agents.reading.reader import Reader

_MADE = words("rendered drawn painted sketched illustrated")
_LEADS = _MADE | words("in as like using style")
_BY_MEANS = words("in as with like using")
_LED = re.compile(rf"^(?:(?:{'|'.join(sorted(_MADE))}) )?(?:(?:in|as|with|like|using) )?(?:an? )?(?=\w)", re.I)
_WHOM = words("it them me us")
_WISHES = words("would should")
_STOPS = words("of with showing featuring depicting that where which is are on")
_LONGEST = 7
_AFTER_MEDIUM = listed("styling.after_medium")
_BLAND = words("image picture view shot scene depiction visualization representation")


def style_segment(reader: Reader, i: int) -> int | None:
    """The end of a run that is nothing but a style, if one starts at ``i``: ", digital art", "in anime style"."""
    lead = _lead(reader, i)
    phrase = reader.finder.at(i)
    if phrase is not None and (not lead or phrase.kind == "rel"):
        return None
    if not lead and reader.state.glue != "comma" and not reader.opens():
        return None
    before = None if lead else _style_before(reader, i)
    if before is not None:
        return before
    end = _segment_end(reader, i, lead)
    said = reader.low[i:end]
    if not 0 < len(said) <= _LONGEST or said[0] in _WHOM or said[0] in NUMBER_WORDS or reader.word(end) == "of":
        return None
    if reader.word(end) in _STOPS and not lead and not _is_ground(reader, end):
        return None
    if any(_breaks(reader, k) for k in range(i + 1 + lead, end)):
        return None
    return end if _is_style(said, lead) else None


def bare(style: str) -> str:
    """A style without the words that led to it: "pencil" for "drawn in pencil"."""
    return _LED.sub("", style)


def style_tag(reader: Reader, i: int) -> bool:
    """Whether a lone manner stands at ``i``, as in "a star that is red, soft", and no more adjectives follow it."""
    return i + 1 >= len(reader.low) or reader.tokens[i + 1].is_mark or _is_ground(reader, i + 1)


def _lead(reader: Reader, i: int) -> int:
    """How many words at ``i`` say that a style follows: "in", "drawn", "drawn with"; not those of "I would like"."""
    low = reader.low[i]
    if low not in _LEADS or (low == "like" and reader.word(i - 1) in _WISHES):
        return 0
    return 2 if low in _MADE and reader.word(i + 1) in _BY_MEANS else 1


def _is_style(said: list[str], lead: int) -> bool:
    """Whether the words are a style: by their last one, or all of them manners (", soft", "drawn flat")."""
    last, body = said[-1], said[lead:]
    if not body:
        return False
    if lead == 0 and len(body) == 1 and last in _WEATHER:
        return True
    if last in lexicon.MANNERS and all(word in lexicon.MANNERS or word == "and" for word in body):
        return lead == 0 or said[0] in _MADE
    if last in lexicon.DRAWING_TOOLS and (len(body) == 1 or said[0] in _MADE):
        return lead > 0 and said[0] != "like"
    lone_medium = len(said) == 2 and said[0] in {"a", "an", "the"} and last in lexicon.MEDIA
    return not lone_medium and (last in lexicon.KNOWN_STYLES or (last in lexicon.STYLE_HEADS and len(said) > 1))


_WEATHER = frozenset("foggy misty stormy windy rainy snowy sunny cloudy overcast hazy".split())
"""Said alone, between commas, of the whole picture."""


def _style_before(reader: Reader, i: int) -> int | None:
    """The end of a style that stands right before what it is the style of: "flat two trees", "pixel art a cat".

    No adjective stands before "a" or a number, so a word that may be one says how the picture is made.
    """
    if reader.low[i] in DETERMINERS or reader.low[i] in NUMBER_WORDS:
        return None
    for end in range(i + 1, min(i + 4, len(reader.low))):
        last, following = reader.low[end - 1], reader.low[end]
        manner = end == i + 1 and last in lexicon.MANNERS
        verb = last.endswith("ing") or last in lexicon.IMPERATIVES
        style = last in lexicon.KNOWN_STYLES and not verb and (end > i + 1 or last not in lexicon.MEDIA)
        if (style or manner) and (following in {"a", "an", "some"} or following in NUMBER_WORDS or following.isdigit()):
            return end
        place = reader.finder.at(end) if manner else None
        if place is not None and place.kind in {"pos", "rel"} and reader.opens():
            return end
        if reader.tokens[end].is_mark or reader.tokens[end].quoted or _breaks(reader, end):
            return None
    return None


def _breaks(reader: Reader, i: int) -> bool:
    """Whether the word speaks of things rather than of a style."""
    low = reader.low[i]
    determined = low in DETERMINERS and reader.low[i - 1] not in _LEADS | _BY_MEANS
    closed = low in PREPOSITIONS or low in lexicon.AUXILIARY or low in _WHOM
    return determined or closed or reader.finder.at(i) is not None


def _segment_end(reader: Reader, i: int, lead: int) -> int:
    """Where the run from ``i`` ends: at a mark, at a word that opens something else, or where it has run too far."""
    end = i + lead
    while end < len(reader.tokens) and end < i + _LONGEST + 2:
        token = reader.tokens[end]
        if token.is_mark or token.quoted or (end > i and (token.low in _STOPS or _is_ground(reader, end))):
            break
        if lead and token.low == "and" and reader.word(end + 1) in DETERMINERS:
            break
        end += 1
    return end


def _is_ground(reader: Reader, i: int) -> bool:
    """Whether "on a white background", "and a white background" starts at ``i``."""
    phrase = reader.finder.at(i) if i < len(reader.low) else None
    joined = reader.phrases.read(i + 1) if reader.word(i) == "and" else None
    ground = joined is not None and bool(joined.words) and scenes.is_backdrop(joined)
    return ground or (phrase is not None and phrase.kind == "on_background")


def read_named_style(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """ "in the style of Rembrandt", "by Van Gogh": everything up to the next comma."""
    last = end
    while last < len(reader.tokens) and last < end + 8:
        token = reader.tokens[last]
        if token.is_mark or token.low in {"with", "and", "showing", "featuring"} or _is_ground(reader, last):
            break
        last += 1
    reader.record.style.append(" ".join(t.text for t in reader.tokens[i:last]))
    reader.state.link = None
    return last


def is_style_noun(reader: Reader, phrase: NounPhrase) -> bool:
    """ "in watercolour", "as a sketch": a style that a preposition leads to."""
    link = reader.state.link
    if link is None or link.name == "in-front":
        return False
    return reader.word(link.start) in {"in", "as"} and phrase.words[-1] in lexicon.KNOWN_STYLES


def is_medium(reader: Reader, phrase: NounPhrase) -> bool:
    """ "a photo of", "an oil painting showing": how it is made, before the first thing that is named."""
    if phrase.head not in lexicon.MEDIA or reader.record.groups or (phrase.count or 1) > 1:
        return False
    if any(not scenes.is_plain(piece) for piece in reader.record.background):
        return False
    following = reader.finder.at(phrase.end) if phrase.end < len(reader.low) else None
    if following is not None and following.kind in {"neg", "rel"}:
        return following.kind == "neg"
    return reader.word(phrase.end) in _AFTER_MEDIUM or phrase.end >= len(reader.low)


def medium(reader: Reader, phrase: NounPhrase) -> int:
    """Note the medium as style; the index after it and its "of"."""
    said = [*phrase.described.split(), *phrase.words]
    for word in (w for w in said if w.endswith("-free")):
        reader.record.exclude(nouns.singular(word.removesuffix("-free")))
    said = [w for w in said if not w.endswith("-free")]
    if said and (len(said) > 1 or phrase.head not in _BLAND):
        reader.record.style.append(" ".join(said))
    state = reader.state
    state.link, state.glue, state.scene = None, "start", False
    if reader.word(phrase.end) != "of":
        return phrase.end
    inner = reader.phrases.read(phrase.end + 1)
    if inner is None or not inner.words or not scenes.is_frame(inner) or reader.word(inner.end) == "of":
        return phrase.end + 1
    reader.record.background.append(" ".join(reader.low[phrase.start : inner.end]))
    return inner.end


def backdrop(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """ "on a white background", "against black": the plain ground behind everything."""
    found = reader.phrases.read(end)
    if found is None:
        return end
    if found.words and scenes.is_backdrop(found):
        reader.record.background.append(scenes.say_scene(found, ""))
    elif not found.words and found.described:
        reader.record.background.append(f"{nouns.article(found.described)} {found.described} background")
    else:
        return end
    reader.state.link = None
    reader.state.glue = "none" if reader.record.groups else "start"
    return found.end
