"""What a person would check in a picture, derived once from what the prompt says: no model decides what is asked.

The kinds follow what text-to-image benchmarks ask (object, count, attribute, relation, text, style); each question is
answered ``yes`` when the picture is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from imagewright.agents.reading.nouns import plural
from imagewright.agents.reading.numbers import number_word
from imagewright.schemas import Layout, ParsedGroup, ParsedPrompt, Value

_Topic = Literal["present", "count", "attribute", "relation", "absent", "background", "text", "style"]
MOST_QUESTIONS = 24
"""Questions about one picture; those about single attributes are left out first."""
_TEXT = re.compile(r'"([^"]{1,120})"')
_PLACES = {
    "left": "in the left half", "right": "in the right half", "top": "in the upper half", "above": "in the upper half",
    "bottom": "in the lower half", "below": "in the lower half", "middle": "in the middle",
    "top-left": "in the upper left", "top-right": "in the upper right",
    "bottom-left": "in the lower left", "bottom-right": "in the lower right",
}  # fmt: skip
_RELATIONS = {
    "left": "to the left of", "right": "to the right of", "above": "above", "below": "below", "inside": "inside",
    "near": "near", "behind": "behind", "in-front": "in front of",
}  # fmt: skip
_FIRST: tuple[_Topic, ...] = ("present", "count", "relation", "text", "absent", "background", "style", "attribute")


class PictureQuestion(Value):
    """One question about a picture."""

    topic: _Topic
    text: str
    box: int | None = None
    """The box of the layout where the answer should be, where there is one."""


def questions(prompt: str, parsed: ParsedPrompt, layout: Layout | None) -> tuple[PictureQuestion, ...]:
    """The questions for a picture of ``prompt``, the most telling first, ``MOST_QUESTIONS`` at most."""
    found = (*_things(parsed, layout), *_relations(parsed, layout), *_rest(prompt, parsed))
    return tuple(sorted(dict.fromkeys(found), key=lambda asked: _FIRST.index(asked.topic)))[:MOST_QUESTIONS]


def _things(parsed: ParsedPrompt, layout: Layout | None) -> Iterator[PictureQuestion]:
    for group in parsed.groups:
        name, box = _name(group), _box_of(group, layout)
        if group.exact and group.count > 1:
            yield PictureQuestion(
                topic="count", text=f"Are there exactly {number_word(group.count)} {plural(name)}?", box=None
            )
        else:
            yield PictureQuestion(topic="present", text=f"Is there {_a(name)}?", box=box)
        if group.exact and group.count == 1 and sum(g.object == group.object for g in parsed.groups) == 1:
            yield PictureQuestion(topic="count", text=f"Is there just one {group.object}?", box=None)
        for word in group.attributes:
            each = "every" if group.count > 1 else "the"
            yield PictureQuestion(topic="attribute", text=f"Is {each} {group.object} {word}?", box=box)


def _name(group: ParsedGroup) -> str:
    return " ".join((*group.attributes, group.object)) if group.count == 1 else group.object


def _a(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _box_of(group: ParsedGroup, layout: Layout | None) -> int | None:
    boxes = layout.boxes if layout else ()
    return next(
        (n for n, box in enumerate(boxes) if box.object == group.object and box.attributes == group.attributes), None
    )


def _relations(parsed: ParsedPrompt, layout: Layout | None) -> Iterator[PictureQuestion]:
    for relation in parsed.relations:
        subject, other = parsed.groups[relation.subject], parsed.groups[relation.object]
        words = f"{_some(subject)} {_RELATIONS[relation.relation]} {_some(other)}"
        verb = "Are" if subject.count > 1 else "Is"
        yield PictureQuestion(topic="relation", text=f"{verb} {words}?", box=_box_of(subject, layout))
    for group in parsed.groups:
        if group.position in _PLACES:
            verb = "Are" if group.count > 1 else "Is"
            where = f"{_some(group)} {_PLACES[group.position]} of the picture"
            yield PictureQuestion(topic="relation", text=f"{verb} {where}?", box=_box_of(group, layout))


def _some(group: ParsedGroup) -> str:
    name = " ".join((*group.attributes, group.object))
    return f"the {plural(name)}" if group.count > 1 else f"the {name}"


def _rest(prompt: str, parsed: ParsedPrompt) -> Iterator[PictureQuestion]:
    for quoted in dict.fromkeys(_TEXT.findall(prompt)):
        yield PictureQuestion(topic="text", text=f'Can the words "{quoted}" be read, spelled just so?')
    for name in parsed.negative:
        yield PictureQuestion(topic="absent", text=f"Is the picture free of any {name}?")
    if parsed.background:
        yield PictureQuestion(topic="background", text=f"Does the background show: {parsed.background}?")
    for style in parsed.style:
        yield PictureQuestion(topic="style", text=f"Is the picture in this style: {style}?")
