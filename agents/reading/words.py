"""Word lists: short ones beside the code that uses them, long ones in ``data/words.txt``."""

from __future__ import annotations

from functools import cache
from importlib import resources


def words(text: str, separator: str | None = None) -> frozenset[str]:
    """The words of ``text``, split at white space or at ``separator``."""
    return frozenset(text.split(separator))


def listed(name: str) -> frozenset[str]:
    """The words of the list ``name`` of ``data/words.txt``.

    Raises:
        KeyError: there is no such list.
    """
    return words(_lists()[name])


@cache
def _lists() -> dict[str, str]:
    text = resources.files("imagewright.agents.reading").joinpath("data/words.txt").read_text("utf-8")
    blocks = (block.partition("]\n") for block in text.split("\n[")[1:])
    return {name: listed_words for name, _, listed_words in blocks}
