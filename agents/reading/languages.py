"""Which language a prompt is in, by its script and its function words; no more than is needed to say "not English"."""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from importlib import resources

_SCRIPTS = {
    "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean", "CJK": "Chinese", "CYRILLIC": "Russian",
    "ARABIC": "Arabic", "HEBREW": "Hebrew", "DEVANAGARI": "Hindi", "THAI": "Thai", "GREEK": "Greek",
}  # fmt: skip
_ENGLISH = frozenset(
    "a an the and of with on in at to is are two three four five six one no from by above below next left right red "
    "blue green black white his her its their under over between behind front i me my you it he she we they do no as "
    "or not so us up for this that there be has have more only just all some any each every til till pod die".split()
)
_FOREIGN_LETTERS = re.compile(r"[äöüßñçéèêàâîïôûœáíóúãõłśżźćąęøåæğışěřůčžđơư]", re.I)
_ARTICLES = frozenset(
    "el los las un una unos unas der das ein eine einen le les une il lo gli uno uma dois duas dos tres zwei drei deux "
    "trois due tre quattro het een twee ett bir seekor sebuah dwa dwie trzy".split()
)
_LEAST = 2


@functools.cache
def _function_words() -> dict[str, frozenset[str]]:
    text = resources.files("imagewright.agents.reading").joinpath("data/languages.json").read_text("utf-8")
    return {name: frozenset(words.split()) for name, words in json.loads(text).items()}


def foreign_language(text: str) -> str:
    """The name of the language that ``text`` is in, where it is not English; empty for English and where unsure."""
    return _by_script(text) or _by_words(re.findall(r"[^\W\d_]+", text.lower()))


def _by_script(text: str) -> str:
    """The language of the script that at least a third of the letters are of."""
    seen: dict[str, int] = {}
    letters = 0
    for letter in text[:2000]:
        if not letter.isalpha():
            continue
        letters += 1
        name = _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0])
        if name:
            seen[name] = seen.get(name, 0) + 1
    if not seen or 3 * sum(seen.values()) < letters:
        return ""
    return "Japanese" if "Japanese" in seen else max(seen, key=lambda name: seen[name])


def _by_words(words: list[str]) -> str:
    """The language with most function words in the text, where English has fewer."""
    if not words:
        return ""
    counts = {name: sum(word in known for word in words) for name, known in _function_words().items()}
    best = max(counts, key=lambda name: counts[name])
    english = sum(word in _ENGLISH for word in words)
    own = sum(word in _function_words()[best] and word not in _ENGLISH for word in words)
    accented = any(_FOREIGN_LETTERS.search(word) for word in words)
    enough = own >= _LEAST or (own >= 1 and accented) or (own >= 1 and len(words) <= 3 and _opens(words[0], best))
    return best if enough and counts[best] > english and 4 * counts[best] >= len(words) else ""


def _opens(word: str, language: str) -> bool:
    """Whether ``word`` is an article or a number that begins a phrase of that language, and no English word."""
    return word in _function_words()[language] and word in _ARTICLES
