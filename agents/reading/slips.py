"""Slips of the fingers: two letters exchanged, one left out, one too many; told from another word."""

from __future__ import annotations


def is_slip(word: str, other: str) -> bool:
    """Whether they differ by one slip of the fingers; another letter in a place makes another word, not a slip."""
    if len(word) == len(other):
        wrong = [at for at in range(len(word)) if word[at] != other[at]]
        return len(wrong) == 2 and wrong[1] == wrong[0] + 1 and _turned(word, wrong[0]) == other
    longer, shorter = (word, other) if len(word) > len(other) else (other, word)
    if len(longer) != len(shorter) + 1 or len(shorter) < 4:
        return False
    return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))


def is_one_letter_off(word: str, other: str) -> bool:
    """Whether one letter of a long word stands for another: ``hause``; of short ones each may be a word."""
    return len(word) == len(other) >= 5 and sum(a != b for a, b in zip(word, other, strict=True)) == 1


def _turned(word: str, at: int) -> str:
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
