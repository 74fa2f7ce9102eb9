"""The shapes of sayings that change a picture, as patterns over their plain form; ``changes`` reads what they match.

Groups: ``t`` the thing meant, ``c`` a colour, ``n`` a new thing, ``s``, ``w``, ``too`` a size, ``way``, ``place``,
``rel`` and ``u`` (the other thing) for a move.
"""

from __future__ import annotations

import re

from imagewright.agents.conversation.change_words import (
    AMOUNT,
    BETTER,
    CORNER,
    MOVE_VERB,
    PLACE,
    RELATION,
    SIZE_CHANGE,
    WAY,
)
from imagewright.agents.reading import lexicon

MAKE = r"(?:make|paint|colou?r|turn|change|have|let|set|draw|get(?! rid)|i want|i'd like|i would like|render)"
_SHADE = r"(?:(?:dark|light|bright|pale|deep|hot|sky|navy|lime) )?"
COLOUR = rf"(?P<c>{_SHADE}(?:{'|'.join(sorted(lexicon.KNOWN_COLOURS - {'rainbow-'}, key=len, reverse=True))}))"
_PATTERN = rf"(?:{'|'.join(sorted(lexicon.KNOWN_PATTERNS | {'plain', 'solid'}, key=len, reverse=True))})"
PAPER = COLOUR.replace("(?P<c>", rf"(?P<c>(?:{_PATTERN} )*", 1).removesuffix(")") + rf"(?: {_PATTERN})*|{_PATTERN})"
"""The colour of a background with its pattern, in either order, or the pattern alone."""
GROUND = r"(?:the )?(?:background|backdrop|sky|ground)"
NEW = r"(?:an?|one|two|three|four|five|six|\d+|another|some|a few|more|several) .+"

