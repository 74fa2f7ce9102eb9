"""Words that are not nouns: colours, materials, sizes, patterns, other adjectives, verbs, styles and media."""

from __future__ import annotations

from functools import lru_cache

from imagewright.agents.reading.nouns import GERUND_NOUN, IRREGULAR, PART, SCENE
from imagewright.agents.reading.words import listed, words

KNOWN_COLOURS = listed("lexicon.known_colours")
MATERIALS = listed("lexicon.materials")
_SIZE_WORDS = {
    0.5: "microscopic",
    0.55: "tiny miniature",
    0.6: "mini",
    0.72: "small little petite",
    0.75: "smaller",
    0.85: "short",
    1.0: "medium medium-sized",
    1.1: "wide long",
    1.2: "tall great",
    1.25: "big large larger bigger",
    1.4: "oversized",
    1.5: "huge giant massive towering",
    1.6: "gigantic enormous colossal immense",
}
SIZE_WORDS = {word: scale for scale, text in _SIZE_WORDS.items() for word in text.split()}
"""How much larger or smaller a size word makes a thing."""
KNOWN_PATTERNS = listed("lexicon.known_patterns")
ADJECTIVES = listed("lexicon.adjectives")
NOUN_TOO = listed("lexicon.noun_too")

_VERBS = listed("lexicon.verbs")
# Verb forms that are nouns far more often in prompts.
_NOUN_FIRST = listed("lexicon.noun_first")
BASE_VERBS = listed("lexicon.base_verbs")
AUXILIARY = listed("lexicon.auxiliary")
COPULA = listed("lexicon.copula")
IRREGULAR_FORMS = listed("lexicon.irregular_forms")


def _forms(stem: str) -> tuple[str, ...]:
    """The inflected forms of a regular verb."""
    cut = stem[:-1] if stem.endswith("e") and not stem.endswith("ee") else stem
    twice = stem + stem[-1]
    ies = (stem[:-1] + "ies", stem[:-1] + "ied") if stem.endswith("y") and stem[-2] not in "aeiou" else ()
    s = stem + ("es" if stem.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")
    return (s, cut + "ing", cut + "ed", twice + "ing", twice + "ed", *ies)


ALL_FORMS = frozenset(form for stem in _VERBS for form in (stem, *_forms(stem)))
"""Every form of every listed verb, those that are mostly nouns ("watches") included."""
VERB_FORMS = (frozenset(f for stem in _VERBS for f in _forms(stem)) | IRREGULAR_FORMS | AUXILIARY) - _NOUN_FIRST
IMPERATIVES = listed("lexicon.imperatives")
MEDIA = listed("lexicon.media")
KNOWN_STYLES = listed("lexicon.known_styles")
MANNERS = listed("lexicon.manners")
"""Adjectives that, said of nothing, are said of the whole picture: "two cats and a dog, soft"."""
DRAWING_TOOLS = listed("lexicon.drawing_tools")
"""What a picture is drawn "in" or "with"; without such a word they are things."""
STYLE_HEADS = listed("lexicon.style_heads")
ADVERBS = listed("lexicon.adverbs")
NOT_ADVERB = listed("lexicon.not_adverb")
NOT_ADJECTIVE = listed("lexicon.not_adjective")
_SUFFIXES = (
    "y",
    "ful",
    "ous",
    "ish",
    "ic",
    "al",
    "ive",
    "less",
    "able",
    "ible",
    "ed",
    "ing",
    "ese",
    "esque",
    "like",
    "ly",
)


@lru_cache(maxsize=4096)
def is_adjective(word: str) -> bool:
    """Whether ``word`` is an adjective for certain or by the look of its ending."""
    if word in KNOWN_COLOURS or word in MATERIALS or word in SIZE_WORDS or word in KNOWN_PATTERNS or word in ADJECTIVES:
        return True
    if word.endswith("'s") or word.endswith("s'"):
        return True
    if "-" in word:
        tail = word.rpartition("-")[2]
        return (
            tail in KNOWN_COLOURS
            or tail in ADJECTIVES
            or tail in {"free", "eyed"}
            or tail.endswith(("ed", "shaped", "like", "sized", "style", "old", "ing"))
        )
    if (
        word in NOT_ADJECTIVE
        or word in IRREGULAR
        or word in GERUND_NOUN
        or word in PART
        or word in SCENE
        or len(word) < 5
    ):
        return False
    return word.endswith(_SUFFIXES)


def is_strict_adjective(word: str) -> bool:
    """Whether ``word`` is an adjective for certain, and never a noun."""
    known = (
        word in KNOWN_COLOURS or word in MATERIALS or word in SIZE_WORDS or word in KNOWN_PATTERNS or word in ADJECTIVES
    )
    return known and word not in NOUN_TOO


@lru_cache(maxsize=4096)
def is_adverb(word: str) -> bool:
    """Whether ``word`` only modifies: "very", "slowly"."""
    return word in ADVERBS or (
        word.endswith("ly") and len(word) > 4 and word not in NOT_ADVERB and not is_strict_adjective(word)
    )


@lru_cache(maxsize=4096)
def is_verb(word: str) -> bool:
    """Whether ``word`` is a verb form for certain or by the look of its ending, seen after a noun."""
    if word in VERB_FORMS:
        return True
    if (
        word.endswith("ed")
        and len(word) > 4
        and not word.endswith("eed")
        and word not in {"shed", "sled", "watershed", "hundred"}
    ):
        return True
    return word.endswith("ing") and len(word) > 5 and word not in GERUND_NOUN


LINKS = listed("lexicon.links")
"""Words that begin a piece of background that needs no comma before it."""
RIDING = words("riding rides ride rode straddling mounting mounted saddling")
WEARING = words("wearing wears wear wore dressed clad sporting")
ATTACHING = listed("lexicon.attaching")
"""Words whose "of/with/in …" describes the thing before them."""
HAVING = listed("lexicon.having")
