"""What the person wants, by rules: a new picture, a change of one, a step back, an answer, a lasting wish."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagewright.agents.conversation.changes import read_edits, strip_same
from imagewright.agents.conversation.commands import read_impossible, read_order, read_size_order
from imagewright.agents.conversation.framing import split_list, unframe
from imagewright.agents.conversation.sayings import read_command, read_preference, read_question, simplify_saying
from imagewright.agents.conversation.small_talk import read_small_talk
from imagewright.agents.conversation.spelling import correct
from imagewright.agents.conversation.targets import Already, NotThere, Unsure, find_picture, list_boxes, names_shown
from imagewright.agents.conversation.tongues import ONLY_ENGLISH, is_foreign
from imagewright.agents.reading import nouns
from imagewright.agents.reading.function_words import PREPOSITIONS
from imagewright.agents.reading.numbers import number_word
from imagewright.agents.reading.parse import parse_prompt
from imagewright.agents.reading.words import words
from imagewright.intents import AnyIntent, CreateIntent, EditIntent, Reference, UnclearIntent
from imagewright.limits import why_unclear
from imagewright.schemas import ParsedPrompt

_OTHER_BASE = re.compile(
    r"(?:(?:like|as in|use|take|from|with|go back to) )?(?P<which>(?:the )?(?:\w+ (?:one|picture|image|version)|"
    r"(?:picture|image|number) \d+))"
    r"(?:,? (?:but|only|just|and)(?: now)?|,) (?P<rest>.+)"
)
_LONGEST = 40
"""More words than this are a prompt, not a change of a picture."""


class RulesInterpreter:
    """Reads one saying with patterns and the prompt grammar; deterministic, and needs no model."""

    def interpret(self, prompt: str, references: Sequence[Reference]) -> AnyIntent:
        """The decision; ``references`` are the thread's pictures, the present one last.

        In a conversation a saying that is surely none of the kinds is asked about; it is never drawn as its own text.
        """
        text = " ".join((split_list(prompt) if references else prompt).split())
        if reason := why_unclear(text):
            return UnclearIntent(reason=reason)
        if references and (new := _ANEW.match(text)):
            return CreateIntent(prompt=text[new.end() :], parsed=parse_prompt(text[new.end() :]))
        if references and (instead := _INSTEAD.match(text)) and _is_prompt(text[instead.end() :]):
            rest = text[instead.end() :]
            return CreateIntent(prompt=rest, parsed=parse_prompt(rest))
        said = simplify_saying(text)
        if len(said.split()) <= _LONGEST and (found := _conversational(text, said, references)):
            return found
        return (
            _created(_LEAD.sub("", text), references)
            if references
            else CreateIntent(prompt=text, parsed=parse_prompt(text))
        )


def _conversational(text: str, said: str, references: Sequence[Reference]) -> AnyIntent | None:
    """Anything but a new picture; None for that."""
    asked = text.rstrip().endswith("?")
    for form in dict.fromkeys((said, unframe(said))):
        if found := _command(form.rstrip("?! "), asked, references):
            return found
    return _changed(text, unframe(said).rstrip("?! "), references) if references else None


def _command(bare: str, asked: bool, references: Sequence[Reference]) -> AnyIntent | None:
    return (
        read_order(bare, references)
        or read_command(bare, references)
        or _wish(bare, references)
        or read_question(bare, asked, references)
    )


def _wish(bare: str, references: Sequence[Reference]) -> AnyIntent | None:
    """A lasting wish; "I don't want a log" is none where a log is there to be taken away."""
    refused = re.match(r"i (?:don't|do not|dont) want (?:an?|any) (.+)", bare)
    return None if refused and references and names_shown(refused[1], references[-1]) else read_preference(bare)


def _changed(text: str, said: str, references: Sequence[Reference]) -> AnyIntent | None:
    """A change of a picture, as it is said or with slips of the fingers put right; or what keeps it from being one."""
    if more := re.match(r"(?:and|also|plus|and also)\b (?P<n>(?:an?|one|two|three|another|some) .+)", text.lower()):
        added = _edit(text, f"add {unframe(more['n'])}".rstrip(" .!?"), references)
        if added is not None:
            return added
    if size := read_size_order(said):
        return size
    if re.match(r"(?:just|only|exactly) ", text.lower()):
        said = text.lower().rstrip(" .!?").removesuffix(" please")
    plain = _edit(text, said, references)
    if plain is None and said.split(" ")[0] in _shown(references[-1]):
        plain = _edit(text, f"the {said}", references)
    if plain is not None and plain.kind == "edit":
        return plain
    spelt = correct(said, references[-1])
    if spelt != said and (mended := _edit(spelt, spelt, references) or _command(spelt, False, references)):
        return mended.model_copy(update={"read_as": spelt})
    return read_impossible(said) or read_small_talk(said, references[-1]) or plain or _stopped(said)


def _shown(picture: Reference) -> set[str]:
    """What the things are called: a saying that begins with one, without an article, is about it."""
    return {box.object for box in picture.shown.boxes} if picture.shown else set()


def _stopped(said: str) -> AnyIntent | None:
    """Another language, where nothing was read."""
    return UnclearIntent(reason=ONLY_ENGLISH) if is_foreign(said) else None


def _edit(text: str, said: str, references: Sequence[Reference]) -> AnyIntent | None:
    """A change of the present picture, or of the one that the saying names."""
    base, rest = references[-1], said
    live = [picture for picture in references if picture.live]
    if undone := re.match(
        r"(?:undo|revert|take back)(?: (?:that|it|this|the last \w+))? (?:and|but|then)(?: then)? ", said
    ):
        if len(live) < 2:
            return UnclearIntent(reason="there is nothing to undo yet", choices=(said[undone.end() :],))
        base, rest = live[-2], said[undone.end() :]
    elif (found := _OTHER_BASE.fullmatch(said)) and (other := find_picture(found["which"], references)):
        base, rest = other, found["rest"]
    try:
        edits = read_edits(rest, base)
    except Unsure as unsure:
        return _asked_back(text, strip_same(rest)[0], unsure)
    except NotThere as missing:
        return _missing(str(missing), rest, base)
    except Already as so:
        return UnclearIntent(reason=f"that is so already: {so}; say what else to change")
    return EditIntent(base=base.run, edits=edits) if edits else None


def _asked_back(text: str, plain: str, unsure: Unsure) -> AnyIntent:
    """Which of several is meant: each choice is the saying with the thing named."""
    pattern = re.compile(rf"\b{re.escape(unsure.phrase)}\b", re.IGNORECASE)
    if unsure.phrase == plain:
        choices = unsure.choices  # the saying is all of it: each choice is one by itself
    elif pattern.search(text):
        choices = tuple(pattern.sub(name, text, count=1) for name in unsure.choices)
    else:
        choices = tuple(f"{name}: {plain}" for name in unsure.choices)
    names = ", ".join(unsure.choices[:-1]) + f" or {unsure.choices[-1]}"
    return UnclearIntent(reason=f"which one is meant by {unsure.phrase!r}: {names}?", choices=choices)


def _missing(phrase: str, said: str, base: Reference) -> AnyIntent | None:
    """Something is to be changed that is not there: told, unless the saying is a prompt of its own."""
    if not _is_order(said) or re.search(r" (?:should|must|could|would|is|are|this|that) ?", phrase):
        return None
    if _is_ground(phrase, base) and re.match(_TAKEN_AWAY, said):
        ground = "every picture has a background" if "ground" in phrase else f"{phrase!r} is the background"
        choices = ("a white background", "a black background")
        return UnclearIntent(reason=f"{ground}; which one shall it have instead?", choices=choices)
    there = ", ".join(dict.fromkeys(box.caption for box in base.shown.boxes)) if base.shown else ""
    if not there:
        reason = f"nothing in the picture has a box, so {phrase!r} cannot be found in it: say the whole prompt anew"
        return UnclearIntent(reason=reason)
    return UnclearIntent(reason=f"the picture has no {phrase!r}; it shows {there}")


_TAKEN_AWAY = r"(?:no|without|remove|delete|erase|drop|lose|get rid|take|hide|omit|scrap|cut|leave)\b"


def _is_ground(phrase: str, base: Reference) -> bool:
    """Whether what is not there as a thing is what lies behind all things."""
    named = re.sub(r"^(?:the|an?|any|that|this) ", "", phrase)
    return named in ("background", "backdrop") or named in base.parsed.background.split()


_ORDER = re.compile(
    r"(?:make|move|paint|colou?r|turn|change|put|place|remove|delete|erase|drop|without|replace|swap|shift|push|"
    r"bring|"
    r"enlarge|shrink|raise|lower|lift|get rid|take|hide|no|double|halve|scale|slide|nudge|set|the|it|them|this|that|"
    r"bigger|smaller|larger|there (?:should|must)|both)\b"
)


def _is_order(said: str) -> bool:
    return bool(_ORDER.match(said)) and not re.search(r"\b(?:on|with|against) an? .*(?:background|backdrop)$", said)


def _created(text: str, references: Sequence[Reference]) -> AnyIntent:
    """A new picture, where the saying surely is a prompt; else it is asked whether it is one."""
    if is_foreign(text):
        return UnclearIntent(reason=ONLY_ENGLISH)
    parsed = parse_prompt(text)
    if not (parsed.groups or parsed.background or parsed.style):
        reason = f"I do not know what to do with {text[:80]!r}; say what to draw or what to change"
        return UnclearIntent(reason=reason, choices=_choices(text, references[-1]))
    rest, same = strip_same(simplify_saying(text))
    if same and not parsed.groups:
        return UnclearIntent(
            reason=f"I do not know what to change by {rest[:80]!r}", choices=_choices(text, references[-1])
        )
    if not _is_prompt(text) or _is_about(text, references[-1]):
        reason = f"I do not know how to do {text[:80]!r} here; is it a new picture?"
        return UnclearIntent(reason=reason, choices=_choices(text, references[-1]))
    if twice := _names_again(text, parsed, references[-1]):
        return twice
    return CreateIntent(prompt=text, parsed=parsed)


def _names_again(text: str, parsed: ParsedPrompt, present: Reference) -> AnyIntent | None:
    """ "A white cat", where a black one stands on a table: the cat in white, or a new picture of one; it is asked."""
    kinds = _shown(present)
    group = parsed.groups[0] if len(parsed.groups) == 1 else None
    if group is None or group.object not in kinds or len(kinds) < 2 or not _BARE.fullmatch(text.strip(" .!").lower()):
        return None
    there = tuple(box for box in list_boxes(present) if box.object == group.object)
    if group.count != len(there):
        change = f"make it {number_word(group.count)} {nouns.plural(group.object)}"
    elif group.attributes and len(there) == 1:
        change = f"make the {group.object} {group.attributes[0]}"
    else:
        return None
    reason = f"shall the picture that is there be changed, or is {text!r} a new one?"
    return UnclearIntent(reason=reason, choices=(change, f"draw anew: {text}"))


_BARE = re.compile(r"(?:(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|\d+) )?(?:[a-z-]+ ){0,2}[a-z-]+")


_LEAD = re.compile(
    r"^(?:(?:ok(?:ay)?|alright|all right|right|well|hey|hi|so|now|then|next|great|cool|nice|thanks|thank you|yes|no|"
    r"hm+|and)\b[,.!;:]*\s+)+(?=(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|\d+|some|several|many|draw|"
    r"paint|make|show|give|generate|create)\b)",
    re.IGNORECASE,
)
"""What leads over to a new picture."""
_POINTS = re.compile(
    r"\b(?:the|that|this) (?:first|second|third|last|previous|other|same|left|right|middle|top|bottom|current|one|"
    r"ones|rest|others?)\b(?! (?:of|world|century|floor|supper|day|night)\b)"
)


def _is_about(text: str, present: Reference) -> bool:
    """Whether a short saying speaks of a thing of the picture that is there, or of another picture: "the star must".

    It may be a prompt all the same ("a fox under the tree"); that is asked.
    """
    plain = simplify_saying(text)
    if len(plain.split()) > _SHORT:
        return False
    named = re.findall(r"\b(?:the|this|that|both|my) (?:([a-z-]+) )?([a-z-]+)\b", plain)
    names = {nouns.singular(word) for pair in named for word in pair if word}
    return bool(_POINTS.search(plain) or names & _shown(present))


_SHORT = 12


_ANEW = re.compile(r"(?:draw anew|new picture|new prompt|a new picture): ", re.IGNORECASE)


_INSTEAD = re.compile(
    r"(?:(?:ok|okay|now|right|alright|well|hey|no|nah|actually)[,.]? )*(?:"
    r"(?:forget|scrap|drop|ditch|never ?mind|leave)(?: about)?(?: all)? "
    r"(?:that|this|it|everything|the (?:whole thing|rest))"
    r"|(?:and now |now )?(?:for )?something (?:(?:totally|completely|entirely|quite) )?(?:different|else|new)(?: now)?"
    r"|(?:let'?s |let us )?(?:start|begin) (?:over|again|anew|afresh|fresh|from scratch)|(?:a )?(?:new|different) idea|"
    r"new topic)"
    r"(?:\s*[,.;:!–-]+\s*|\s+(?:and|with|by|then|but)\s+)(?:now |then |just |please )*",
    re.IGNORECASE,
)


def _choices(text: str, present: Reference) -> tuple[str, ...]:
    """What an utterance that is not understood could be: a prompt of its own, or help."""
    return (f"draw anew: {text}", "help")


_DRAW = re.compile(
    r"(?:(?:please|now|can you|could you|ok|okay) )*(?:(?:draw|paint|sketch|generate|create|render|imagine|"
    r"picture|show|give|"
    r"design|illustrate)(?: me| us)?|i(?:'d| would)? (?:want|like|need)(?: to see)?|let'?s (?:see|have)) "
    r"(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|\d+|some|the|many|several|[a-z-]+s\b)"
)
_NOUNS_FIRST = re.compile(
    r"(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|\d+|some|many|several) [\w-]+", re.IGNORECASE
)
_FRAGMENT = re.compile(
    r"(?:with|without|but|and|plus|also|than|fewer|less|more|closer|nearer|further|farther|bigger|smaller|larger|higher|"
    r"lower|brighter|darker|(?:give|show) (?:the|it|them|both))\b"
)
_COMPARES = re.compile(r"\b(?:fewer|less|(?:half|twice|double) (?:the|its|their) size|stays?|unchanged)\b")
"""What speaks of a picture that is there, wherever it stands in a short saying."""
_TALKS = words(
    "i me my you your it its this that them they these those he she we us make made do does did don't doesn't can "
    "can't "
    "could would should shall will please is are was were be why how what when who let let's go get put take give "
    "keep use "
    "try stop start need want like prefer hate love think know see look looks look sounds feel feels too enough again "
    "same other another instead less more rather maybe just really not never always ok okay yes no hmm hey wow lol "
    "change swap flip mirror rotate turn move remove delete add align space spread zoom crop save load open close "
    "print "
    "export upscale resize scale set reset clear merge split group duplicate copy paste select undo redo fix improve "
    "increase decrease raise lower sharpen blur erase fill cut drop forget remember tell explain describe compare list "
    "count center centre arrange order sort reverse invert shift shrink enlarge replace paint colour color fade "
    "tilt bend "
    "stretch squeeze straighten clean animate surprise edit modify adjust tweak correct finish continue proceed wait"
)


def _is_prompt(text: str) -> bool:
    """Whether a saying surely names something to draw: by its frame, by its first words, or as bare words and tags."""
    plain = simplify_saying(text)
    if re.search(r"\bthe (?:picture|image|drawing|canvas)\b", plain):
        return False
    if _FRAGMENT.match(plain) or re.search(r" (?:only|alone|too|as well|instead|again)$", plain):
        return False  # "with a hat", "fewer stars", "give the star eyes": said of the picture that is there
    if _COMPARES.search(plain) and len(plain.split()) <= 14:
        return False
    if _DRAW.match(text.lower()) or _NOUNS_FIRST.match(plain):
        return not re.search(r"\b(?:it|them|this|that)\b(?! is\b)", plain) or len(plain.split()) > 12
    order = re.match(r"([a-z]+) (?:the|my|your|both|all|every|each) ", plain)
    if (order and order[1] not in PREPOSITIONS) or re.fullmatch(r"[a-z]+(?<!s)", plain):
        return False  # an order, as "lock the heart" is; or a lone word without an article
    said = re.findall(r"[\w']+", plain)
    return len(plain.split()) > _LONGEST or (any(len(word) > 2 for word in said) and not set(said) & _TALKS)