RECOLOUR = (
    rf"{MAKE} (?P<t>.+?) (?:to be |to |into |in |be |all )?(?:a )?(?:more )?{COLOUR}(?: colou?r| instead)?",
    rf"(?:change|set|turn) (?:the )?colou?r of (?P<t>.+?) (?:to|into) {COLOUR}",
    rf"(?:change|set|turn) (?P<t>.+?)(?:'s)? colou?r (?:to|into) {COLOUR}",
    rf"(?P<t>.+?) (?:should|must|ought to|needs to|has to|could) be {COLOUR}(?: instead)?",
    rf"(?P<t>(?:the|all|both|every|it|this|that|left|right|\w+ one).*?) (?:is |are |in |to )?{COLOUR}(?: instead)?",
    rf"(?:give (?P<t>.+?) (?:a )?{COLOUR} colou?r)",
    rf"(?:in |all |all in )?{COLOUR}(?: instead)?",
    rf"(?:a )?{COLOUR} (?P<t>[\w -]+?) instead(?: of .+)?",
    rf"(?:could|can|would|should|may) (?P<t>.+?) be {COLOUR}",
    rf"(?P<t>(?!in\b|all\b|with\b|to\b)[\w-]+):? (?:in )?{COLOUR}",
)
BACKGROUND_CHANGE = (
    rf"(?:{MAKE} )?{GROUND} (?:to |into |in |be |should be |is )?(?:a )?{PAPER}(?: instead)?",
    rf"(?:(?:with|on|use|make it|put it on|change to|try|against) )?(?:an? |the )?{PAPER} (?:background|"
    rf"backdrop)(?: instead)?",
    rf"(?:change|set|turn) (?:the )?colou?r of {GROUND} (?:to|into) {PAPER}",
)
REMOVE = (
    r"(?:without|remove|delete|erase|drop|lose|hide|omit|scrap|cut|minus|get rid of|leave out|kill|no more|take away|"
    r"take out|take off|throw out|do away with) (?P<t>.+?)(?: (?:please|altogether|entirely|completely|from (?:it|"
    r"the (?:picture|image|background|scene|photo|drawing))))?",
    r"no (?P<t>.+)",
    r"take (?P<t>.+?) (?:away|out|off)(?: of (?:it|the picture|the image))?",
    r"(?P<t>(?:the|both|all|that|this|everything|anything) .+?) (?:should|must|has to|have to|can|needs to) "
    r"(?:go|disappear|vanish|be (?:removed|gone|deleted))(?: away)?",
    r"(?P<t>the .+?) (?:away|out|gone)",
    r"i (?:really )?(?:(?:don't|do not|dont) (?:want|need|like)|hate|dislike) (?P<t>(?:the|that|those|these|this) .+)",
    r"i (?:don't|do not|dont) want (?:an?|any) (?P<t>.+)",
    r"(?P<t>one) (?:fewer|less) (?P<n>.+)",
    r"(?P<t>one) (?P<n>.+) (?:fewer|less)",
    r"leave (?P<t>.+?) out(?: of (?:it|the picture))?",
    r"there (?:should|must) (?:be no|not be (?:any|an?)) (?P<t>.+)",
)
REPLACE = (
    r"instead of (?P<t>(?:an?|the) .+?),? (?:i want|i'd like|draw|put|use|make|have) (?P<n>an? .+)",
    r"(?:replace|swap|exchange|substitute|switch) (?P<t>.+?) (?:with|by|for) (?P<n>.+)",
    rf"(?:turn|change|transform|convert|make) (?P<t>.+?) (?:into|to|to be|be) (?P<n>{NEW})",
    r"make (?P<t>(?:the|that|this|it|both|all|each|left|right)\b.*?) (?P<n>an? .+)",
    r"(?P<n>an? .+?|.+?) (?:instead of|rather than|in place of) (?P<t>.+)",
    r"instead of (?P<t>.+?),? (?:(?:draw|put|use|make|have|with|i want) )?(?P<n>.+)",
    r"(?P<t>(?:the|that|this|it) ?.*?) (?:should|must|could) be (?P<n>an? .+?)(?: instead)?",
    r"(?P<n>an? .+?) instead",
    r"(?:change|turn|transform|convert) (?P<t>[\w ]+?) (?:in)?to (?P<n>[a-z][\w -]*)",
    r"(?:change|replace|swap) (?P<t>(?:the |my )?[\w ]+?) (?:for|with) (?P<n>[a-z][\w -]*)",
)
ADD = (
    rf"(?:and |also )?(?:add|put|place|include|insert|bring in|throw in)(?: in)?(?: also)? (?P<n>{NEW})",
    rf"(?:(?:and|but|only|same|now) )?(?:with|plus|and also|also|there should (?:also )?be|there is|let there be|"
    rf"i'd like) (?P<n>{NEW})",
    rf"(?:and )?(?P<n>{NEW}?) (?:too|as well|in addition)",
    r"(?:(?:draw|give (?:me|it|us)|show|i want|i need|i'd like|get|have) )?(?P<n>(?:another|one more|two more|"
    r"three more|\d more|more|an extra|one extra|an additional|a few more|a second|a third) .+)",
    r"add (?P<n>\w[\w -]*)",
    rf"(?P<n>(?:an?|one|two|three|another) [\w -]+? (?:{RELATION}) (?:it|them|that|this))",
)
RESIZE = (
    rf"(?:make|scale|blow|let|have|draw|get|grow|turn|i want) (?P<t>.+?) (?:be |become |up |down )?{SIZE_CHANGE}",
    rf"(?:a |the |one )?(?:{AMOUNT} )?(?P<w>{BETTER}) (?P<t>.+)",
    r"(?P<w>enlarge|shrink|grow|scale up|scale down|blow up|magnify|reduce|expand|double|halve|triple)(?: the "
    r"size of)? (?P<t>.+?)(?: (?:a bit|a little|a lot|slightly|by half|by a third|in size))*",
    r"(?P<t>.+?) (?:is|are|looks?|seems?) (?:much |a bit |a little |far |way )?(?P<too>too (?:small|little|tiny|"
    r"big|large|huge))",
    r"(?P<t>(?:the|it|this|that|both|all|them|left|right)\b.*?) (?:should be |must be |could be |is |to be )?"
    rf"{SIZE_CHANGE}",
    rf"{SIZE_CHANGE}",
    r"(?P<w>double|halve|triple) (?P<t>.+?)(?:'s)? size",
    rf"(?P<t>[\w-]+):? {SIZE_CHANGE}",
    rf"(?P<t>(?:the|both|all) .+?) (?:could|should|must|can) be {SIZE_CHANGE}",
)
MOVE = (
    rf"(?:{MOVE_VERB}) (?P<t>.+?) (?:to|into|in|at|on|towards?) (?:the )?"
    rf"(?P<place>(?:very )?{CORNER}(?: of .+)?)",
    r"(?P<t>(?:the|it|this|that|both|all|them)\b.*?) (?:should (?:be|go) |must (?:be|go) |goes? |is )?"
    rf"(?:to|into|in|at) (?:the )?(?P<place>{CORNER})",
    rf"(?:{MOVE_VERB}) (?P<t>.+?) (?:{AMOUNT} )?(?:further |more |over |off |all the way )?(?:to |towards? |into |"
    rf"in |at |on |onto )?(?:the )?(?P<way>{WAY})(?: {AMOUNT})?",
    rf"(?:{MOVE_VERB}|draw|have|i want|get) (?P<t>.+?) (?:right |all the way |closer |nearer )?(?:to|into|in|at|"
    rf"on|onto|towards?|"
    rf"near) (?:the )?(?:very |far )?(?P<place>{PLACE})",
    rf"(?:{MOVE_VERB}|draw|have|i want|get) (?P<t>.+?) (?P<rel>{RELATION}) (?P<u>.+)",
    rf"(?P<verb>raise|lift|lower|sink|drop down) (?P<t>.+?)(?: {AMOUNT}| up| down)*",
    rf"(?P<t>(?:the|it|this|that|both|all|them|left|right)\b.*?) (?:should (?:be|go|move) |must (?:be|go) |goes? |"
    rf"is )?(?:{AMOUNT} )?(?:further |more )?(?:to the |in the |on the |at the |towards the )?(?P<way>{WAY})(?: "
    rf"{AMOUNT})?",
    rf"(?P<t>(?:the|it|this|that|both|all|them)\b.*?) (?:should (?:be|go) |must (?:be|go) |goes? |is )?(?:to|in|"
    rf"at|into|on) (?:the )?(?P<place>{PLACE})",
    rf"(?P<t>(?:the|it|this|that)\b.+?) (?:should (?:be|go|stand|sit) |must (?:be|go) |goes? "
    rf")?(?P<rel>{RELATION}) (?P<u>the .+)",
    r"(?P<t>.+?) (?:is|are) too (?:far )?(?:to the )?(?P<too>left|right|high|low|far up|far down)",
    rf"(?:{AMOUNT} )?(?:further |more )?(?:to the )?(?P<way>left|right|up|down|higher|lower|upwards?|downwards?|"
    rf"leftwards?|rightwards?)(?: {AMOUNT})?",
)
SWAP = (
    r"(?P<t>(?:the |let the )?.+?) and (?P<u>.+?) (?:should |must |could )?(?:trade|swap|switch|exchange|change) "
    r"(?:their )?"
    r"(?:places|positions|sides)",
    r"(?:swap|switch|exchange)(?: the)?(?: (?:places|positions) of)? (?P<t>.+?) (?:and|with) (?P<u>.+?)(?:'s "
    r"places)?(?: around| over)?",
)
DARKER = (
    rf"{MAKE} (?P<t>(?!it\b|this\b|everything\b|the (?:picture|image|scene|whole)\b).+?) (?:{AMOUNT} |even |"
    rf")(?P<d>darker|lighter|brighter|paler)(?: {AMOUNT})?"
)
MOOD = (
    rf"(?:{MAKE} (?:it|this|that|everything|the (?:whole )?(?:picture|image|scene)) )?(?:look )?(?:{AMOUNT} |even "
    rf"|)(?:be )?"
    r"(?P<m>darker|brighter|lighter|warmer|cooler|moodier|softer|more colou?rful|more vivid|more vibrant|more contrast|"
    r"less contrast|more saturated|less saturated|more saturation|more dramatic)(?: please)?",
    r"(?:add|give it|i want|with|use) (?P<m>more contrast|less contrast|more saturation|more colou?r|warmer "
    r"colou?rs|more light)",
)
SAME = re.compile(
    r"(?:(?:exactly )?the same(?: (?:picture|image|scene|one|thing|again))?|same(?: (?:picture|image|scene|one|"
    r"thing|again|seed|layout|prompt))*|(?:keep|with|use) the same (?:seed|layout|picture|everything)|"
    r"(?:just )?(?:as|like) (?:before|it was|this|that)|keep (?:everything|it|all|the rest)(?: (?:as it is|the "
    r"same|else))?|everything (?:else )?the same|this one|this picture|the same seed)"
    r"(?:,? (?:and|but|just|only|except|only that|except that|with the difference that)|,|:| -) ?|^(?:same|the "
    r"same)(?: (?:picture|image|scene|one|thing))? (?=with|without|at|in|on|but)|^same seed (?=with|without|at|in|"
    r"on|but)"
)
STAYS = (
    r"(?:the |all |both )?[\w' -]+ (?:stays?|remains?)(?: (?:put|there|unchanged|the same|(?:where|as|how) (?:it|they) "
    r"(?:is|are)))?",
    r"(?:keep|leave) (?:the |all |both )?[\w' -]+ (?:alone|(?:where|as|how) (?:it|they) (?:is|are))",
)
"""What edits do anyway."""
