"""Misspelt words of a prompt for a small world, read as the one word that is near: "teh hosue".

Only a word that the model does not know, and that is no word of the language either, is taken for another one; and only
where a single word of the world is one slip away.
"""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Callable, Sequence

from PIL import ImageColor

from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.function_words import CLOSED, DETERMINERS
from imagewright.agents.reading.numbers import NUMBER_WORDS
from imagewright.agents.reading.slips import is_one_letter_off, is_slip
from imagewright.worlds import World

_NEAR_COLOURS = 0.4
"""Distance in the cone of colours up to which one may stand for another: crimson lies at .33 from red."""


def mend(prompt: str, unknown: Sequence[str], world: World, is_word: Callable[[str], bool]) -> str:
    """``prompt`` with its misspelt words put right; as it is where none is, or none is near to a single known word.

    Args:
        prompt: what the person said.
        unknown: the words of it that the model does not know.
        world: whose words it is read in.
        is_word: whether the language has a word, as far as that is known.
    """
    known = _known(world)
    for word in unknown:
        near = None if is_word(word) or _reads(word) else _single(word, known)
        if near is not None:
            prompt = re.sub(rf"\b{re.escape(word)}\b", near, prompt, flags=re.IGNORECASE)
    return prompt


def _known(world: World) -> frozenset[str]:
    plurals = {nouns.plural(noun) for noun in world.objects}
    numbers = {word for word, number in NUMBER_WORDS.items() if number <= world.most_things}
    own = {*world.objects, *plurals, *world.attributes, *world.backgrounds, *world.filler, *numbers}
    return frozenset(word for word in own | CLOSED | DETERMINERS if word.isalpha() and len(word) > 2)


def _reads(word: str) -> bool:
    """Whether the reader knows the word."""
    return word in lexicon.KNOWN_COLOURS | lexicon.ADJECTIVES | lexicon.MATERIALS | lexicon.KNOWN_PATTERNS


def _single(word: str, known: frozenset[str]) -> str | None:
    """The known word that is a slip away, where it is the only one; else the only one with another letter."""
    if not word.isalpha():
        return None
    for near in (is_slip, is_one_letter_off):
        found = [other for other in known if near(word, other)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def find_near(word: str, world: World) -> tuple[str, ...]:
    """The world's things whose names look like ``word``, singular: what may have been meant."""
    single = nouns.singular(word.lower())
    names = (*world.objects, *world.colours)
    return tuple(name for name in names if name != single and _alike(single, name))


def find_near_colour(word: str, world: World) -> str:
    """The world's colour that looks nearly like the one that ``word`` names; empty where none does."""
    mine = _solid(word)
    near = {math.dist(mine, solid): c for c in world.colours if mine and (solid := _solid(c))}
    return near[min(near)] if near and min(near) < _NEAR_COLOURS else ""


def _solid(colour: str) -> tuple[float, float, float] | None:
    """A colour's place in the cone of hue, chroma and value, each of its axes up to 1; None for an unknown one."""
    if colour not in ImageColor.colormap:
        return None
    red, green, blue = ImageColor.getrgb(colour)[:3]
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    chroma, angle = saturation * value, 2 * math.pi * hue
    return chroma * math.cos(angle), chroma * math.sin(angle), value


def _alike(one: str, other: str) -> bool:
    """Whether the words begin alike and differ by two letters at most."""
    if abs(len(one) - len(other)) > 2 or one[:1] != other[:1] or not re.fullmatch(r"[a-z]+", one):
        return False
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1] <= (1 if len(one) < 5 else 2)
