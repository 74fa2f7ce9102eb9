"""How people type when they chat, put into the words that the patterns read: "can u", "pls", "stick a bird there"."""

from __future__ import annotations

import re

_VERBS = ("give", "make", "take", "put", "move", "add", "remove", "swap", "change", "turn", "draw")
_GIVING = {f"{verb.removesuffix('e')}ing": verb for verb in _VERBS} | {"putting": "put", "swapping": "swap"}
_TABLE = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bu\b", "you"),
        (r"\b(?:pls|plz|plss|pleas)\b", "please"),
        (r"\b(?:thx|tnx|ty)\b", "thanks"),
        (r"\b(that|it|what)s\b(?= (?:an? |the |so |very |really |lovely|great|good|nice|perfect|ugly|bad))", r"\1's"),
        (r"^id (?=like|love|want|prefer)", "i'd "),
        (r"^(?:aw+|ugh+|ooh*|wow|lol|haha|yay|meh|hm+)[,!.]*\s+", ""),
        (r"^(?:forget|scrap|drop) (?:that|it|this)(?: one)?[,.;]? (?=draw |paint |make me |show me )", ""),
        (r"^from now on,? ", ""),
        (r"^i'd like (?=(?:\w+ more|another|an? |some |two |three |four )\b)", "add "),
        (r"^(?:what|how) about (?=(?:an?|another|some|one|two|three) )", "add "),
        (r"(^|\band )(?:stick|pop|chuck|plonk|slap|throw in|pop in|stick in) (?=an?\b|another\b|some\b|one\b|two\b)",
         r"\1add "),
        (r"(^|\band )(?:loose|lose|ditch|bin|nuke) (?=the\b|that\b|this\b|those\b|these\b|both\b|all\b)", r"\1remove "),
        (r"^(swap|switch) (them|those|these|the two) (?:round|around|over)\b", r"\1 \2"),
        (r"^the ([a-z]+) needs (?=an? )", r"give the \1 "),
        (r"^(an? [a-z -]+?),? (?:and )?not an? ([a-z ]+)$", r"replace the \2 with \1"),
    )
)  # fmt: skip
_MIND = re.compile(r"^(?:would|do) you mind (\w+)\b")


def plain_words(said: str) -> str:
    """``said``, in lower case, in the words that the rules know; anything else comes back as it is."""
    said = _MIND.sub(lambda hit: _GIVING.get(hit[1], hit[1]), said)
    for pattern, replacement in _TABLE:
        said = pattern.sub(replacement, said)
    return said.strip(" ,")
