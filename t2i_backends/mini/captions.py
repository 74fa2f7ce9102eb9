"""How people caption mini's world: synonyms, free word order, and template families kept out of training.

A caption is put together from parts: a lead ("show me"), the things with their relation or place, the background and
the style. Each part has wordings for training and wordings that are *held out*: made of words that training knows, in
an order that it never saw. A held-out caption uses at least one of those.
"""

from __future__ import annotations

import functools
import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagewright.t2i_backends.mini.world import COLOURS, SHAPES, Group, Scene, Thing

SMALL, LARGE = ("small", "little", "tiny"), ("big", "large", "huge")
"""What captions call things of unusual sizes."""
_IRREGULAR = {"fish": "fish", "box": "boxes"}
_TABLES: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("captions.toml").read_text("utf-8"))


def _words(table: str) -> dict[str, tuple[str, ...]]:
    """A table of ``captions.toml`` from a name to the ways to say it."""
    return {name: tuple(words) for name, words in _TABLES[table].items()}


@dataclass(frozen=True)
class Wordings:
    """The ways to say one thing: those of training and those held out."""

    known: tuple[str, ...]
    held_out: tuple[str, ...]

    def pick(self, rng: random.Random, held_out: bool) -> str:
        """One of them."""
        return rng.choice(self.held_out if held_out else self.known)


def _wordings(table: Mapping[str, Sequence[str]]) -> Wordings:
    return Wordings(tuple(table["known"]), tuple(table["held_out"]))


SYNONYMS = _words("nouns")
"""The nouns for each thing; the first is the usual one, and listed twice where it is met more often."""
COLOUR_WORDS = _words("colours")
"""The names of the colours that have more than one."""
PATTERN_WORDS = _words("patterns")
PLACES = _words("places")
_COUNTS = {int(count): words for count, words in _words("counts").items()}
_RELATIONS = _words("relations")
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
LEADS = _wordings(_TABLES["leads"])
RELATED = _wordings(_TABLES["related"])
"""What ``a``, ``b``, ``r`` and the like stand for is said in ``captions.toml``, here and for all below."""
PAIRED = _wordings(_TABLES["paired"])
LISTED = _wordings(_TABLES["listed"])
PLACED = _wordings(_TABLES["placed"])
BACKGROUND = _wordings(_TABLES["background"])
STYLED = {style: _wordings(table) for style, table in _TABLES["styles"].items()}
_PREPOSITIONS = frozenset(w.split()[0] for words in (*_RELATIONS.values(), *PLACES.values()) for w in words)
_TOLD = 0.15
"""How often a caption tells of an unusual size."""
_LESSON_TOLD = 0.75
"""How often one does that the model learns from: what it is not told should be usual."""
_LOOSE = 0.2
"""How often a part of a lesson's caption that says nothing of the scene, or only its style, is in loose words."""
_LEAD_WORDS = tuple(sorted({w for lead in (*LEADS.known, *LEADS.held_out) for w in lead.split() if w != "{}"}))
_STYLE_WORDS = ("drawn", "in", "as", "style", "of", "a", "an", "picture", "drawing", ",")
_CORES: dict[str, tuple[str, ...]] = {"flat": ("flat",), "outline": ("outline", "line art"), "soft": ("soft",)}
_EXTRA = "one 1 single it that is in coloured colored"


def article_of(word: str) -> str:
    """The indefinite article of ``word``."""
    return "an" if word[0] in "aeiou" else "a"


def plural_noun(noun: str) -> str:
    """The plural of one of the world's nouns."""
    return _IRREGULAR.get(noun, noun + "s")


def colour_word(colour: str, rng: random.Random) -> str:
    """A name of ``colour``."""
    return rng.choice(COLOUR_WORDS.get(colour, (colour,)))


def _phrase(group: Group, rng: random.Random, size: str = "", short: bool = False) -> str:
    """One of the ways to name a group: "two red circles", "a circle that is red", "2 balls in red"."""
    noun, colour = rng.choice(SYNONYMS[group.shape]), colour_word(group.colour, rng)
    after = "" if short or rng.random() > 0.1 else rng.choice(("that is {}", "in {}", "coloured {}"))
    words = f"{size} {noun}" if after else f"{size} {colour} {noun}"
    words = words.strip()
    if group.count == 1:
        lead = article_of(words) if rng.random() < 0.88 else rng.choice(("one", "1", "a single"))
    else:
        words = words.removesuffix(noun) + plural_noun(noun)
        lead, after = rng.choice(_COUNTS[group.count]), after.replace("that is", "that are")
    return f"{lead} {words} {after.format(colour)}".strip()


def caption(scene: Scene, rng: random.Random, held_out: bool = False, lesson: bool = False) -> str:
    """A caption of ``scene`` in lower case; with ``held_out`` at least one part is worded as training never is.

    What is not said is usual: a plain background where no pattern is named, flat things where no style is named. A
    ``lesson`` tells of unusual sizes more often, and some of its leads and styles are loose words in any order, so that
    a model does not read things and numbers into the manners of a request.
    """
    parts = ["lead", "things", *(["background"] if _tells_background(scene, rng) else [])]
    if scene.style != "flat" or rng.random() < 0.1:
        parts.append("style")
    able = [p for p in parts if p != "things" or scene.relation or scene.position or len(scene.groups) == 2]
    new = set(rng.sample(able, rng.choice((1, 1, 2)))) if held_out and len(able) > 1 else set(able if held_out else ())
    paper = _paper(scene, rng, "background" in new, "lead" in new) if "background" in parts else "{s}"
    loose = lesson and rng.random() < _LOOSE
    styled = "{}"
    if "style" in parts:
        styled = _loose_style(scene.style, rng) if loose else STYLED[scene.style].pick(rng, "style" in new)
    text, in_front = _subject(scene, rng, "things" in new, lesson), not styled.startswith("{}")
    plain = paper.startswith("{s}") and not in_front and text.split()[0] not in _PREPOSITIONS
    text = styled.format(text) if in_front else text
    if "lead" in new or plain:
        text = (_loose_lead(rng) if lesson and rng.random() < _LOOSE else LEADS.pick(rng, "lead" in new)).format(text)
    wraps = [paper.replace("{s}", "{}"), *([] if in_front else [styled])]
    rng.shuffle(wraps)
    for wrap in wraps:
        text = wrap.format(text)
    return text


