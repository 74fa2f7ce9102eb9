"""Fixed phrases of several words: relations, places in the frame, negations, styles and idioms.

Each is one regular expression, matched at a token's start in the lower-case text; the first that matches wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from imagewright.agents.reading.tokens import Token

PhraseKind = Literal[
    "pos",
    "rel",
    "relit",
    "owner",
    "between",
    "sides",
    "neg",
    "negpost",
    "series",
    "style",
    "on_background",
    "idle",
]

_FRAME = (
    r"(?:image|picture|frame|scene|canvas|photo|photograph|composition|shot|painting|drawing|"
    r"screen|view|page|illustration|artwork|design|background)"
)
_OFF = (
    rf"(?: of (?:(?:the|this|my) (?:whole |entire )?{_FRAME}|an? (?:whole |entire )?"
    r"(?:image|picture|frame|scene|canvas|composition|shot|page)))"
)
_SIDE = r"(?: hand)?(?: (?:side|half|part|edge|portion|third|corner|end|area|section|region))?"
_IN = r"(?:in|at|on|to|near|towards?|along|across|from|into|for)"
_DEG = r"(?:far |very |extreme |immediate |absolute |upper |lower )?"
_NEXT = (
    r"(?:(?:directly|right|just|immediately|slightly|(?<!a )(?<!the )well|far|high|somewhere|positioned|placed|"
    r"located|situated|standing) )?"
)
_VERTICAL = {"top": "top", "upper": "top", "bottom": "bottom", "lower": "bottom"}

_RULES: tuple[tuple[PhraseKind, str, str], ...] = (
    ("series", "left", r"(?:(?:seen|going|arranged|ordered|listed|reading|lined up|placed) )?(?:from )?left to right"),
    ("series", "right", r"(?:(?:seen|going|arranged|ordered|listed|reading|lined up|placed) )?(?:from )?right to left"),
    ("series", "above", r"(?:(?:seen|going|arranged|ordered|listed|reading|stacked|placed) )?(?:from )?top to bottom"),
    ("series", "below", r"(?:(?:seen|going|arranged|ordered|listed|reading|stacked|placed) )?(?:from )?bottom to top"),
    ("on_background", "",
     r"(?:(?:all )?(?:on top of|on|against|over|with|in front of|upon|before|in) )(?=(?:(?:an?|the|"
     r"some) )?(?:(?!(?:on|in|of|at|with|and|left|right|top|bottom|is|are|the|an?)\b)[\w-]+,? )"
     r"{0,5}?back(?:ground|drop)\b)"),
    # --- places in the frame, when the frame is named or a corner is
    ("pos", "",
     rf"{_IN} (?:the |its )?(?:far |very |extreme )?(?P<cv>top|upper|bottom|lower) (?P<ch>left|"
     rf"right){_SIDE}{_OFF}?(?! of\b)(?= |$)"),
    ("pos", "",
     rf"{_IN} (?:the |its )?(?:exact |dead |very )?(?P<ct>top|upper|bottom|lower) (?:middle|"
     rf"cent(?:er|re)){_SIDE}{_OFF}?(?! of\b)(?= |$)"),
    ("pos", "",
     rf"(?:{_IN} )?(?:the )?{_DEG}(?P<po>left|right|top|upper|bottom|lower|middle|cent(?:er|"
     rf"re)){_SIDE}{_OFF}"),
    ("owner", "", rf"{_NEXT}(?:on|to|at) (?:the |an? )?[\w-]+'s (?P<ow>left|right){_SIDE}"),
    # --- relations to a pronoun: "to its left", "on its right side"
    ("relit", "", rf"{_NEXT}(?:on|to|at|from|by) (?:its|his|her|their) (?:immediate )?(?P<il>left|right){_SIDE}"),
    # --- relations
    ("between", "",
     rf"{_NEXT}(?:in )?between|sandwiched between|flanked(?: on (?:both|either) sides?)? by|"
     rf"framed by"),
    ("sides", "", r"(?:on|at|to) (?:either|both|each|opposite|two) (?:side|end)s?(?: of)?"),
    ("rel", "near", r"side by side with|on (?:the |one )?side of|(?:at|by) the side of|along the side of"),
    ("rel", "",
     rf"{_NEXT}(?:(?:in|at|on|to|towards?)(?: the)? )?{_DEG}(?P<lr>left|right){_SIDE} (?:of|"
     rf"from)\b(?! {_FRAME}\b)"),
    ("rel", "", r"(?:to|on) the (?P<lr2>left|right) to(?= (?:the|an?|it)\b)"),
    ("rel", "above",
     rf"{_NEXT}(?:(?:up )?on (?:the )?(?:very )?top of|at the top of|atop(?: of)?|"
     rf"higher(?: up)? than|above|over (?:the )?top of|upon|onto|over)\b"),
    ("rel", "below",
     rf"{_NEXT}(?:below|beneath|underneath(?: of)?|under|(?:on|at|to) the (?:bottom|foot|base|"
     rf"underside) of|lower(?: down)? than|supporting)\b"),
    ("rel", "behind",
     rf"{_NEXT}(?:in back of|at the (?:back|rear) of|behind|hidden by|obscured by|to the rear of)\b"),
    ("rel", "in-front", rf"{_NEXT}(?:in (?:the )?front of|ahead of|before|at the front of)\b"),
    ("rel", "near",
     rf"{_NEXT}(?:next (?:door )?to|beside|besides|close (?:by )?to|near to|nearby|near(?! (?:the )?(?:very )"
     rf"?(?:top|bottom|left|right|upper|lower)\b)|adjacent to|"
     rf"alongside(?: of)?|against|across from|opposite(?: to| of)?|next(?= an?\b)|"
     rf"in the vicinity of|around)\b"),
    ("rel", "near", r"(?:together|along) with|accompanied by|in the company of|followed by|facing|surrounded by"),
    ("rel", "inside", r"(?:inside(?: of)?|within|in the (?:middle|cent(?:er|re)|midst) of)\b"),
    # --- places in the frame
    ("pos", "",
     rf"{_IN} (?:the )?{_DEG}(?P<pt>left|right|top|upper|bottom|lower|middle|cent(?:er|re)|"
     rf"foreground|background){_SIDE}(?! of\b| to (?:the|an?|it)\b)(?= |$)"),
    ("pos", "",
     r"(?:the )?(?P<cv2>top|upper|bottom|lower) (?P<ch2>left|right)(?: hand)?"
     r"(?: (?:side|part|corner|area|quarter|quadrant))? (?=: |is |has |shows? |contains? |holds? |there |= )"),
    ("pos", "",
     r"(?:the )?(?:far )?(?P<pf>left|right|top|bottom|upper|lower|middle|cent(?:er|"
     r"re))(?: hand)?(?: (?:side|half|part|portion|section|area))? ?(?=: |is |has |shows? |"
     r"contains? |holds? |features? |there |we |you |sits? |stands? |are |with |= )"),
    ("pos", "",
     r"(?:the )?(?P<pl>left|right|upper|lower|top|bottom)(?: hand)? (?:side|half|part|portion|"
     r"section|corner)\b(?! of)"),
    ("idle", "",
     r"(?:as )?(?:seen |viewed |shown |pictured |photographed |shot |filmed |taken |captured )from "
     r"(?:directly |slightly )?(?:behind|above|below|afar|far away|the (?:side|front|back|rear|ground|air))\b"),
    ("pos", "middle", r"(?:in|at) (?:the )?(?:middle|cent(?:er|re))(?! of)\b|cent(?:er|re)d\b|centrally(?: placed)?"),
    ("pos", "in-front", r"(?:out |up )?(?:in|at the) front(?! of)\b"),
    ("pos", "behind", r"(?:in|at) (?:the )?(?:back|rear)(?! of)\b"),
    ("pos", "top", r"(?:on|at|up) top(?! of)\b|overhead|up high|at the very top"),
    # --- what must not appear
    ("neg", "", r"(?:(?:is|are|has|have) )?(?:missing|lost) (?:all )?(?:of )?(?:its|their|his|her|all|any|the|an?)\b"),
    ("neg", "",
     r"(?:(?:must|should|do|does|did|shall|can|may|will|would|could|is|are|was|were|has|have|had) )?"
     r"(?:not|never) (?:(?!and |but |or )[a-z]+ ){0,3}?(?:any|a single|even (?:a|one)(?: single)?)(?: of the)?\b"),
    ("idle", "",
     r"no (?:more|less|fewer) than|not (?:more|less|fewer) than|not only|no longer|nothing (?:else|"
     r"more|but)|no other (?:objects?|things?|items?|elements?)"),
    ("negpost", "", rf"out of (?:the|this) {_FRAME}\b"),
    ("negpost", "",
     r"(?:(?:is|are|was|were|should be|must be|to be|being|has been|have been) )?(?:completely |entirely |totally |"
     r"nowhere )?(?:absent|missing|removed|gone|deleted|erased|eliminated|taken (?:out|away)|kept out|excluded|"
     r"omitted|forbidden|prohibited|banned|avoided|left out|"
     r"nowhere(?: (?:to be (?:seen|found)|in sight|visible|around))?)\b(?! (?:of|from (?:its|"
     r"their)|any|the|an?|all|for)\b)"),
    ("negpost", "",
     r"(?:(?:is|are|was|were|should|must|does|do|did|can|may|will|"
     r"shall) )?not (?:be )?(?:appear(?:ing)?|present|visible|included|seen|shown|there|in (?:it|"
     r"sight)|anywhere|part of|allowed|permitted|wanted|welcome|exist|to be seen)\b"),
    ("neg", "",
     r"(?:there )?(?:is|are|was|were|should be|must be|can be|will be) (?:absolutely |definitely |"
     r"clearly )?(?:not|never) (?:a single(?: one of)?|any(?: of the)?|even (?:one|a)(?: single)?|"
     r"one)\b"),
    ("neg", "", r"there (?:is|are|was|were|should be|must be|will be) (?:absolutely |definitely )?not?\b"),
    ("neg", "",
     r"(?:must|should|do|does|did|shall|can|may|will) (?:not|never) (?:be|have|include|contain|"
     r"show|feature|draw|add|depict|put|paint|see|want|need|like|use|place|display|render|portray|"
     r"house|hold|carry|own|bear|wear|sell|offer|possess|keep|permit|grow|involve|allow|generate|create|insert|"
     r"incorporate)(?: (?:any|a single|even (?:a|"
     r"one)(?: single)?)(?: (?:of|trace|sign)s?(?: of)?)?)?\b"),
    ("neg", "",
     r"(?:completely |entirely |totally |absolutely |wholly |utterly )?(?:devoid|free|void|empty|"
     r"clear|bare|barren|bereft|emptied|cleared|stripped|rid) (?:of|from)(?: (?:any|"
     r"all))?(?: (?:signs?|traces?) of)?(?: (?:any|all))?\b"),
    ("neg", "",
     r"(?:but |and |with |has |have |having |shows? |contains? |absolutely )*(?:no|zero|not? any|"
     r"not an?|without(?: so much as)?(?: (?:any|a single|even (?:a|one)(?: single)?))?|never an?|"
     r"not (?:even )?(?:a single|one(?: single)?)|nary an?|"
     r"(?:everything|anything|all) (?:but|except(?: for)?)|nothing (?:like|"
     r"resembling)(?: an?)?)(?: (?:an? )?(?:sign|trace|hint|presence|sight|kind|sort|"
     r"type)s?(?: whatsoever)? of)?(?: (?:any|single|visible|other|more))?\b(?! (?:longer|doubt|"
     r"matter|only))"),
    ("neg", "",
     r"(?:in the absence of|absent of|absence of|absent|lacking(?: in)?|lacks?(?: any)?|"
     r"minus(?: the| any)?|sans|(?:leaves?|left|leaving) out(?: (?:any|all|the))?|"
     r"excluding(?: (?:any|all|the))?|excludes?(?: (?:any|all|the))?|omitting(?: (?:any|all|the))?|"
     r"omits?(?: (?:any|all|the))?|avoid(?:ing|s)?(?: (?:any|all|the|drawing|including|showing|"
     r"adding))*|except(?: for)?(?: (?:any|the))?|with the exception of|none of(?: the)?|"
     r"instead of|rather than|neither|nor|skip(?:ping)?(?: (?:any|the|all))?|removing(?: (?:any|"
     r"all|the))?|remove(?: (?:any|all|the))?|not containing(?: any)?|not including(?: any)?|"
     r"not with(?: any)?|other than)\b"),
    # --- style and background
    ("style", "",
     r"in (?:the |an? )?(?:style|manner|spirit) of\b|in the style\b|inspired by\b|as (?:painted|"
     r"drawn) by\b|by (?=(?:van|vincent|claude|pablo|greg|studio|rembrandt|monet|picasso|dali|"
     r"hokusai|klimt|banksy|matisse|vermeer|leonardo|michelangelo|turner|warhol|hopper|escher|"
     r"mucha|artgerm|makoto)\b)"),
    ("on_background", "", r"on (?=(?:pure |plain |solid |all )?(?:white|black|gray|grey)(?: [.,;]|$))"),
    # --- words that only hold others together
    ("idle", "",
     r"(?:is|are|was|were|be) (?:all )?present\b|side by side|next to (?:each other|one another)|(?:close|near) "
     r"to (?:each other|"
     r"one another)|beside (?:each other|one another)|(?:together )?in (?:a |one )?(?:neat |"
     r"straight |single |tidy |perfect )?(?:row|line|circle|group|pile|stack|pair|pairs|total|"
     r"number|all|succession|formation|sum)\b(?! of)|in (?:love|motion|flight|action|progress|"
     r"bloom|focus|detail|perspective|unison|sync|color|colour|full color|mid air|midair|"
     r"the process of|order to|which|use|need|between them)\b|as well as|in addition to|as well|"
     r"(?:shaking|shakes?|holding|holds?|joining|clapping) (?:their |each other's |one another's )?hands\b|"
     r"(?:hand in hand|arm in arm|face to face|back to back)\b|"
     r"of course|such as|at all|of any kind|whatsoever|to be seen|in sight|anywhere|each other|"
     r"one another|at (?:the )?least|at most|up to|no more than|no fewer than|not more than|"
     r"no less than|no longer|not only|if possible|as if|by itself|by themselves|on its own|"
     r"all alone|all of|at the same time|on display|for sale|at rest|on fire|in the same \w+|(?:in|"
     r"of) the same (?:size|color|colour)|the (?:image|picture|frame|canvas) (?=with|has|shows|"
     r"contains)"),
)  # fmt: skip


@dataclass(frozen=True)
class Phrase:
    """A fixed phrase found at a token: what it says and how many tokens it takes."""

    kind: PhraseKind
    value: str
    tokens: int


class PhraseFinder:
    """Finds the fixed phrases of one token list."""

    def __init__(self, tokens: list[Token]) -> None:
        self._starts: list[int] = []
        self._found: dict[int, Phrase | None] = {}
        parts = []
        offset = 0
        for token in tokens:
            self._starts.append(offset)
            parts.append(token.low)
            offset += len(token.low) + 1
        self._text = " ".join(parts)
        self._index = {start: i for i, start in enumerate(self._starts)}
        self._index[len(self._text) + 1] = len(tokens)

    def at(self, i: int) -> Phrase | None:
        """The phrase that starts at token ``i``, if any."""
        if i not in self._found:
            self._found[i] = self._search(i)
        return self._found[i]

    def _search(self, i: int) -> Phrase | None:
        if not self._text[self._starts[i] : self._starts[i] + 1].isalpha():
            return None
        for rule in _COMPILED:
            hit = rule.pattern.match(self._text, self._starts[i])
            end = self._end(hit.end()) if hit else None
            if hit and end is not None and end > i:
                return Phrase(rule.kind, rule.value or _value(hit), end - i)
        return None

    def _end(self, position: int) -> int | None:
        """The token after a match that ends at ``position``; None inside a word."""
        if self._text[position - 1 : position] == " ":
            return self._index.get(position)
        return self._index.get(position + 1)


def _value(hit: re.Match[str]) -> str:
    """What the named groups of a match say: ``left``, ``top-right``, ``middle``…"""
    groups = hit.groupdict()
    for down, across in (("cv", "ch"), ("cv2", "ch2")):
        if groups.get(down):
            return f"{_VERTICAL[groups[down]]}-{groups[across]}"
    for name in ("ct", "po", "ow", "il", "lr", "lr2", "pt", "pf", "pl"):
        word = groups.get(name)
        if word:
            plain = {"center": "middle", "centre": "middle", "background": "behind", "foreground": "in-front"}
            return plain.get(word, _VERTICAL.get(word, word))
    return ""


@dataclass(frozen=True)
class _Rule:
    """One compiled phrase."""

    kind: PhraseKind
    value: str
    pattern: re.Pattern[str]


_COMPILED = tuple(_Rule(kind, value, re.compile(f"(?:{pattern})")) for kind, value, pattern in _RULES)
