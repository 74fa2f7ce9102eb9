"""Numbers that are no counts are taken out, zero and denied numbers are put plainly, and lists are dealt out."""

from __future__ import annotations

import re

from imagewright.agents.reading import lexicon, nouns, numbers

_NUMBER_WORD = "|".join(sorted((w for w in numbers.NUMBER_WORDS if w not in {"single", "lone", "both"}), key=len)[::-1])
_NUMBER = rf"(?:{_NUMBER_WORD}|\d{{1,4}})"
_COLOUR = rf"(?:(?:light|dark|pale|deep) )?(?:{'|'.join(sorted(lexicon.KNOWN_COLOURS, key=len)[::-1])})"
_LOOK = "|".join(
    sorted(lexicon.KNOWN_COLOURS | lexicon.KNOWN_PATTERNS | lexicon.MATERIALS | set(lexicon.SIZE_WORDS), key=len)[::-1]
)
_OPEN = r"(?:^|(?<=[\s(,.;]))"
_MEASURES = (
    r"(?:mm|cm|km|k|p|px|fps|iso|am|pm|a\.m\.|p\.m\.|o'clock|degrees?|percent|inch(?:es)?|feet|foot|ft|met(?:er|re)s?|"
    r"kg|lbs?|mph|kmh|hours?|minutes?|seconds?|megapixels?|mp|bit|dpi)"
)
_PARTS = r"(?:story|storey|stories|tier|tiered|piece|door|seat|seater|panel|layer|lane|wheel|string|page|act|ply|point)"
_NAMED = (
    r"(?:route|room|highway|interstate|number|no\.?|chapter|level|iphone|windows|apollo|formula|area|version|model|size|"
    r"episode|season|part|volume|world war|cyberpunk|runner|the year|year|circa|gate|platform|channel|boeing|falcon|"
    r"engine|portra|iso|page|studio|catch|district|fantasy|playstation|nintendo|pier|track|seed|step|steps|cfg|scale)"
)
_TABLE = tuple(
    (re.compile(pattern, re.I), replacement)
    for pattern, replacement in (
        # zero and denied numbers
        (rf"{_OPEN}(?:exactly )?0 (?=[a-z])", "no "),
        (rf"\s*\((?:and |but )?(?:not|never|no more than|no fewer than) {_NUMBER}\s*!*\)", ""),
        (rf",?\s*(?:and |but |with )*none of (?:them|these|those|which|the \w+)(?: is| are| being)?"
         rf" (?:{_LOOK})(?=\s*(?:$|[,.;!]))", ""),
        (r"(?:,|\band\b|\bwith\b|\bbut\b|\s)*\b(?:nobody|no one|no people|no person|nothing|no man|no woman) else\b"
         r"(?: (?:around|there|in sight|is there|visible|in the (?:scene|picture|image|frame|photo)|at all))*", ","),
        (rf"\b(?:all|any|everything) but (?=one\b|{_NUMBER}\b)", ""),
        # numbers that are no counts
        (r"\b(?:in )?the year \d+\b", ""),
        (rf"\b{_NUMBER}[ -](?:years?|months?|weeks?|days?)[ -]old\b(?=[\s,.;]|$)", ""),
        (rf"\b(?:turning|over|under|almost|about) {_NUMBER}(?: years?)?(?= *(?:$|[,.;)]))|\baged? {_NUMBER}\b", ""),
        (rf"\b{_NUMBER} (?:years?|months?|weeks?|days?|centuries|decades) (?:ago|later|from now|in the future)\b", ""),
        (rf"\b(?!one\b|1\b){_NUMBER}[ -]{_PARTS}\b (?!(?:and|or|on|with|of|in|at|is|to|from|by|for)\b)(?=[a-z])", ""),
        (rf"\b((?:{_NAMED})) \d+[a-z]?\b", r"\1"),
        (rf"\b(?:at|around|by|before|after|until) (?:\d{{1,2}}(?::\d\d)?|{_NUMBER_WORD})"
         r" ?(?:am|pm|a\.m\.|p\.m\.|o'clock)(?![\w])", ""),
        (rf"\b(?:a |an )?\d+(?:[.,]\d+)? ?{_MEASURES}(?![\w])", ""),
        (rf"\b{_NUMBER} o'clock\b|\bdouble exposure\b", ""),
        (rf"\b(a|an|the|one) {_NUMBER}[ -](dollar|euro|pound|cent|yen|rupee) (?=bill|note|coin)", r"\1 \2 "),
        (r"\b(a|the) (?:double|twin|triple) (?=[a-z])", r"\1 "),
        (r"(?-i:\b([A-Z][a-z]+)) \d+(?=\s*(?:$|[,.;]))", r"\1"),
        (r"\b(?:in|from|since|circa|of|around|about) (?:the )?(?:early |late |mid )?"
         r"(?:1[0-9]|20|21)\d\d(?:'?s)?\b", ""),
        (r"\b(?:the )?(?:early |late |mid[- ])?(?:(?:1[0-9]|20|21)\d0'?s|[2-9]0'?s)\b(?:[- ]style)?", ""),
        (r"(?<![\w.])(?:1[5-9]|20|21)\d\d(?=[\s,.;]|$)(?! [a-z]+s\b)", ""),
        (r"\b\d+ ?(?:[:/]) ?\d+\b(?: (?:aspect ratio|aspect|view|ratio|scale|profile))?|\bf ?/ ?\d+(?:\.\d+)?", ""),
        (r"\b\d+(?:\.\d+)? ?%|\$ ?\d+(?:[.,]\d+)*|#\d+|№ ?\d+", ""),
        (r"\b\d+(?:st|nd|rd|th)\b(?:[- ]century)?", ""),
        (r"\bone (?:day|night|morning|evening|time|afternoon)\b|\bonce\b|\btwice\b", ""),
        (rf"\bfor {_NUMBER}(?= *(?:$|[,.;)]))", ""),
    )
)  # fmt: skip
_JOINT = r"(?:,? and |, ?| and )"
_DEALT = re.compile(
    rf"\b(?:the )?({_NUMBER}) ((?:[a-z][\w-]* ){{0,2}}?[a-z][\w-]*?)"
    r"((?: (?:in|on|from|next|side|standing|lined|lying|sitting)\b[^:,;.]*?)?)(?: ?[:,;-]| \()\s*"
    rf"((?:(?:one |an? )?{_COLOUR}(?: one)?{_JOINT})+(?:one |an? )?{_COLOUR}(?: one)?)\)?"
    r"(?=\s*(?:$|[.;,]))",
    re.I,
)
_ONE_THING = r"(?:one|an?) ((?:[a-z-]+ ){0,2}?)([a-z-]+)(?=\s*(?:$|[.,;]))"
_EACH = re.compile(rf"\b({_NUMBER}) ([a-z]+) each ([a-z]+) {_ONE_THING}", re.I)
_EACH_OF = re.compile(
    rf"\b(?:each|every one|each one) of (?:the )?({_NUMBER}) ([a-z]+) ([a-z]+?)(?:es|s) {_ONE_THING}", re.I
)
_HEADED = re.compile(
    rf"\b({_NUMBER}) (?:different |various )?(?:things|objects|items|animals|fruits|vegetables|people|shapes|toys|"
    rf"vehicles|pets|birds|figures|persons|creatures|instruments|tools|buildings|flowers|trees|insects)"
    r"((?: in a row| side by side| on an? [a-z]+| from left to right)?)\s*:\s*(?=(?:an? |one |the )?[a-z])",
    re.I,
)