def _loose_lead(rng: random.Random) -> str:
    """Up to six words of leads before ``{}``, no lead that is held out."""
    while True:
        words = rng.choices(_LEAD_WORDS, k=rng.randint(1, 6))
        lead = " ".join([*words, "{}"])
        if lead not in LEADS.held_out:
            return lead


def _loose_style(style: str, rng: random.Random) -> str:
    """The style's name among up to three loose words, before or after ``{}``; no wording that is held out."""
    while True:
        words = rng.choices(_STYLE_WORDS, k=rng.randint(0, 3))
        words.insert(rng.randint(0, len(words)), rng.choice(_CORES[style]))
        wording = " ".join([*words, "{}"] if rng.random() < 0.4 else ["{}", *words])
        if wording not in STYLED[style].held_out:
            return wording


def _tells_background(scene: Scene, rng: random.Random) -> bool:
    return scene.pattern != "plain" or rng.random() < (0.5 if scene.background == "white" else 0.95)


def _paper(scene: Scene, rng: random.Random, new: bool, led: bool) -> str:
    """The background's wording around ``{s}``, which stands first where a lead comes before it."""
    colour = colour_word(scene.background, rng)
    if scene.pattern != "plain" or rng.random() < 0.12:
        words = [colour, rng.choice(PATTERN_WORDS[scene.pattern])]
        colour = " ".join(words if rng.random() < 0.5 else reversed(words))
    wording = BACKGROUND.pick(rng, new)
    while led and not wording.startswith("{s}"):
        wording = BACKGROUND.pick(rng, new)
    return wording.format(s="{s}", c=colour, k=f"{article_of(colour)} {colour}")


def _subject(scene: Scene, rng: random.Random, new: bool, lesson: bool) -> str:
    size, short = _size(scene, rng, _LESSON_TOLD if lesson else _TOLD), len(scene.groups) > 2
    named = [_phrase(group, rng, size, short) for group in scene.groups]
    if len(named) == 1:
        if scene.position is None:
            return named[0]
        return PLACED.pick(rng, new).format(a=named[0], h=rng.choice(PLACES[scene.position]))
    if scene.relation is None:
        return _listed(named, rng, new)
    first = _related(named, scene.relation, rng, new)
    return " and ".join([first, *named[2:]]) if rng.random() < 0.5 else " , ".join([first, *named[2:]])


def _related(named: Sequence[str], relation: str, rng: random.Random, new: bool) -> str:
    opposite = OPPOSITE[relation]
    return RELATED.pick(rng, new).format(
        a=named[0],
        b=named[1],
        r=rng.choice(_RELATIONS[relation]),
        o=rng.choice(_RELATIONS[opposite]),
        h=rng.choice(PLACES[relation]),
        t=rng.choice(PLACES[opposite]),
    )


def _listed(named: Sequence[str], rng: random.Random, new: bool) -> str:
    if len(named) == 2:
        return PAIRED.pick(rng, new).format(a=named[0], b=named[1])
    return LISTED.pick(rng, new).format(x=" , ".join(named[:-1]), z=named[-1])


def _size(scene: Scene, rng: random.Random, told: float) -> str:
    if rng.random() < told:
        if scene.scale < 0.3:
            return rng.choice(SMALL)
        if scene.scale > 0.7:
            return rng.choice(LARGE)
    return ""


def thing_caption(thing: Thing) -> str:
    """The prompt of one thing's region: "a red circle"."""
    return f"{article_of(thing.colour)} {thing.colour} {thing.shape}"


@functools.cache
def synonyms() -> Mapping[str, str]:
    """Every other name of a shape or colour, and the shape or colour."""
    tables = (SYNONYMS, COLOUR_WORDS)
    return {word: name for table in tables for name, words in table.items() for word in words if word != name}


def vocabulary() -> list[str]:
    """Every word that captions can hold, sorted: what the tokenizers know."""
    nouns = [noun for names in SYNONYMS.values() for noun in names]
    styles = [text for wordings in STYLED.values() for text in (*wordings.known, *wordings.held_out)]
    wordings = [text for w in (LEADS, RELATED, PAIRED, LISTED, PLACED, BACKGROUND) for text in (*w.known, *w.held_out)]
    tables = (COLOUR_WORDS, _COUNTS, _RELATIONS, PLACES, PATTERN_WORDS)
    sources = [
        *nouns,
        *map(plural_noun, nouns),
        *COLOURS,
        *SHAPES,
        *styles,
        *wordings,
        *SMALL,
        *LARGE,
        _EXTRA,
        "a an are",
    ]
    sources += [text for table in tables for texts in table.values() for text in texts]
    words = {word for text in sources for word in text.split() if not word.startswith("{")}
    return sorted(words)
