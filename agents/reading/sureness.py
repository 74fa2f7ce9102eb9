"""Whether a reading accounts for every word of its prompt, so that counts and places may be claimed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagewright.schemas import ParsedPrompt

if TYPE_CHECKING:
    from imagewright.agents.reading.reader import Reader


def find_doubt(reader: Reader, parsed: ParsedPrompt) -> str:
    """What makes the reading unsure, in words; empty where it is sure."""
    return ""
