"""Layouts in the form of LLM-grounded Diffusion (Lian et al., TMLR 2024): three labelled lines, boxes in pixels.

``Objects: [('a green car', [21, 281, 211, 159]), …]`` with ``[left, top, width, height]`` on a canvas of 512 by 512,
then ``Background prompt:`` and ``Negative prompt:``. The list is read as a Python literal, never evaluated.
"""

from __future__ import annotations

import ast
import math
import re

from imagewright.agents.reading.parse import parse_prompt
from imagewright.schemas import Box, Layout

CANVAS = 512
_FIELDS = re.compile(
    r"Objects:(?P<objects>.*?)Background prompt:(?P<background>[^\n]*)(?:\s*Negative prompt:(?P<negative>[^\n]*))?",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST = 20_000
"""Characters of the list that are read."""


def read_lmd(said: str) -> Layout:
    """The layout in ``said``, whatever stands around it; boxes as fractions, cut off at the canvas's edge by rounding.

    Raises:
        ValueError: it is not in LMD's form.
    """
    text = said if "objects:" in said.lower() else f"Objects: {said}"
    found = _FIELDS.search(text)
    if found is None:
        raise ValueError("the answer has no lines 'Objects: [...]' and 'Background prompt: ...'")
    negative = (found["negative"] or "").strip()
    boxes = tuple(_box(item) for item in _objects(found["objects"].strip()))
    return Layout(boxes=boxes, background=found["background"].strip(), negative="" if negative == "None" else negative)


def _objects(text: str) -> list[object]:
    try:
        value = ast.literal_eval(text[:_LONGEST])
    except (SyntaxError, ValueError, MemoryError, RecursionError, TypeError):
        raise ValueError("Objects is not a list such as [('a cat', [10, 20, 100, 200])]") from None
    if not isinstance(value, list | tuple):
        raise ValueError("Objects is not a list such as [('a cat', [10, 20, 100, 200])]")
    return list(value)


def _box(item: object) -> Box:
    match item:
        case (str(label), (left, top, width, height)) if label.strip():
            return _named(label.strip(), *(_side(side) for side in (left, top, width, height)))
        case _:
            raise ValueError(f"{str(item)[:80]!r} is not of the form ('a cat', [10, 20, 100, 200])")


def _side(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:40]!r} is no number of pixels")
    return round(value / CANVAS, 4)


def _named(label: str, x: float, y: float, width: float, height: float) -> Box:
    """A box whose object and attributes the rules read from its label."""
    groups = parse_prompt(label).groups
    name = groups[0].object if groups else label.split()[-1].lower()
    attributes = groups[0].attributes if groups else ()
    return Box(caption=label, object=name, attributes=attributes, x=x, y=y, width=width, height=height)
