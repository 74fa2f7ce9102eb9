"""Word lists, written as running text."""

from __future__ import annotations


def words(text: str, separator: str | None = None) -> frozenset[str]:
    """The words of ``text``, split at white space or at ``separator``."""
    return frozenset(text.split(separator))
