"""A prompt's things in a detector's own words: ``mug`` where it says ``cup``, ``violet`` where it says ``purple``."""

from __future__ import annotations

from collections.abc import Mapping

from imagewright.schemas import Layout, ParsedPrompt


def plainly(parsed: ParsedPrompt, synonyms: Mapping[str, str]) -> ParsedPrompt:
    """``parsed`` with every word for a thing, a colour or the background that ``synonyms`` knows in its own form."""
    groups = tuple(
        group.model_copy(
            update={
                "object": synonyms.get(group.object, group.object),
                "attributes": tuple(synonyms.get(word, word) for word in group.attributes),
            }
        )
        for group in parsed.groups
    )
    return parsed.model_copy(
        update={
            "groups": groups,
            "background": " ".join(synonyms.get(word, word) for word in parsed.background.split()),
            "negative": tuple(synonyms.get(word, word) for word in parsed.negative),
        }
    )


def plain_boxes(layout: Layout, synonyms: Mapping[str, str]) -> Layout:
    """``layout`` with the boxes' objects and attributes in those words; captions stay as they are drawn."""
    boxes = tuple(
        box.model_copy(
            update={
                "object": synonyms.get(box.object, box.object),
                "attributes": tuple(synonyms.get(word, word) for word in box.attributes),
            }
        )
        for box in layout.boxes
    )
    return layout.model_copy(update={"boxes": boxes})
