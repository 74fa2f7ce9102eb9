"""Misspelt words of a saying, read as the nearest word that the picture or an edit knows: "teh fish biger"."""

from __future__ import annotations

import re
from collections.abc import Iterable

from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.slips import is_slip
from imagewright.agents.reading.words import words
from imagewright.intents import Reference

_KNOWN = words(
    "the a an it this that them both all and or of to in on at with without from by for into than as is are be "
    "make move paint colour color turn change put place remove delete erase drop replace swap shift push bring add "
    "another more less bigger larger smaller big small large tiny huge left right up down top bottom middle centre "
    "center above below under over next beside near between corner background one two three four five six undo redo "
    "instead same other everything nothing please twice half higher lower"
)


def correct(said: str, picture: Reference) -> str:
    """``said`` with its misspelt words put right; as it is where none is, or none is near to a known word."""
    shown = _words_of(picture)
    known = {*_KNOWN, *lexicon.KNOWN_COLOURS, *shown}
    return re.sub(r"[a-z]{3,}", lambda word: _nearest(word[0], known, shown), said)


def _words_of(picture: Reference) -> set[str]:
    boxes = picture.shown.boxes if picture.shown else ()
    singles = {word for box in boxes for word in re.findall(r"[a-z]+", box.caption.lower())}
    return singles | {nouns.plural(box.object) for box in boxes}


def _nearest(word: str, known: Iterable[str], shown: set[str]) -> str:
    """A known word that is one slip away: two letters exchanged, one left out or added; the picture's first."""
    if word in known:
        return word
    near = sorted((other for other in known if is_slip(word, other)), key=lambda o: (o not in shown, o))
    return near[0] if near else word
