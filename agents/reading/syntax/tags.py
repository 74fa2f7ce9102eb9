"""Tag lists: "1girl, solo, red_dress, masterpiece". A counted tag names things; any other is the encoder's own word.

A comma alone makes no tag list ("a dog, a cat, a ball"): it takes a tag that nobody would write in a sentence, or
bare words strung after a full phrase ("a knight, dramatic lighting, foggy forest").
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from importlib import resources

from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.function_words import CLOSED, CONJUNCTIONS, DETERMINERS, PREPOSITIONS
from imagewright.agents.reading.numbers import NUMBER_WORDS, VAGUE_WORDS

_COUNTED = re.compile(r"^(\d{1,2})(\+?)[ _]?([a-z]{3,})$")
_SCORE = re.compile(r"^(?:score|source|rating|quality|year)[_ ]\w+$|^v?\d+k$|^(?:very )?(?:ab)?surdres$")
_OPTICS = re.compile(
    r"\b\d{2,3} ?mm\b|\bf ?/ ?\d|\biso ?\d+|\b\d+k\b|\b\d{3,5} ?[x×] ?\d{3,5}\b|\b1/\d+s?\b|^\d{2,4}s$"
)
_BY = re.compile(r"^(?:(?:[a-z]+ )?(?:art|artwork|painting|photo|photography|illustration|render) )?by [a-z]")
_LIGHT = re.compile(r"^(?:single|lone|double|twin) (?:\w+ )?\w*light(?:ing)?$")
_UNITS = frozenset("bit bits fps dpi inch inches year years iso deg degrees percent pixels days hours".split())
_WORN_IN_PAIRS = frozenset({"twin", "double", "triple"})
"""Of one person's own: "twin braids"."""
_MOST_WORDS = 5
_LEAST_BARE = 2
_MANY = 5
"""So many bare segments are a tag list."""


@dataclass(frozen=True)
class TagList:
    """A prompt of tags, apart."""

    said: str
    """What states things: counted tags in words, and the segments that are sentences."""
    tags: tuple[str, ...]
    """The segments that claim no thing and no place."""

    @property
    def styles(self) -> tuple[str, ...]:
        """Those of them that say how the picture is made: "anime", "oil painting"."""
        return tuple(tag for tag in self.tags if _is_style(tag.lower().split()))


