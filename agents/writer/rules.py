"""The prompt writer by rules: words a prompt for a model of a small world, which says what it needs to be told.

A model that states no world gets every prompt as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imagewright.agents.reading.describe import canonical_prompt
from imagewright.agents.reading.lexicon import KNOWN_COLOURS
from imagewright.agents.reading.parse import parse_prompt
from imagewright.agents.writer.completing import colour_of, complete, knows_some, paint_words, paper_of
from imagewright.agents.writer.rewording import reword
from imagewright.agents.writer.spelling import find_near, find_near_colour, mend
from imagewright.intents import Settled
from imagewright.schemas import Box, ParsedGroup, ParsedPrompt, Region
from imagewright.worlds import World

Unknown = Callable[[str, ParsedPrompt], tuple[str, ...]]
"""The words of a prompt that the model does not know."""


@dataclass(frozen=True)
class Fitted:
    """What is drawn of a request by one model, and what was done to it, in words."""

    settled: Settled
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorldWriter:
    """Words prompts for the model called ``model``, which states ``world``."""

    world: World
    model: str
    unknown: Unknown
    is_word: Callable[[str], bool] = lambda word: True

    def fit(self, settled: Settled, keep: bool = False, said: Sequence[str] = ()) -> Fitted:
        """``settled`` as the model can draw it; with ``keep`` nothing that the person named is changed.

        ``said`` is what was said of the picture before an edit: a background that it names is kept.
        """
        spelt, read = self._mended(settled)
        if not spelt.parsed.sure or not knows_some(spelt.parsed, self.world):
            return Fitted(spelt, read)
        done = complete(spelt.parsed, self.world, self.model, keep, self._is_paper_said(settled, said))
        if done.parsed == spelt.parsed:
            return Fitted(spelt, (*read, *done.told))
        prompt = reword(spelt.prompt, spelt.parsed, done.parsed)
        if prompt is None or (self.unknown(prompt, done.parsed) and not keep):
            return Fitted(spelt, read)
        return Fitted(_settle(spelt, prompt, done.parsed, self.world), (*read, *done.told))

    def _is_paper_said(self, settled: Settled, said: Sequence[str]) -> bool:
        """Whether the person named the colour of an edited picture's background."""
        paper = paper_of(settled.parsed.background, self.world)
        words = (word for text in said for word in re.findall(r"[a-z]+", text.lower()))
        return settled.layout is not None and any(self.world.find_colour(word) == paper for word in words)

    def _mended(self, settled: Settled) -> tuple[Settled, tuple[str, ...]]:
        """The request with its misspelt words put right; an edit's words were read before."""
        unknown = self.unknown(settled.prompt, settled.parsed) if settled.layout is None else ()
        prompt = mend(settled.prompt, unknown, self.world, self.is_word) if unknown else settled.prompt
        if prompt == settled.prompt:
            return settled, ()
        parsed = parse_prompt(prompt)
        negative = tuple(dict.fromkeys((*parsed.negative, *settled.parsed.negative)))
        parsed = parsed.model_copy(update={"negative": negative})
        return settled.model_copy(update={"prompt": prompt, "parsed": parsed}), (f"read as: {prompt}",)

    def name_near(self, word: str, liken: Callable[[str, Sequence[str]], str]) -> str:
        """The word of the world that is nearest to ``word`` by its meaning; by its letters where it has none.

        ``liken`` finds of some words the one that means nearly the same.
        """
        if word in KNOWN_COLOURS:
            return find_near_colour(word, self.world)
        return (
            liken(word, tuple(self.world.things)) if self.is_word(word) else next(iter(find_near(word, self.world)), "")
        )

    def word(self, prompt: str, parsed: ParsedPrompt) -> str:
        """``prompt`` in words that the model has: relations that boxes tell it are left out of them."""
        return _list_plainly(parsed) if self.needs_boxes(prompt, parsed) else prompt

    def needs_boxes(self, prompt: str, parsed: ParsedPrompt) -> bool:
        """Whether the prompt says where things stand in words that the model does not have."""
        if not parsed.relations:
            return False
        without = self.unknown(prompt, parsed.model_copy(update={"relations": ()}))
        return not set(without) <= set(self.unknown(prompt, parsed))


def _settle(settled: Settled, prompt: str, parsed: ParsedPrompt, world: World) -> Settled:
    """The request with its new words, and a carried-over layout that says the same."""
    new: dict[str, object] = {"prompt": prompt, "parsed": parsed}
    if settled.layout is not None:
        boxes = tuple(_painted(box, parsed.groups, world) for box in settled.layout.boxes)
        new["layout"] = settled.layout.model_copy(update={"boxes": boxes, "background": parsed.background})
        new["redraw"] = _redrawn(settled, boxes, parsed.background, world)
    return settled.model_copy(update=new)


def _redrawn(settled: Settled, boxes: tuple[Box, ...], background: str, world: World) -> tuple[Region, ...]:
    """The regions to draw anew, in the boxes' new words; none, for a whole picture, on another background."""
    before = paper_of(settled.parsed.background, world)
    if settled.layout is None or (before is not None and before != paper_of(background, world)):
        return ()
    new = {old.caption: box.caption for old, box in zip(settled.layout.boxes, boxes, strict=True)}
    return tuple(part.model_copy(update={"caption": new.get(part.caption, part.caption)}) for part in settled.redraw)


def _painted(box: Box, groups: tuple[ParsedGroup, ...], world: World) -> Box:
    """A box in the colour that its things were given."""
    if colour_of(box, world) is not None:
        return box
    like = (g for g in groups if g.object == box.object and g.attributes[:-1] == box.attributes and g.attributes)
    group = next(like, None)
    colour = colour_of(group, world) if group is not None else None
    if colour is None:
        return box
    caption = paint_words(box.caption, box.object, colour)
    return box.model_copy(update={"attributes": (*box.attributes, colour), "caption": caption})


def _list_plainly(parsed: ParsedPrompt) -> str:
    """All that is to be seen, like things together, without where it stands."""
    merged: dict[str, ParsedGroup] = {}
    for group in parsed.groups:
        same = merged.get(group.caption)
        merged[group.caption] = group if same is None else same.model_copy(update={"count": same.count + group.count})
    return canonical_prompt(parsed.model_copy(update={"groups": tuple(merged.values()), "relations": ()}))
