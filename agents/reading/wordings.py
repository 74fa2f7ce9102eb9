"""Many wordings, one meaning: turns roundabout phrasings into the plain ones that the grammar reads.

"the colour of the cup is red" becomes "the cup is red", "two cats, one black and the other white" becomes "one black
cat and one white cat", "keep dogs out of it" becomes "no dogs". Each entry is one bounded pattern, applied once, in
order, to the text outside quotation marks; nothing here knows a particular noun.
"""

from __future__ import annotations

import re
from functools import lru_cache

from imagewright.agents.reading import lexicon, nouns, numbers
from imagewright.agents.reading.function_words import CONJUNCTIONS, DETERMINERS, PREPOSITIONS

_NUMBER_WORD = "|".join(sorted((w for w in numbers.NUMBER_WORDS if w not in {"single", "lone", "both"}), key=len)[::-1])
_NUMBER = rf"(?:{_NUMBER_WORD}|\d{{1,3}})"
_PLAIN_COLOUR = "|".join(sorted(lexicon.KNOWN_COLOURS, key=len)[::-1])
_COLOUR = rf"(?:(?:light|dark|bright|pale|deep|vivid|solid|pure) )?(?:{_PLAIN_COLOUR})"
_THINGS_TOO = "|".join(sorted(lexicon.KNOWN_COLOURS & lexicon.NOUN_TOO))
_CLOSED = "|".join(
    sorted(
        PREPOSITIONS
        | CONJUNCTIONS
        | DETERMINERS
        | set("is are was were be being one not no has have must should will appears appear looks look".split())
    )
)
_WORD = rf"(?!(?:{_CLOSED})\b)[a-z][\w-]*"
_NOUN = rf"{_WORD}(?: {_WORD}){{0,2}}?"
_ONE = r"(?:an?|the|one)"
_END = (
    r"(?=\s*(?:$|[.,;:!?()\n\[\]]|in (?:the|an?|it|this|front)\b|(?:is|are|next|to|left|right|together|along|"
    r"higher|lower|(?:stands|sits|lies)(?= \w)|please|standing|sitting|"
    rf"placed|positioned|located|{'|'.join(sorted((PREPOSITIONS | CONJUNCTIONS) - {'in'}))})\b))"
)
_TINT = r"(?:colou?r(?:ing|ation)?|hue|shade|tint|tone)"
_DYED = r"(?:colou?red|painted|dyed|tinted|stained|shaded|drawn|rendered|coated)"
_BE = r"(?:(?:is|are|was|were|be|being|should be|must be|will be|has to be|appears?|looks?)(?: to be)?)"
_BACK = r"(?:background|backdrop)"
_PATTERNS = sorted({*lexicon.KNOWN_PATTERNS, *"plain solid textured gradient checkerboard".split()}, key=len)[::-1]
_PATTERN = rf"(?:{'|'.join(_PATTERNS)})"
_PAPER = rf"(?:{_PATTERN},? )*{_COLOUR}(?: and {_COLOUR})?(?:,? {_PATTERN})*"
_MADE = r"(?:drawn|sketched|rendered|illustrated)"
_TECHNIQUE = "|".join(sorted(lexicon.KNOWN_STYLES | lexicon.STYLE_HEADS, key=len)[::-1])
_STYLED = rf"(?=\s*(?:{_MADE} |in (?:[\w-]+ )?(?:{_TECHNIQUE})\b))"
"""Before "drawn in ink", "in outline style": the words before are complete."""
_DRAW = (
    r"(?:draw|show|depict|includ|add|put|plac|us|generat|creat|featur|display|render|paint|hav|contain|insert|"
    r"portray|produc)(?:ing|e|es|s|ed|)"
)
_MANY = rf"(?!(?:one|an?|1|0|no|zero)\b){_NUMBER}"
_HOLDS_NOTHING = "|".join(
    sorted(
        {*numbers.COLLECTIVE, *lexicon.MEDIA, *nouns.FRAME, *"total number count sum kind type sort lot".split()}
        | set("left right top bottom front back side middle center centre ahead inside outside".split())
    )
)
_SINGULAR = r"([a-z]+[^s\W])"
_BY = r"(and|or|near|by|with|beside|next to|behind|above|below|under|over|on|opposite|alongside|in front of)"
_ALSO = r"(?:,|;|\.|:| and| while| but| whereas)*"
_SIDE = r"(left|right|top|bottom|upper|lower)"

