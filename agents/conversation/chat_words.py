"""How people type when they chat, put into the words that the patterns read: "can u", "pls", "stick a bird there"."""

from __future__ import annotations

import re
from collections.abc import Callable

from imagewright.agents.reading.lexicon import KNOWN_COLOURS

_VERBS = ("give", "make", "take", "put", "move", "add", "remove", "swap", "change", "turn", "draw")
_GIVING = {f"{verb.removesuffix('e')}ing": verb for verb in _VERBS} | {"putting": "put", "swapping": "swap"}
_COLOURS = "|".join(sorted(KNOWN_COLOURS, key=len)[::-1])
_SHADE = rf"(?:(?:dark|light|bright|pale|deep) )?(?:{_COLOURS})"
_NEW = r"(?:an?|one|two|three|some|a few|more) .+?"
_WHOLE = r"(?:it|this|the (?:whole )?(?:picture|image|scene|sky|background|drawing|thing))"
_BESIDE = r"(?:above|over|below|under|next to|beside|near|behind|in front of)"
_NEEDS = r"(?:needs|could use|could do with)"
_SCENE = r"(?:move|transfer|shift|set|put) (?:the )?(?:scene|setting|whole thing|everything)(?: from .+?)? (?:to|into)"
_WHERE = (
    r"left|right|above|below|under|over|behind|beside|near|next|between|inside|up|down|higher|lower|bigger|smaller|larger|"
    r"taller|closer|further|apart|together|away|gone|darker|lighter|brighter"
)
_TONE = r"dark|dim|bright|light|pale|dull|warm|cold|cool|saturated"
_BACK = {"dark": "brighter", "dim": "brighter", "bright": "darker", "light": "darker", "pale": "more saturated",
         "dull": "more colourful", "warm": "cooler", "cold": "warmer", "cool": "warmer",
         "saturated": "less saturated"}  # fmt: skip
_ON = {"dark": "darker", "dim": "darker", "bright": "brighter", "light": "lighter", "pale": "less saturated",
       "dull": "less saturated", "warm": "warmer", "cold": "cooler", "cool": "cooler",
       "saturated": "more saturated"}  # fmt: skip
_FAR = r"(?:still )?(?:a bit |a little |way |far |much )?"


def _toned(hit: re.Match[str], first: int = 1) -> str:
    """The tone that mends "too dark" (the first group) or "not bright enough" (the second)."""
    return _BACK[hit[first]] if hit[first] else _ON[hit[first + 1]]


def _them(who: str) -> str:
    return "them" if who == "they" else who


