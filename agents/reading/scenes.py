"""Which noun phrases are scenery: they become the background, not a box."""

from __future__ import annotations

from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.noun_phrase import NounPhrase
from imagewright.agents.reading.words import listed, words

_SCENE_PREPOSITIONS = listed("scenes.scene_prepositions")
_LOOSE_PLURALS = listed("scenes.loose_plurals")
_BACKDROP = words("background backdrop")
BARE = words("a an the image picture photo photograph of scene")
"""The words of what only says that there is a picture: "a scene", "a picture of a scene"."""


def is_backdrop(phrase: NounPhrase) -> bool:
    """ "a white background": the plain ground behind everything."""
    return phrase.head in _BACKDROP


def is_plain(text: str) -> bool:
    """Whether a piece of background says no more than a ground or the picture itself: "a red background", "a scene"."""
    said = text.split(" ")
    return said[-1] in _BACKDROP or set(said) <= BARE


def is_scene(phrase: NounPhrase, preposition: str) -> bool:
    """Whether the phrase names a place, a time or the weather rather than a thing.

    ``preposition`` is the word that led to it, empty for none: "on a bridge" is a place, "a bridge" a thing.
    """
    last, head = phrase.words[-1], phrase.head
    ending = " ".join(phrase.words[-2:])
    if last in _LOOSE_PLURALS:
        coloured = any(a in lexicon.KNOWN_COLOURS for a in phrase.attributes)
        return phrase.count is None and not coloured
    if phrase.count is not None and phrase.count > 1 and not phrase.vague:
        return False
    if ending in nouns.SCENE_COMPOUND or last in nouns.SCENE or head in nouns.SCENE:
        return True
    return head in nouns.SOFT_SCENE and preposition in _SCENE_PREPOSITIONS


def is_frame(phrase: NounPhrase) -> bool:
    """ "the scene", "the picture": the canvas itself."""
    if phrase.plural or (phrase.count or 1) > 1:
        return False
    return phrase.head in nouns.FRAME and (len(phrase.words) == 1 or phrase.head == "scene")


def say_scene(phrase: NounPhrase, preposition: str) -> str:
    """The phrase as the background says it: "in a park", "a white background"."""
    words = [phrase.described, " ".join(phrase.words), phrase.tail]
    body = " ".join(w for w in words if w)
    lead = phrase.determiner
    if is_backdrop(phrase):
        lead = nouns.article(body)
    return " ".join(w for w in (preposition, lead, body) if w)
