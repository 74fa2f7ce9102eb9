"""Counts in words and digits: "three", "a dozen", "half a dozen", "a pair of", "several", "2x"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagewright.agents.reading.words import listed

VAGUE = 3
"""How many "several", "a few", "some" and a bare plural stand for."""

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
NUMBER_WORDS: dict[str, int] = {w: n for n, w in enumerate(_UNITS)} | {w: 10 * n for n, w in enumerate(_TENS, start=2)}
NUMBER_WORDS |= {f"{t}-{u}": NUMBER_WORDS[t] + NUMBER_WORDS[u] for t in _TENS for u in _UNITS[1:10]}
NUMBER_WORDS |= {
    "single": 1,
    "lone": 1,
    "twin": 2,
    "both": 2,
    "dozen": 12,
    "hundred": 100,
    "triple": 3,
    "triplet": 3,
    "double": 2,
    "solitary": 1,
}

VAGUE_WORDS = {
    "several": VAGUE,
    "few": VAGUE,
    "some": VAGUE,
    "multiple": VAGUE,
    "various": VAGUE,
    "assorted": VAGUE,
    "many": 8,
    "numerous": 8,
    "countless": 12,
    "dozens": 24,
    "hundreds": 24,
    "thousands": 24,
    "lots": 8,
    "plenty": 8,
}

# "a … of": how many members; None: as many as the members' own number says, else VAGUE.
COLLECTIVE: dict[str, int | None] = {
    "pair": 2,
    "couple": 2,
    "duo": 2,
    "brace": 2,
    "trio": 3,
    "triplet": 3,
    "quartet": 4,
    "foursome": 4,
    "threesome": 3,
    "pile": None,
    "stack": None,
    "heap": None,
    "arrangement": None,
    "quantity": None,
    "amount": None,
    "combination": None,
    "pairing": None,
    "mix": None,
    "quintet": 5,
    "sextet": 6,
    "dozen": 12,
    "handful": 4,
    "few": VAGUE,
    "number": VAGUE,
    "lot": 8,
    "lots": 8,
    "plenty": 8,
    "group": None,
    "set": None,
    "row": None,
    "line": None,
    "collection": None,
    "herd": 5,
    "flock": 5,
    "pack": 4,
    "swarm": 8,
    "crowd": 8,
    "team": 4,
    "school": 6,
    "variety": 4,
    "series": None,
    "total": None,
    "dozens": 24,
    "hundreds": 24,
    "thousands": 24,
    "litter": 4,
    "cluster": 4,
    "array": 4,
    "family": 3,
    "gang": 4,
    "bunch": None,
    "sum": None,
    "assortment": 4,
    "circle": None,
}

EXACT_WORDS = listed("numbers.exact_words")
"""The collectives whose number is certain."""


@dataclass(frozen=True)
class Count:
    """A number that was read: its value, how many tokens it took, whether it is vague ("several")."""

    value: int
    tokens: int
    vague: bool = False


_DIGITS = re.compile(r"^(?:x(\d{1,3})|(\d{1,3})x?)$")


def _one(word: str) -> int | None:
    """The value of a single token, or None."""
    if word in NUMBER_WORDS:
        return NUMBER_WORDS[word]
    hit = _DIGITS.match(word)
    return int(hit.group(1) or hit.group(2)) if hit else None


def read_count(words: list[str], at: int) -> Count | None:
    """The count that starts at ``words[at]``, if one does; "a pair of" and its like are read with the noun phrase."""
    window = words[at : at + 5]
    for text, value, size in (
        (("half", "a", "dozen"), 6, 3),
        (("a", "half", "dozen"), 6, 3),
        (("half", "dozen"), 6, 2),
        (("a", "dozen"), 12, 2),
        (("one", "dozen"), 12, 2),
        (("a", "single"), 1, 2),
        (("one", "single"), 1, 2),
        (("a", "hundred"), 100, 2),
        (("one", "hundred"), 100, 2),
        (("a", "baker's", "dozen"), 13, 3),
    ):
        rest = (
            _one(window[size + 1])
            if text[-1] == "hundred" and window[size : size + 1] == ["and"] and window[size + 1 :]
            else None
        )
        if tuple(window[:size]) == text and rest is not None:
            return Count(value + rest, size + 2)
        if tuple(window[:size]) == text:
            return Count(value, size)
    for vague in (("quite", "a", "few"), ("a", "good", "few"), ("a", "few"), ("a", "lot"), ("a", "great", "many")):
        if tuple(window[: len(vague)]) == vague:
            return Count(VAGUE if vague[-1] == "few" else 8, len(vague), vague=True)
    return _simple(window)


def _simple(window: list[str]) -> Count | None:
    """One or two tokens: "three", "two dozen", "twenty one", "3"."""
    if not window:
        return None
    if window[0].endswith("+") and window[0][:-1].isdigit():
        return Count(int(window[0][:-1]), 1, vague=True)
    if window[0] in VAGUE_WORDS:
        return Count(VAGUE_WORDS[window[0]], 1, vague=True)
    value = _one(window[0])
    if value is None:
        return None
    second = window[1] if len(window) > 1 else ""
    if second == "dozen" and value < 20:
        return Count(12 * value, 2)
    if second == "x" and window[0].isdigit():
        return Count(value, 2)
    if second == "hundred" and value < 10:
        return Count(100 * value, 2)
    if window[0] in _TENS and second in _UNITS[1:10]:
        return Count(value + NUMBER_WORDS[second], 2)
    return Count(value, 1)


def read_number(word: str, default: int = 1) -> int:
    """The number that a lone word or its digits say; ``default`` for any other word."""
    return int(word) if word.isdigit() else NUMBER_WORDS.get(word, default)


def number_word(n: int) -> str:
    """``n`` in words up to ninety-nine, in digits beyond."""
    words = {v: k for k, v in reversed(NUMBER_WORDS.items()) if k in _UNITS or k in _TENS or "-" in k}
    return words.get(n, str(n))
