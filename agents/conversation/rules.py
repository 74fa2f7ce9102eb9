"""What the person wants, by rules: a new picture, a change of one, a step back, an answer, a lasting wish."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from imagewright.agents.conversation.changes import read_edits, strip_same
from imagewright.agents.conversation.sayings import read_command, read_preference, read_question, simplify_saying
from imagewright.agents.conversation.targets import NotThere, Unsure, find_picture
from imagewright.agents.reading.parse import parse_prompt
from imagewright.intents import AnyIntent, CreateIntent, EditIntent, Reference, UnclearIntent

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
        """The decision; ``references`` are the thread's pictures, the present one last."""
        text = " ".join(prompt.split())
        if reason := why_unclear(text):
            return UnclearIntent(reason=reason)
        said = simplify_saying(text)
        if len(said.split()) <= _LONGEST and (found := _conversational(text, said, references)):
            return found
        return _created(text, references)


def why_unclear(text: str) -> str:
    """Why nothing can be drawn from ``text``; empty when something can."""
    if not text.strip():
        return "the prompt is empty"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text if character not in "\n\r\t"):
        return "the prompt is not text: it holds control characters"
    return ""


def _conversational(text: str, said: str, references: Sequence[Reference]) -> AnyIntent | None:
    """Anything but a new picture; None for that."""
    bare = said.rstrip("?! ")
    if found := read_command(bare, references):
        return found
    if found := read_preference(bare):
        return found
    if found := read_question(bare, text.rstrip().endswith("?"), references):
        return found
    return _edit(text, bare, references) if references else None


def _edit(text: str, said: str, references: Sequence[Reference]) -> AnyIntent | None:
    """A change of the present picture, or of the one that the saying names."""
    base, rest = references[-1], said
    if (found := _OTHER_BASE.fullmatch(said)) and (other := find_picture(found["which"], references)):
        base, rest = other, found["rest"]
    try:
        edits = read_edits(rest, base)
    except Unsure as unsure:
        return _asked_back(text, unsure)
    except NotThere as missing:
        return _missing(str(missing), rest, base)
    return EditIntent(base=base.run, edits=edits) if edits else None


def _asked_back(text: str, unsure: Unsure) -> AnyIntent:
    """Which of several is meant: each choice is the saying with the thing named."""
    pattern = re.compile(rf"\b{re.escape(unsure.phrase)}\b", re.IGNORECASE)
    if pattern.search(text):
        choices = tuple(pattern.sub(name, text, count=1) for name in unsure.choices)
    else:
        choices = tuple(f"{name}: {text}" for name in unsure.choices)
    names = ", ".join(unsure.choices[:-1]) + f" or {unsure.choices[-1]}"
    return UnclearIntent(reason=f"which one is meant by {unsure.phrase!r}: {names}?", choices=choices)


def _missing(phrase: str, said: str, base: Reference) -> AnyIntent | None:
    """Something is to be changed that is not there: told, unless the saying is a prompt of its own."""
    if not _is_order(said):
        return None
    there = ", ".join(dict.fromkeys(box.caption for box in base.shown.boxes)) if base.shown else ""
    if not there:
        reason = f"nothing in the picture has a box, so {phrase!r} cannot be found in it: say the whole prompt anew"
        return UnclearIntent(reason=reason)
    return UnclearIntent(reason=f"the picture has no {phrase!r}; it shows {there}")


_ORDER = re.compile(
    r"(?:make|move|paint|colou?r|turn|change|put|place|remove|delete|erase|drop|without|replace|swap|shift|push|"
    r"bring|"
    r"enlarge|shrink|raise|lower|lift|get rid|take|hide|no|double|halve|scale|slide|nudge|set|the|it|them|this|that|"
    r"bigger|smaller|larger)\b"
)


def _is_order(said: str) -> bool:
    return bool(_ORDER.match(said)) and not re.search(r"\b(?:on|with|against) an? .*(?:background|backdrop)$", said)


def _created(text: str, references: Sequence[Reference]) -> AnyIntent:
    """A new picture; words in a conversation that name nothing to draw are asked about."""
    parsed = parse_prompt(text)
    if references and not (parsed.groups or parsed.background or parsed.style):
        reason = f"I do not know what to do with {text[:80]!r}; say what to draw or what to change"
        return UnclearIntent(reason=reason)
    rest, same = strip_same(simplify_saying(text))
    if same and references and not parsed.groups:
        return UnclearIntent(reason=f"I do not know what to change by {rest[:80]!r}")
    return CreateIntent(prompt=text, parsed=parsed)
