"""Layouts and parses in words: for hosted backends, for the story of a run, and for a plainer prompt."""

from __future__ import annotations

import re

from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.function_words import CLOSED, DETERMINERS, PREPOSITIONS
from imagewright.agents.reading.numbers import NUMBER_WORDS, number_word
from imagewright.schemas import Box, Layout, ParsedGroup, ParsedPrompt, ParsedRelation

_RELATION = {
    "left": "to the left of",
    "right": "to the right of",
    "above": "above",
    "below": "below",
    "inside": "inside",
    "near": "next to",
    "behind": "behind",
    "in-front": "in front of",
}
_PLACE = {
    "left": "on the left",
    "right": "on the right",
    "top": "at the top",
    "bottom": "at the bottom",
    "middle": "in the middle",
    "top-left": "in the top left corner",
    "top-right": "in the top right corner",
    "bottom-left": "in the bottom left corner",
    "bottom-right": "in the bottom right corner",
    "behind": "in the background",
    "in-front": "in the foreground",
    "above": "at the top",
    "below": "at the bottom",
    "near": "nearby",
    "inside": "in the middle",
}


_SILENT = {*CLOSED, *DETERMINERS, *PREPOSITIONS, *NUMBER_WORDS, "background", "backdrop", "with", "there", "is", "are"}


def describe_layout(layout: Layout) -> str:
    """One line a box: what it is, where on the canvas, and how large a share of the width and height it takes."""
    lines = [f"{box.caption}, {_where(box)}, {box.width:.0%} wide, {box.height:.0%} high" for box in layout.boxes]
    if layout.background:
        lines.append(f"background: {layout.background}")
    if layout.negative:
        lines.append(f"not in the picture: {layout.negative}")
    return "\n".join(lines)


def _where(box: Box) -> str:
    """The box's ninth of the canvas in words."""
    x, y = box.centre
    across = "left" if x < 0.38 else "right" if x > 0.62 else ""
    down = "top" if y < 0.38 else "bottom" if y > 0.62 else ""
    if not across and not down:
        return "in the middle"
    if across and down:
        return f"{down} {across}"
    return f"on the {across}" if across else f"at the {down}"


def canonical_prompt(parsed: ParsedPrompt) -> str:
    """The parse restated plainly: "two red circles above a blue square on a white background"."""
    told: set[int] = set()
    parts: list[str] = []
    for relation in parsed.relations:
        if not _implied(parsed, relation):
            parts.append(_sentence(parsed, relation, told))
    parts += [_group(g) + _placed(g) for i, g in enumerate(parsed.groups) if i not in told]
    text = _joined(parts)
    if parsed.background:
        text = _with_background(text, parsed.background)
    if parsed.negative:
        text += f"{',' if text else ''} no " + " and no ".join(nouns.plural(n) for n in parsed.negative)
    return ", ".join(t for t in [text.strip(), *parsed.style] if t)


def says_no_more(prompt: str, parsed: ParsedPrompt) -> bool:
    """Whether the parse's plain words hold every word of the prompt that carries meaning."""
    return _words(prompt) <= _words(canonical_prompt(parsed)) | _SILENT


def _words(text: str) -> set[str]:
    return {nouns.singular(word) for word in re.findall(r"[^\W\d_]+", text.lower())}


def _implied(parsed: ParsedPrompt, relation: ParsedRelation) -> bool:
    """Whether the places of both groups say as much already."""
    return bool(parsed.groups[relation.subject].position and parsed.groups[relation.object].position)


def _sentence(parsed: ParsedPrompt, relation: ParsedRelation, told: set[int]) -> str:
    sides = []
    for i in (relation.subject, relation.object):
        group = parsed.groups[i]
        sides.append(_again(group) if i in told else _group(group) + _placed(group))
        told.add(i)
    return f"{sides[0]} {_RELATION[relation.relation]} {sides[1]}"


def _again(group: ParsedGroup) -> str:
    noun = nouns.plural(group.object) if group.count > 1 else group.object
    return " ".join(["the", *group.attributes, noun])


def _group(group: ParsedGroup) -> str:
    if group.count == 1:
        return group.caption
    body = group.caption.split(" ", 1)[1] if " " in group.caption else group.caption
    return f"{number_word(group.count)} {body.replace(group.object, nouns.plural(group.object), 1)}"


def _placed(group: ParsedGroup) -> str:
    return f" {_PLACE[group.position]}" if group.position else ""


def _joined(parts: list[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def _with_background(text: str, background: str) -> str:
    if not text:
        return background
    first = background.split(" ")[0]
    if background.endswith(("background", "backdrop")):
        return f"{text} on {background}"
    if background.endswith("scene"):
        return f"{background} with {text}"
    return f"{text} {background}" if first in lexicon.LINKS else f"{text} in {background}"
