"""From text to tokens: control characters out, contractions and hyphens opened, quotations kept whole."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from imagewright.agents.reading.numerals import settle_numerals
from imagewright.agents.reading.wordings import simplify

_MAX_TOKENS = 4000
"""What comes after this many tokens is not read: a layout of 24 boxes is full long before."""
_MAX_CHARACTERS = 60_000
_MAX_WORD = 40

_CONTRACTIONS = (
    (re.compile(r"\bcan't\b|\bcannot\b", re.I), "can not"),
    (re.compile(r"\bwon't\b", re.I), "will not"),
    (re.compile(r"(\w)n't\b", re.I), r"\1 not"),
    (re.compile(r"\b(there|it|that|he|she|here|what|where|who)'s\b", re.I), r"\1 is"),
    (re.compile(r"\b(they|we|you|there|these|those)'(?:re)\b", re.I), r"\1 are"),
    (re.compile(r"\b(i|we|you|they|he|she|it)'(?:d|ll|ve|m)\b", re.I), r"\1"),
    (re.compile(r"\blet's\b", re.I), "let us"),
    (re.compile(r"\b(left|right)-?hand\b", re.I), r"\1 hand"),
    (re.compile(r"\b(left|right|top|bottom|upper|lower)-?most\b", re.I), r"far \1"),
    (re.compile(r"\b(top|bottom|upper|lower)-(left|right|center|centre|middle)\b", re.I), r"\1 \2"),
    (re.compile(r"\b(half)-(a)-(dozen)\b", re.I), r"half a dozen"),
    (re.compile(r"\bhalf-dozen\b", re.I), "half dozen"),
    (re.compile(r"\bclose ups?\b(?= (?:of|shot|view|photo|portrait|picture)\b)", re.I), "close-up"),
    (re.compile(r"\bin-front-of\b", re.I), "in front of"),
    (re.compile(r"\bnext-to\b", re.I), "next to"),
    (re.compile(r"\bblack-and-white\b", re.I), "black and white"),
    (re.compile(r"\bcontaining\b", re.I), "with"),
    (re.compile(r"\((\d{1,3})\)"), r" \1 "),
    (re.compile(r"\s&\s"), " and "),
    (re.compile(r"\s-+\s"), " , "),
    (re.compile(r"\bw/o\b", re.I), "without"),
    (re.compile(r"\bw/(?=\s)", re.I), "with"),
    (re.compile(r"(?<=\w)/(?=\w)"), " and "),
)
_QUOTES = str.maketrans(
    dict.fromkeys("\u2018\u2019`", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
    | {"\u2013": ",", "\u2014": ",", "\u2026": "."}
)
_TOKEN = re.compile(
    r'"[^"\n]{1,200}"|\d+(?:[.,]\d+)+|\d{1,2}\+(?=\s)|[^\W_]+(?:[-\'][^\W_]+)*(?:s\'(?=\s))?|[.,;:!?()\n\[\]|]'
)
_QUOTED = re.compile(r'"[^"\n]{1,200}"|[^"]+|"')
"""What stands in quotation marks is kept to the letter; numbers are read in what lies between."""
_SENTENCE_END = frozenset(".;!?\n|")


@dataclass(frozen=True)
class Token:
    """A word, a quotation (``quoted``) or a punctuation mark; ``low`` is what the grammar looks at."""

    text: str
    low: str
    quoted: bool = False

    @property
    def ends_sentence(self) -> bool:
        """Whether the token closes a sentence."""
        return self.low in _SENTENCE_END

    @property
    def is_mark(self) -> bool:
        """Whether the token is punctuation."""
        return not self.quoted and not self.low[:1].isalnum()


def tokenise(text: str) -> list[Token]:
    """The tokens of ``text``, at most ``_MAX_TOKENS``; any text is accepted."""
    cut = text[:_MAX_CHARACTERS].translate(_QUOTES)
    clean = "".join(c if c in "\n" or unicodedata.category(c)[0] != "C" else " " for c in cut)
    clean = _QUOTED.sub(lambda hit: hit[0] if hit[0].startswith('"') else settle_numerals(hit[0]), clean)
    for pattern, replacement in _CONTRACTIONS:
        clean = pattern.sub(replacement, clean)
    tokens = []
    for hit in _TOKEN.finditer(simplify(clean)):
        tokens.append(_token(hit.group()))
        if len(tokens) >= _MAX_TOKENS:
            break
    return tokens


def _token(raw: str) -> Token:
    if raw.startswith('"') and len(raw) > 1:
        return Token(raw, "\x00", quoted=True)
    word = raw[:_MAX_WORD]
    return Token(word, word.lower())
