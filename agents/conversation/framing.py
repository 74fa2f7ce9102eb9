"""What people put around what they want: numbered lists, praise before, "change nothing else" behind, reasons."""

from __future__ import annotations

import re

_ITEM = re.compile(r"(?:^|(?<=\s))(?:\d{1,2}[.)]|[-*•])\s+")
_KEEP = (
    r"(?:(?:please )?(?:do not|don't|dont) (?:change|touch|alter|move|modify) (?:anything|any thing|the rest|"
    r"nothing) ?(?:else)?"
    r"(?: (?:in|about) .+)?|"
    r"(?:please )?(?:keep|leave) (?:everything|all|the rest|the others?|anything|all the rest|what is there)(?: else)?"
    r"(?: (?:exactly|just|completely))?(?: (?:the same|as (?:it is|is|it was|they are|before)|alone|unchanged|"
    r"untouched))?|"
    r"(?:and )?nothing else(?: (?:should|must|is to) (?:change|be changed))?|without (?:changing|touching) "
    r"(?:anything|the rest)"
    r"(?: else)?|(?:the rest|everything else|all else) (?:stays|should stay|remains|is fine|is good|is ok)(?: .+)?|"
    r"that'?s (?:all|it)|(?:just|only) that)"
)
_TAIL = re.compile(rf"(?:[,.;:!]|,? (?:and|but))\s*{_KEEP}$|\s+(?:without (?:changing|touching) .+|only)$")
_HEAD = re.compile(
    rf"^(?:{_KEEP}(?:[,.;:!]\s*(?:but |and |just |only )*| (?:but|and) )|"
    r"(?:do not|don't|dont) (?:change|touch|move|alter) (?:the |a |my )?[\w ]+?[,;.]? but (?:please )?|"
    r"(?:(?:that|this|it|the rest|everything|all|the \w+|they) )?(?:looks?|is|'s|are|was|seems?)?\s*(?:very |"
    r"really |pretty |so |"
    r"almost |nearly |quite |all )*(?:good|great|nice|perfect|fine|ok(?:ay)?|better|cool|lovely|beautiful|there|"
    r"right|love it|"
    r"like it|i (?:really )?(?:like|love) (?:it|this|that))[,.;!]*\s+(?:but|except|only|just|though|however)[, "
    r"]+(?:please )?(?:that )?|"
    r"i (?:really )?(?:like|love) (?:it|this|that)[,.;!]*\s+(?:but|only|except)[, ]+|"
    r"(?:please )?(?:edit|change|modify|update|adjust|fix) (?:my|the|this) (?:picture|image|photo|drawing)(?: "
    r"(?:and|so that|to)|:|,)\s+|"
    r"(?:yes|no|sure|ok(?:ay)?|right|perfect|great|super|thanks|thank you)[,.;!]+\s+)"
)
_ASKING = re.compile(r"^(?:could|can|should|may|might|would) (?P<t>the .+?|it|they|both .+?|all .+?) be (?!able\b)")
_WISHING = re.compile(r"^(?:what if|suppose|imagine|how about if) (?P<t>.+?) (?:were|was|is|are) ")
_REASON = re.compile(
    r"(?:,|;| -| because| since| as)\s*(?:because )?(?:it|they|that|he|she|this)(?:'s|'re| is| are| looks?| look| "
    r"was| does| "
    r"bothers?)\s[^,;]+$|\s+because\s.+$"
)


def split_list(text: str) -> str:
    """``text`` with the items of a list as parts of one sentence, when it is a list of two or more."""
    if not _ITEM.match(text):
        return text
    items = [item.strip(" ,;.\n") for item in _ITEM.split(text) if item.strip()]
    return "; ".join(items) if len(items) > 1 else text


def unframe(said: str) -> str:
    """``said``, in plain form, without what changes nothing: praise, reasons, and what edits do anyway."""
    said = _ASKING.sub(r"\g<t> should be ", _WISHING.sub(r"\g<t> should be ", said))
    before = ""
    while before != said:
        before = said
        said = _TAIL.sub("", said).strip(" ,.;")
        said = _HEAD.sub("", said, count=1).strip(" ,.;")
    return _REASON.sub("", said).strip(" ,.;") or said
