"""Reads a prompt: what is to be seen, how many, in what colours, where, on what, and what must not appear.

One pass from left to right. Fixed phrases ("to the left of", "free of") and noun phrases are recognised where they
start; a little state says what the next noun phrase is to whatever came before it. Linear in the prompt's length,
and never fails: what is not understood is passed over.
"""

from __future__ import annotations

from imagewright.agents.reading.reader import Reader
from imagewright.agents.reading.tokens import tokenise
from imagewright.schemas import ParsedPrompt


def parse_prompt(text: str) -> ParsedPrompt:
    """What ``text`` asks for. Any text is accepted; one without things to draw gives an empty ``groups``.

    At most 24 groups are read, and about the first 4,000 words. A vague number ("several", a bare plural) counts as 3.
    """
    return Reader(tokenise(text)).read()