_Replacement = str | Callable[[re.Match[str]], str]
_ROWS: tuple[tuple[str, _Replacement], ...] = (        (r"\bu\b", "you"),
        (r"\b(?:pls|plz|plss|pleas)\b", "please"),
        (r"\b(?:thx|tnx|ty)\b", "thanks"),
        (r"\b(that|it|what)s\b(?= (?:an? |the |so |very |really |lovely|great|good|nice|perfect|ugly|bad))", r"\1's"),
        (r"^id (?=like|love|want|prefer)", "i'd "),
        (r"^(?:aw+|ugh+|ooh*|wow|lol|haha|yay|meh|hm+)[,!.]*\s+", ""),
        (r"^(?:forget|scrap|drop) (?:that|it|this)(?: one)?[,.;]? (?=draw |paint |make me |show me )", ""),
        (r"^from now on,? ", ""),
        (r"^i'd like (?=(?:\w+ more|another|an? |some |two |three |four )\b)", "add "),
        (r"^(?:what|how) about (?=(?:an? )?(?:[a-z]+ )+background|the |it |them |in |with |without )", ""),
        (r"^(?:what|how) about (\w+ing) ", lambda hit: f"{_GIVING.get(hit[1], hit[1])} "),
        (r"^(?:what|how) about (?=(?:an?|another|some|one|two|three) )", "add "),
        (r"(^|\band )(?:stick|pop|chuck|plonk|slap|throw in|pop in|stick in) (?=an?\b|another\b|some\b|one\b|two\b)"
         r"(?!\w+ of )",
         r"\1add "),
        (r"(^|\band )(?:loose|lose|ditch|bin|nuke) (?=the\b|that\b|this\b|those\b|these\b|both\b|all\b)", r"\1remove "),
        (r"^(swap|switch) (them|those|these|the two) (?:round|around|over)\b", r"\1 \2"),
        (r"^(an? [a-z -]+?),? (?:and )?not an? ([a-z ]+)$", r"replace the \2 with \1"),
        (r"^(?:nvm|nm|nevermind)$", "never mind"),
        (r"^(.+?),? (?:this time|for now|for once|any ?more|now)$", r"\1"),
        (rf"^(?:try|let'?s try|let'?s (?:go|do) with) (?=(?:it )?(?:in )?{_SHADE}$)", ""),
        (r"^can (the .+?) have ", r"give \1 "),
        (r"^(?:draw|make|show|give) (?:it|this|that|the same)(?: again| once more| over| anew)+$", "again"),
        (r"^(?:the )?same(?: thing| picture| one)? (?:again|once more)$", "again"),
        (r"^there are (?:two|three|four|five|six|\d) ([a-z ]+?)[,;.]? (?:but )?i (?:only )?"
         r"(?:wanted|asked for|said|want) (one|two|three|four|five|six|\d)(?: of them)?$", r"only \2 \1"),
        (r"^(?:there are )?(?:way |far )?too many ([a-z ]+)$", r"fewer \1"),
        (r"^(add .+?) (?:to|in|on|into) the sky$", r"\1 at the top"),
        (r"^(?:draw|paint) ((?:an?|some|two|three|a few) .+? (?:above|below|behind|beside|underneath|on top))$",
         r"add \1"),
        (r"^(?:and |but |so )?(?:what if|suppose|imagine) (.+?) (?:were|was|is|are) (.+)$", r"\1 should be \2"),
        (r"^(?:i want|i need|i'd like|i'd prefer|can (?:we|i) have) (?:to have )?"
         rf"(?=(?:the|it|them|both|all|everything)\b.*\b(?:on|to|in|at|into|{_WHERE}|{_COLOURS})\b)", ""),
        (r"^i (?:meant|said|wanted|asked for) (an? [a-z -]+?),? (?:and )?not (?:an?|the) ([a-z ]+)$",
         r"replace the \2 with \1"),
        (r"^(?:i want|i need|i'd like|we need) ((?:an?|another|some|two|three) .+?) "
         r"(?:too|as well|also|in it|in there)$", r"add \1"),
        (r"^(?:let )?(?:the )?([a-z ]+?) and (?:the )?([a-z ]+?) (?:should )?(?:swap|switch|trade)"
         r"(?: places| positions)?$", r"swap the \1 and the \2"),
        (r"^only (the .+?)(?:,| and) nothing else$", r"keep only \1"),
        (rf"^(?:an? |the )?({_SHADE}) (?:sky|backdrop|background) instead(?: of .+)?$", r"a \1 background"),
        (r"^(?:space|spread|set|lay) (them|these|those|all of them|everything) (?:out )?(?:evenly )?(?:in|into) a "
         r"(line|row|column)$", r"put \1 in a \2"),
        (r"^(?:i think |maybe )?(an? [a-z -]+?) (?:would|might) (?:be|look|work) (?:much |way |a lot )?(?:better|nicer)"
         r"(?: here)?$", r"\1 instead"),
        # a file, another picture, steps back
        (r"^(?:(?:can|could|may) i (?:get|have)|give me|i need|i want|export|get me|download|save) "
         r"(?:it|this|that|the (?:picture|image))(?: saved)? (?:as|in) (?:an? )?\.?(png|jpe?g|webp)(?: file| format)?"
         r"\??$",
         r"save as picture.\1"),
        (r"^(?:show|give|open|display|let me see)(?: me)? ((?:the )?(?:first|second|third|fourth|fifth|last|previous|"
         r"original) (?:one|picture|image|version)|(?:picture|image|number|version) \d+)(?: again| once more)?$",
         r"go back to \1"),
        (r"^(?:go )?(two|three|four|five|\d) (?:steps?|pictures?|turns?|changes) back$", r"go back \1 steps"),
        (r"^(?:undo|revert|take back) (?:the )?last (two|three|four|five|\d) (?:changes|edits|steps|turns|things)$",
         r"undo \1 steps"),
        # too much of it, too near, the size of it
        (rf"^{_WHOLE}(?:'s| is| looks?| seems?) (?:still )?(?:a bit |a little |way |far |much )?(?:too ({_TONE})|"
         rf"not ({_TONE}) enough)$", lambda hit: f"make it {_toned(hit)}"),
        (rf"^(the [a-z ]+?) (?:is|are|looks?) (?:still )?(?:a bit |a little |way |far |much )?(?:too ({_TONE})|"
         rf"not ({_TONE}) enough)$", lambda hit: f"make {hit[1]} {_toned(hit, 2)}"),
        (rf"^(the .+?) (?:is|are|looks?|seems?|stands?) {_FAR}too close to (the .+)$", r"move \1 and \2 further apart"),
        (rf"^(the .+?) (?:is|are|looks?|seems?|stands?) {_FAR}too far (?:away )?from (the .+)$",
         r"move \1 and \2 closer together"),
        (rf"^(they|the .+?)(?:'re| are) {_FAR}too close(?: together| to (?:each|one an)other)?$",
         lambda hit: f"move {_them(hit[1])} further apart"),
        (rf"^(they|the .+?)(?:'re| are) {_FAR}too far apart$", lambda hit: f"move {_them(hit[1])} closer together"),
        (r"^(half|twice|double|two times|three times) (?:the|its|their) size (?:for|of) (.+)$",
         r"make \2 \1 the size"),
        # what something needs
        (r"\b(?:needs?|ought|has|have) to (be|go|move)\b", r"should \1"),
        (rf"^{_WHOLE} (?:needs|could use|could do with|wants|is missing) (?={_NEW}$)", "add "),
        (rf"^the ([a-z ]+?) {_NEEDS} ({_NEW}) ({_BESIDE}) (?:it|them)$", r"add \2 \3 the \1"),
        (rf"^the ([a-z ]+?) {_NEEDS} ({_NEW}) (?:on|on top of) (?:it|them)$", r"add \2 on top of the \1"),
        (rf"^the ([a-z ]+?) {_NEEDS} ({_NEW}) (?:around|by|close to) (?:it|them)$", r"add \2 near the \1"),
        (rf"^the ([a-z ]+?) {_NEEDS} (?={_NEW}$)", r"give the \1 "),
        # how it would look better
        (rf"^(?:i think |i guess |i feel |maybe )?(the .+?) (?:looks?|would look|would be|might be|might look|is) "
         rf"(?:much |way |far |a lot )?(?:better|nicer|prettier|cooler) (?:in|as|if it (?:was|were)) ({_SHADE})"
         r"(?:,? i (?:think|guess|feel))?(?:[,;.]? (?:so )?(?:please )?(?:change|do) (?:it|that))?(?: please)?$",
         r"make \1 \2"),
        (r"^(.+?) should(?:n't| not) be .+? but (?:rather )?(.+)$", r"\1 should be \2"),
        # from one thing to another
        (r"^((?:change|turn|switch|make|set) .+?) from [\w ]+? (to|into) (.+)$", r"\1 \2 \3"),
        (r"^(?:go|change|switch|turn)(?: it)? from (?:an? )?[\w ]+? to (?:an? )?([\w ]+? background)$", r"\1"),
        (rf"^{_SCENE} (an? (?:beach|street|road|hill|meadow|field|lawn|rooftop|bridge|island)\b.*)$", r"put it on \1"),
        (rf"^{_SCENE} (an? .+)$", r"put it in \1"),
        # nearer, farther
        (r"^(?:(?:a )?(?:bit|little) )?(?:closer|nearer)(?: together)?$", "move them closer together"),
        (r"^(?:(?:a )?(?:bit|little) )?(?:further|farther|more) apart$", "move them further apart"),
        (r"^(?:(?:a )?(?:bit|little) )?more (?:space|room|distance|of a gap) between (.+)$", r"move \1 further apart"),
        (r"^(?:(?:a )?(?:bit|little) )?less (?:space|room|distance|of a gap) between (.+)$",
         r"move \1 closer together"),
)  # fmt: skip
_TABLE = tuple((re.compile(pattern), replacement) for pattern, replacement in _ROWS)
_MIND = re.compile(r"^(?:would|do) you mind (\w+)\b")


def plain_words(said: str) -> str:
    """``said``, in lower case, in the words that the rules know; anything else comes back as it is."""
    said = _MIND.sub(lambda hit: _GIVING.get(hit[1], hit[1]), said)
    for pattern, replacement in _TABLE:
        said = pattern.sub(replacement, said)
    return said.strip(" ,")
