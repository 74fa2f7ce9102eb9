"""A prompt's things in a detector's own words: ``mug`` where it says ``cup``, ``violet`` where it says ``purple``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from imagewright.schemas import Box, Layout, ParsedGroup, ParsedPrompt

_Named = TypeVar("_Named", ParsedGroup, Box)


def plainly(parsed: ParsedPrompt, synonyms: Mapping[str, str]) -> ParsedPrompt:
    """``parsed`` with every word for a thing, a colour or the background that ``synonyms`` knows in its own form."""
    return parsed.model_copy(
        update={
            "groups": tuple(_renamed(group, synonyms) for group in parsed.groups),
            "background": " ".join(synonyms.get(word, word) for word in parsed.background.split()),
            "negative": tuple(synonyms.get(word, word) for word in parsed.negative),
        }
    )


def plain_boxes(layout: Layout, synonyms: Mapping[str, str]) -> Layout:
    """``layout`` with the boxes' objects and attributes in those words; captions stay as they are drawn."""
    return layout.model_copy(update={"boxes": tuple(_renamed(box, synonyms) for box in layout.boxes)})


def _renamed(thing: _Named, synonyms: Mapping[str, str]) -> _Named:
    words = tuple(synonyms.get(word, word) for word in thing.attributes)
    return thing.model_copy(update={"object": synonyms.get(thing.object, thing.object), "attributes": words})