@functools.cache
def quality_tags() -> frozenset[str]:
    """Tags that ask for quality or a way of taking a picture."""
    text = resources.files("imagewright.agents.reading").joinpath("data/quality_tags.txt").read_text("utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def read_tags(text: str, *, weighted: bool = False) -> TagList | None:
    """The tags of ``text``; None where it is no tag list. ``weighted`` says that its words were weighed."""
    if text.count('"') > 1:
        return None
    segments = [part.strip(" .\t") for part in re.split(r"[,\n|;]|\. ", text) if part.strip(" .\t")]
    low = [segment.lower() for segment in segments]
    weighed = weighted and len(low) > 1
    if not (weighed or any(_is_tag(segment) for segment in low) or _is_strung(low) or _is_titled(low)):
        return None
    listed = any(_COUNTED.match(segment) and " " not in segment for segment in low)
    said, tags = list[str](), list[str]()
    for segment, lower in zip(segments, low, strict=True):
        counted = _counted(lower)
        if counted:
            said.append(counted)
        elif _speaks(lower) and not _counts_nothing(lower, listed):
            said.append(segment.replace("_", " "))
        else:
            tags.append(segment.replace("_", " "))
    return TagList(", ".join(said), tuple(tags))


def _counts_nothing(segment: str, listed: bool) -> bool:
    """ "Several girls", "twin braids" beside counted tags; "multiple girls" among any: their word for a crowd."""
    head = segment.split()[0]
    return head == "multiple" or (listed and head in {*VAGUE_WORDS, *_WORN_IN_PAIRS})


def _counted(segment: str) -> str:
    """ "1girl" in words: "1 girl"; "6+girls" is "6+ girls", six or so; empty for any other tag."""
    hit = _COUNTED.match(segment)
    if hit is None or hit.group(3) in _UNITS or int(hit.group(1)) > 24:
        return ""
    return f"{hit.group(1)}{hit.group(2)} {hit.group(3)}"


def _is_tag(segment: str) -> bool:
    """Whether nobody would write the segment in a sentence."""
    hit = _COUNTED.match(segment)
    joined = hit is not None and hit.group(3) not in _UNITS and not re.search(r"[ _]", segment)
    credited = _BY.match(segment) is not None and not segment.startswith("by ")
    underscored = "_" in segment.strip("_") and " " not in segment
    return (
        joined
        or credited
        or underscored
        or segment in quality_tags()
        or bool(_SCORE.match(segment) or _OPTICS.search(segment))
    )


def _is_strung(low: list[str]) -> bool:
    """Bare words strung after a full phrase, or many bare words of which none is a plain plural or joined by "and"."""
    rest = low[1:]
    if len(low) >= _MANY and sum(" " in segment for segment in low) >= _LEAST_BARE and all(map(_is_loose, low)):
        return True
    bare = [segment for segment in rest if " " in segment and _is_bare(segment)]
    if low and not _is_bare(low[0]):
        return len(bare) >= _LEAST_BARE and 2 * len(bare) > len(rest) and not any(" and " in part for part in rest)
    return len(bare) == len(rest) >= 4


def _is_titled(low: list[str]) -> bool:
    """A medium alone before bare words: "food photography, ramen, steam"."""
    words = low[0].split() if low else []
    medium = (
        bool(words)
        and len(words) <= 3
        and words[-1] in lexicon.MEDIA | lexicon.KNOWN_STYLES
        and words[0] not in DETERMINERS
    )
    return (
        medium and len(low) > 2 and not any(_speaks(segment) and not _is_manner(segment.split()) for segment in low[1:])
    )


def _is_loose(segment: str) -> bool:
    """Words without any grammar between them."""
    words = segment.split()
    return (_is_manner(words) or not _speaks(segment)) and (CLOSED | CONJUNCTIONS | DETERMINERS).isdisjoint(words)


def _is_bare(segment: str) -> bool:
    """A few words without determiner, number, verb or preposition, and no plain adjectives after a thing."""
    words = segment.split()
    if not words or len(words) > _MOST_WORDS or _speaks(segment):
        return False
    joined = CLOSED | CONJUNCTIONS | {"only", "colored", "coloured", "painted"}
    return joined.isdisjoint(words) and not all(lexicon.is_strict_adjective(word) for word in words)


def _speaks(segment: str) -> bool:
    """Whether a segment is built like a sentence: by a determiner, a number, a preposition, a place, a medium."""
    words = segment.split()
    if not words or segment in quality_tags() or any(tag.match(segment) for tag in (_SCORE, _BY, _LIGHT)):
        return False
    if _OPTICS.search(segment) and words[0] not in DETERMINERS:
        return False
    head = words[0]
    number = head in NUMBER_WORDS or head in VAGUE_WORDS or bool(re.fullmatch(r"\d{1,2}x?", head))
    if head in DETERMINERS or (number and len(words) > 1):
        return True
    if head in {"no", "not", "without", "only", "and", "just", "exactly"} or head in PREPOSITIONS - {"by"}:
        return True
    if _is_manner(words):
        return True
    return any(word in DETERMINERS or (word in NUMBER_WORDS and words[-1] != word) for word in words[1:])


def _is_manner(words: list[str]) -> bool:
    return _is_style(words) or words[-1] in {"background", "backdrop"}


def _is_style(words: list[str]) -> bool:
    return nouns.singular(words[-1]) in lexicon.KNOWN_STYLES | lexicon.STYLE_HEADS or words[-1] in lexicon.KNOWN_STYLES
