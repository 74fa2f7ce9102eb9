"""How people type when they chat, put into the words that the patterns read: "can u", "pls", "stick a bird there"."""

from __future__ import annotations

import re

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
        (r"^(an? [a-z -]+?),? (?:and )?not an? ([a-z ]+)$", r"replace the \2 with \1"),
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
    )
)  # fmt: skip
_MIND = re.compile(r"^(?:would|do) you mind (\w+)\b")


def plain_words(said: str) -> str:
    """``said``, in lower case, in the words that the rules know; anything else comes back as it is."""
    said = _MIND.sub(lambda hit: _GIVING.get(hit[1], hit[1]), said)
    for pattern, replacement in _TABLE:
        said = pattern.sub(replacement, said)
    return said.strip(" ,")