_POLITE = (
    (r"^\s*(?:hi|hello|hey|good (?:morning|evening|day))(?: there)?\s*[,.!]+\s*", ""),
    (r"[,.;!]?\s*\b(?:many |much )?(?:thanks|thank you|thx)(?: (?:so|very) much| a lot| in advance)?[\s.!]*\Z", "."),
    (r"\b(?:looking|searching|hoping|asking|wishing) for\b", "see"),
    (r"\b(?:please )?(?:make|be|making) sure (?:that |to )?|\bensure (?:that )?|\bbe careful to ", ""),
    (r"\b(?:make sure|be careful|try) not to\b|\bnot to (?=have|include|show|draw|add)", "do not "),
    (r"\bset (?=on |against |upon |over |in front of |before )", ""),
    (r"\b(?:in|on|at) which\b|\bwherein\b", "where"),
    (r"^\s*(?:first|firstly),? (?=an? |the |one )", ""),
    (r"\blow poly\b", "low-poly"),
    (r"\b(?:definitely|certainly|absolutely|surely|obviously|clearly|of course) (?=not?\b)", ""),
    (r"\bnot (?:want|wish|like|need|care) to (?=see|have|find|include|show)", "not "),
    (r"\b(left|right|top|bottom|side|front|back) of that (?=[a-z])", r"\1 of the "),
)
_COUNTS = (
    (rf"\b({_NUMBER_WORD}) +\(?\d{{1,3}}\)?(?= +[a-z])", r"\1"),
    (r"\b(?:no more and no less|neither more nor less|no more nor less|not more and not less) than ", ""),
    (r",? (?:no|neither) more(?:,| and| nor| or)* (?:no )?(?:less|fewer)\b(?! than)", ""),
    (r"\bas many as ", ""),
    (rf"\b({_NUMBER}),? (?:yes|indeed|exactly|precisely|just|repeat),? \1,? (?=[a-z])", r"\1 "),
    (rf"\b(an? (?:{_WORD} ){{0,2}}?)(?!(?:{_HOLDS_NOTHING})\b)({_WORD}) of (?={_MANY} {_WORD})", r"\1\2 with "),
    (rf"\b(?:an? |the )?(?:counts?|totals?|number|quantity|sum) of (?={_NUMBER}\b)", ""),
    (rf"\bcount(?:ing)? (?:up |along |from one )?to {_NUMBER}(?: (?:with|using|in) {_NOUN})?\s*[:;,.]", ""),
    (rf"\b({_NUMBER}) of (?:my|our|your|his|her|its|their) (?:[a-z]+(?:'s|s') )?(?=[a-z])", r"\1 "),
    (
        rf"\b({_NUMBER}) ({_NOUN}),? each (?:of (?:them|which) )?"
        rf"(?:with|has|having|holding|carrying|riding|beside|next to) "
        rf"(?:an?|one|(?:his|her|its|their) own) (?:single )?((?:{_WORD} ){{0,2}}?){_SINGULAR}{_END}",
        r"\1 \2 and \1 \3\4s",
    ),
    (rf"\b(?:no|not) (?:fewer|less|more) than (?={_NUMBER}\b)", ""),
    (rf"\bnot {_NUMBER} but (?={_NUMBER}\b)", ""),
    (rf"(?<=\w),? (?:and |but )?not {_NUMBER}(?: or {_NUMBER})?{_END}", ""),
    (r"\bnot only ", ""),
    (rf"\bhow many {_NOUN}(?: there (?:is|are|should be|must be))", ""),
    (r"\bnothing (?:else )?(?:but|except|other than) ", "only "),
    (rf"\b({_NUMBER}|dozen) or so\b", r"\1"),
    (r",? to be (?:exact|precise)\b", ""),
    (rf"\b({_NUMBER}) (?:copies|units|pcs|pc|specimens|examples|instances) of (?:the (?:same )?|an? )?", r"\1 "),
    (rf"\bthe (?:number|count|amount|quantity) of ({_NOUN}) (?:is|equals|should be|must be) ({_NUMBER})\b", r"\2 \1"),
    (rf"\b(?:an?|one) ({_NOUN}) and (?:another|a second|a further|one more)(?: one)?{_END}", r"two \1"),
    (rf"\b({_NUMBER}) ({_NOUN}),? and (?:then )?({_NUMBER}|another) more{_END}", r"\1 \2 and \3 more \2"),
    (r"\ba (?:second|third|fourth|fifth|further) (?=[a-z])", "another "),
    (rf"\bboth (?=(?:{_ONE}|{_NUMBER}) {_NOUN} and |(?:an?|{_NUMBER}) )", ""),
)
_COLOURS = (
    (r"\b(?:happens?|needs?|(?:is|are) (?:supposed|meant|going)) to be\b", "is"),
    (rf"\b(?:give )?(the {_NOUN}) an? ({_COLOUR}) {_TINT}\b", r"\1 is \2"),
    (rf"\b({_NOUN}) ?\((?:it is |which is |in |that is )?({_COLOUR})\)", r"\1 that is \2"),
    (rf"\b({_NOUN}) ?[=:] ?({_COLOUR}){_END}", r"\1 that is \2"),
    (rf"(^\s*|[,;.] |\band |\bwhile )({_COLOUR}) is (?!the colou?r)({_ONE} {_NOUN}){_END}", r"\1\3 is \2"),
    (
        rf"\b(an? {_NOUN}), ({_COLOUR})(?=\s*(?:$|[.;])|,? (?:and|with|next to|beside) (?:an?|the|one)\b)",
        r"\1 that is \2",
    ),
    (rf"\b(?:colou?r|paint|make|keep) (the {_NOUN}) ({_COLOUR}){_END}", r"\1 is \2"),
    (rf"\b({_ONE} {_COLOUR}) ({_NOUN}) ((?:\w+ ){{1,5}}?an?) ({_COLOUR}) one\b", r"\1 \2 \3 \4 \2"),
    (rf",? with (the {_NOUN}) being\b", r", \1 is"),
    (rf"\b(the {_NOUN}) being ({_COLOUR})\b", r"\1 is \2"),
    (rf"\ball-({_COLOUR})\b", r"\1"),
    (
        rf"\b(?:one|an?) ({_WORD}) {_BE} ({_COLOUR}){_ALSO} the other (?:\1|one)? ?{_BE} ({_COLOUR}){_END}",
        r"one \2 \1 and one \3 \1",
    ),
    (rf"(?<=[a-z]) of an? (?!(?:{_THINGS_TOO})\b)({_COLOUR}){_END}", r" that is \1"),
    (
        rf"\b(an? (?:{_WORD} ){{1,3}}?)({_WORD}) {_BY} (an? (?:{_WORD} ){{1,3}})one{_END}",
        r"\1\2 \3 \4\2",
    ),
    (rf"\b({_COLOUR})[ -](?:tinted|dyed|painted|toned|hued)\b", r"\1"),
    (rf"\bthe colou?r of ({_ONE} {_NOUN}) (?:is|should be|must be) ({_COLOUR})\b", r"\1 is \2"),
    (rf"\b({_COLOUR}) is the colou?r of ({_ONE} {_NOUN}){_END}", r"\2 is \1"),
    (rf"\b({_ONE} {_NOUN})'s colou?r (?:is|should be|must be) ({_COLOUR})\b", r"\1 is \2"),
    (rf"\b(?:the colou?r of which|whose colou?r) {_BE} ({_COLOUR})\b", r"that is \1"),
    (rf"\b({_BE}) (?:of )?(?:an? |the )?(?:colou?r )?({_COLOUR}) (?:in )?{_TINT}\b", r"\1 \2"),
    (rf"\b({_BE}) (?:of the colou?r|in|in colou?r) ({_COLOUR}){_END}", r"\1 \2"),
    (rf"\b(?:has|have|had|carries|takes) (?:an? |the )?({_COLOUR}) {_TINT}\b", r"is \1"),
    (rf"\bhaving (?:an? |the )?({_COLOUR}) {_TINT}\b", r"that is \1"),
    (rf"\b(?:has|have|having|had) (?:an? |the )?{_TINT} (?:of )?({_COLOUR})\b", r"is \1"),
    (rf"\b(?:in|of|with)(?: an?| the| its)?(?: \w+)? ({_COLOUR}) {_TINT}\b", r"that is \1"),
    (rf"\b(?:in|of|with)(?: an?| the)? {_TINT}(?: of)? ({_COLOUR})\b", r"that is \1"),
    (rf"\b({_BE}) {_DYED}(?: in)? ({_COLOUR}){_END}", r"\1 \2"),
)
_RESPECTIVE = (
    (
        rf"\b({_ONE} {_NOUN}) and ({_ONE} {_NOUN}),? (?:which are |that are |are |{_DYED} |in )*(?:respectively,? )"
        rf"({_COLOUR}) and ({_COLOUR})\b",
        r"\1 that is \3 and \2 that is \4",
    ),
    (
        rf"\b({_ONE} {_NOUN}) and ({_ONE} {_NOUN}),? (?:which are |that are |are |{_DYED} |in )*({_COLOUR}) and "
        rf"({_COLOUR}),? respectively\b",
        r"\1 that is \3 and \2 that is \4",
    ),
    (
        rf"\b({_ONE} {_NOUN}) and ({_ONE} {_NOUN}){_ALSO} (?:where |with )?the (?:former|first)(?: one)? "
        rf"(?:{_BE} |in )?"
        rf"({_COLOUR}){_ALSO} the (?:latter|second|other)(?: one)? (?:{_BE} |in )?({_COLOUR})\b",
        r"\1 that is \3 and \2 that is \4",
    ),
    (
        rf"\b(?:two|2|a pair of|a couple of|twin) ({_NOUN}){_ALSO} (?:with )?"
        rf"(?:the first one|the first|the one|one|an?)(?: of (?:them|which))?"
        rf"(?: {_WORD}(?= is| being))? ?(?:{_BE} |in |{_DYED} )*({_COLOUR})(?: one)?{_ALSO} "
        rf"(?:with )?(?:the second|the other|another|one|an?)(?: one)?(?: of (?:them|which))? ?(?:{_BE} |in |"
        rf"{_DYED} )*({_COLOUR})(?: one)?{_END}",
        r"one \2 \1 and one \3 \1",
    ),
    (
        rf"\b(?:two|2|a pair of|a couple of) ({_NOUN}){_ALSO} (?:with )?the {_SIDE}(?: one)? (?:{_BE} |in )"
        rf"?({_COLOUR}){_ALSO} "
        rf"(?:with )?the {_SIDE}(?: one)? (?:{_BE} |in )?({_COLOUR})\b",
        r"one \3 \1 on the \2 and one \5 \1 on the \4",
    ),
    (
        rf"\b(?:two|2|a pair of|a couple of) ({_NOUN}),? (?:in |{_DYED} )?({_COLOUR}) and ({_COLOUR}){_END}",
        r"one \2 \1 and one \3 \1",
    ),
    (
        rf"\b(?:an?|one) (?!(?:{_THINGS_TOO})\b)({_COLOUR}) and (?:an?|one) ({_COLOUR}) ({_NOUN}){_END}",
        r"one \1 \3 and one \2 \3",
    ),
    (
        rf"\b({_ONE}) ({_NOUN}) and ({_ONE}) ({_NOUN}),? (?:that are |which are |are )?(?:both|all)(?: of "
        rf"(?:them|which))?"
        rf"(?: are| being)?(?: in| {_DYED})? ({_COLOUR}){_END}",
        r"\1 \5 \2 and \3 \5 \4",
    ),
    (rf"\b({_BE}) ({_COLOUR})(,| and|;| while|, and| but) (the {_NOUN}) ({_COLOUR}){_END}", r"\1 \2\3 \4 is \5"),
)
_GROUND = (
    (
        rf"{_ALSO}(?: with| where| has| having)?(?: the| an?| its)? \b{_BACK}(?: colou?r)?(?: that| which)?"
        rf"(?: {_BE}| in| of| {_DYED}|:| =)*(?: an?)? ({_PAPER}|{_PATTERN})(?:{_END}|{_STYLED})",
        r" on a \1 background",
    ),
    (rf"\bon (?:an? |the )?{_BACK} of ({_COLOUR})\b", r"on a \1 background"),
    (rf"\bwith ({_COLOUR}) as (?:the |its |an? )?{_BACK}(?: colou?r)?\b", r"on a \1 background"),
    (rf"(?:,| and)* \bin (an? {_COLOUR} {_BACK})\b", r" on \1"),
)
_AFTERWARDS = (
    (rf"(?<!\ba )(?<!\ban )(?<!\bthe )\b{_DYED}(?: in)? ({_COLOUR})(?:{_END}|{_STYLED})", r"that is \1"),
    (rf"\bbeing ({_COLOUR}){_END}", r"that is \1"),
    (
        rf"(?<!dressed )(?<!clad )(?<!covered )(?<!wrapped )(?<!all )\bin (?!black and white)({_COLOUR})"
        rf"(?:{_END}|{_STYLED})",
        r"that is \1",
    ),
)
_DENIALS = (
    (rf"\b({_NOUN}) ?\? (?:not (?:a single )?one|none|zero|nope|no)(?: at all)?\b(?! [a-z])", r"no \1"),
    (rf"\b(?:forgot|neglected|failed|refused) to {_DRAW} ", "without "),
    (
        r"\b(?:nobody|no one|no person) (?:is |are )?(?:has|have|holds?|wears?|carr(?:y|ies)|having|holding|"
        r"wearing|carrying) ",
        "without ",
    ),
    (r"\bnowhere (?:is|are) there\b|\bnowhere (?:do|can|will) (?:we|you|i) (?:see|find|spot)\b", "there is no"),
    (r"\bnone of (?:them|it|these|those|which|the \w+)(?: is| are| being)? (?=[a-z]+)", "no "),
    (r"\bwith (?:an? )?(?:\w+ )?(?:lack|absence) of\b|\b(?:an?|the) (?:\w+ )?(?:lack|absence) of\b", "without"),
    (rf"\b(?:refrain|abstain|desist) from (?:{_DRAW} )?|\b(?:steer|stay|keep) (?:clear of|away from) ", "no "),
    (rf"\b(?:keep|leave|take|cut|crop) ((?:the |any |all )?{_NOUN}) out(?: of (?:it|this|the \w+))?\b", r"no \1"),
    (r"\bless (?=the |any |all )", "without "),
    (rf"\bnothing (?:with|containing|involving) (?:any )?(?={_WORD})", "no "),
    (r", ([a-z]{3,12})less(?=\s*(?:[,.;!]|$))", r", no \1"),
    (r"\b(?:keep|make|leave|have) (?:it|this|that|everything|the \w+) ([a-z]+)-free\b", r"no \1"),
    (rf"([,;.]) (?:please )?(?:hold|skip|drop|scrap|lose|ditch|forget) the (?={_NOUN}\s*(?:[,.;!]|$))", r"\1 no "),
    (r"\b(?:that|which) (?:is|are) ([a-z]+)-free\b", r"without \1"),
    (
        r"\b(?:is|are|was|were)? ?not (?:being )?(?:populated|occupied|inhabited|decorated|filled) (?:by|with)\b",
        "without",
    ),
    (r"\b(?:is|are|was|were) not (?:showing|having|containing|including|featuring|displaying)\b", "without"),
    (r"\bnot (?:showing|having|containing|including|featuring|displaying|depicting)\b", "without"),
    (r"\b(?:has |have |had )?never (?:seen|had|known|contained|held|included|owned) ", "without "),
)
_PLACES = (
    (r"\b(?:one's|your|my|our) (?=(?:left|right)\b)", "the "),
    (rf"\bthe far {_SIDE}(?: object| item| thing| one| element| figure)? (?=is\b|being\b)", r"on the \1 "),
    (r"\bthe (?:highest|topmost)(?: object| item| thing| one)? (?=is\b)", "at the top "),
    (r"\bthe lowest(?: object| item| thing| one)? (?=is\b)", "at the bottom "),
    (r"\blook(?:ing)? (?:to the )?(left|right) for\b", r"on the \1 is"),
    (r"\bfollowed on the (left|right) by\b", r"and to its \1"),
    (r"\bsupports (?=an? |the |one )", "is supporting "),
    (
        rf"\bbetween ({_ONE} {_NOUN}) (?:on|to) the left and ({_ONE} {_NOUN}) (?:on|to) the right\b",
        r"between \1 and \2",
    ),
    (
        rf"\bbetween ({_ONE} {_NOUN}) (?:on|to) the right and ({_ONE} {_NOUN}) (?:on|to) the left\b",
        r"between \2 and \1",
    ),
    (
        rf"\b(above|below|over|under|beneath|near|behind|beside|next to|in front of|of) both(?: of them)?{_END}",
        r"\1 them",
    ),
    (r"\b(?:is |being )?(?:supported|held up|carried) by\b", "is on top of"),
)
_TABLE = tuple(
    (re.compile(pattern, re.I), replacement)
    for part in (_POLITE, _COUNTS, _GROUND, _COLOURS, _RESPECTIVE, _AFTERWARDS, _DENIALS, _PLACES)
    for pattern, replacement in part
)
_QUOTED = re.compile(r'("[^"\n]{1,200}")')


@lru_cache(maxsize=8)
def simplify(text: str) -> str:
    """``text`` in plainer words, quotations untouched; text without such wordings comes back as it is."""
    return "".join(part if k % 2 else _rewritten(part) for k, part in enumerate(_QUOTED.split(text)))


def _rewritten(part: str) -> str:
    for pattern, replacement in _TABLE:
        part = pattern.sub(replacement, part)
    return part