def settle_numerals(text: str) -> str:
    """``text`` with its numbers as counts or not at all; text without any such comes back as it is."""
    for pattern, replacement in _TABLE:
        text = pattern.sub(replacement, text)
    text = _EACH_OF.sub(_share_out, _EACH.sub(_share_out, text))
    return _HEADED.sub(_listed, _DEALT.sub(_deal, text))


def _share_out(hit: re.Match[str]) -> str:
    """ "Two otters each crack a clam", "each of two otters cracks a clam": two clams, one for each."""
    number, many, verb, look, thing = hit.groups()
    return f"{number} {many} {verb} {number} {look or ''}{nouns.plural(thing.lower())}"


def _deal(hit: re.Match[str]) -> str:
    """ "Three flowers in a row: red, yellow, blue": one of each colour, where there are as many colours as things."""
    number, noun, place, list_of = hit.groups()
    colours = re.findall(rf"{_COLOUR}", list_of, re.I)
    count = numbers.read_count([number.lower()], 0)
    if count is None or count.value != len(colours) or not _can_be_dealt(noun):
        return hit.group()
    one = nouns.singular_phrase(noun.lower().split())
    return ", ".join(f"one {colour} {one}" for colour in colours[:-1]) + f" and one {colours[-1]} {one}" + place


def _can_be_dealt(noun: str) -> bool:
    last = noun.lower().split()[-1]
    return nouns.is_plural(last) or last in nouns.INVARIANT


def _listed(hit: re.Match[str]) -> str:
    """ "Three animals: a dog, a cat and a bird": the list says what they are."""
    return "from left to right: " if "left to right" in hit.group(2) else ""
