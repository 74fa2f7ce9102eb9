"""The layout planner that asks a language model, and the rules that its layouts must keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain, combinations

from pydantic import BaseModel, Field

from imagewright.agents.layout.lmd_form import read_lmd
from imagewright.agents.llm.ask import Asker, OnNote, Query, Unusable
from imagewright.agents.llm.prompt_files import prompt as prompt_file
from imagewright.ports import LayoutPlanner
from imagewright.schemas import Box, Layout, ParsedPrompt, Planned

MIN_ANSWERED_SIDE = 0.06
MAX_OVERLAP = 0.10
"""The largest intersection of two boxes, as a share of the smaller one."""
_MAX_BOXES = 60
SLACK = 1e-6
_ONE_LINE_MOST = 2000
_AXES = {"left": (0, 1), "right": (0, -1), "above": (1, 1), "below": (1, -1)}
"""For each relation the axis of the centres, and the sign that the difference of object and subject must have."""


class PlacedBox(BaseModel):
    """One box of a language model's answer."""

    caption: str = Field(min_length=1, max_length=300)
    object: str = Field(min_length=1, max_length=80)
    attributes: list[str] = Field(default_factory=list, max_length=12)
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    width: float = Field(ge=MIN_ANSWERED_SIDE, le=1)
    height: float = Field(ge=MIN_ANSWERED_SIDE, le=1)


class PlacedLayout(BaseModel):
    """Where the things of a prompt go."""

    boxes: list[PlacedBox] = Field(max_length=_MAX_BOXES)
    background: str = Field(default="", max_length=500)
    negative: str = Field(default="", max_length=500)


class LLMLayoutPlanner:
    """Asks a language model where things go; where it gives no usable layout, ``rules`` place and say why.

    What the prompt says (counts, attributes, relations) is always read by the rules: the critic relies on it.
    ``lmd`` asks and reads in the form of LLM-grounded Diffusion (Lian et al. 2024) instead of JSON.
    """

    def __init__(self, asker: Asker, rules: LayoutPlanner, on_fallback: OnNote, lmd: bool = False) -> None:
        self.asker, self.rules, self.on_fallback, self.lmd = asker, rules, on_fallback, lmd

    def plan(self, prompt: str) -> Planned:
        """The rules' reading of ``prompt`` with the model's layout."""
        planned = self.rules.plan(prompt)
        try:
            answer = self.asker.ask(self._question(prompt, planned.parsed))
        except Unusable as error:
            self.on_fallback(f"the rules placed the boxes: {error}")
            return planned
        return planned.model_copy(update={"layout": _layout(answer), "decided_by": "llm"})

    def _question(self, prompt: str, parsed: ParsedPrompt) -> Query[PlacedLayout]:
        def check(answer: PlacedLayout) -> str:
            return why_unusable(_layout(answer), parsed)

        if self.lmd:
            text = prompt_file("layout_lmd", prompt=" ".join(prompt.split())[:_ONE_LINE_MOST].rstrip("."))
            return Query(text, PlacedLayout, check, read=_read_answer)
        return Query(
            prompt_file("layout", prompt={"prompt": prompt}, minimum=str(MIN_ANSWERED_SIDE)), PlacedLayout, check
        )


def _read_answer(said: str) -> PlacedLayout:
    """An answer in LMD's form.

    Raises:
        ValueError: it is not in that form.
    """
    layout = read_lmd(said)
    return PlacedLayout.model_validate(
        {
            "boxes": [{**box.model_dump(), "attributes": list(box.attributes)} for box in layout.boxes],
            "background": layout.background,
            "negative": layout.negative,
        }
    )


def _layout(answer: PlacedLayout) -> Layout:
    boxes = tuple(Box(**{**box.model_dump(), "attributes": tuple(box.attributes)}) for box in answer.boxes)
    return Layout(boxes=boxes, background=answer.background.strip(), negative=answer.negative.strip())


# --- what a layout must keep ----------------------------------------------------------------


def why_unusable(layout: Layout, parsed: ParsedPrompt) -> str:
    """Why ``layout`` cannot be used for what ``parsed`` says, in words; empty when it can.

    Boxes lie inside the canvas, overlap by at most ``MAX_OVERLAP`` of the smaller one (unless one thing is inside
    another), there are as many of each thing as the prompt states, and they stand as it says.
    """
    checks = (
        _outside(layout), _overlapping(layout, parsed), _miscounted(layout, parsed),
        _misplaced(layout, parsed), _excluded(layout, parsed),
    )  # fmt: skip
    return next(chain(*checks), "")


def _outside(layout: Layout) -> Iterator[str]:
    for number, box in enumerate(layout.boxes):
        if max(box.right, box.bottom) > 1 + SLACK:
            yield f"box {number} ({box.caption}) leaves the canvas: x + width and y + height are at most 1"
        if min(box.width, box.height) < MIN_ANSWERED_SIDE - SLACK:
            yield f"box {number} ({box.caption}) is too small: its sides are at least {MIN_ANSWERED_SIDE} of the canvas"


def _overlapping(layout: Layout, parsed: ParsedPrompt) -> Iterator[str]:
    inside = {(parsed.groups[r.subject].object, parsed.groups[r.object].object) for r in parsed.relations}
    for (i, a), (j, b) in combinations(enumerate(layout.boxes), 2):
        related = {(a.object.lower(), b.object.lower()), (b.object.lower(), a.object.lower())} & inside
        if a.overlap(b) > MAX_OVERLAP + SLACK and not related:
            yield f"boxes {i} and {j} overlap by more than {MAX_OVERLAP:.0%} of the smaller one"


def _miscounted(layout: Layout, parsed: ParsedPrompt) -> Iterator[str]:
    wanted, guessed = Counter[str](), set[str]()
    for group in parsed.groups:
        wanted[group.object.lower()] += group.count
        guessed |= set() if group.exact else {group.object.lower()}
    placed = Counter(box.object.lower() for box in layout.boxes)
    off = [
        f"{count} {name}, not {placed[name]}"
        for name, count in wanted.items()
        if (not placed[name] if name in guessed else placed[name] != count)
    ]
    if off:
        yield f"the prompt asks for {'; '.join(off)}"


def _misplaced(layout: Layout, parsed: ParsedPrompt) -> Iterator[str]:
    """Relations that do not hold between the centres, where it is plain which boxes are meant."""
    names = Counter(group.object.lower() for group in parsed.groups)
    for relation in parsed.relations:
        subject, other = (parsed.groups[at].object.lower() for at in (relation.subject, relation.object))
        if relation.relation not in _AXES or names[subject] > 1 or names[other] > 1:
            continue
        axis, sign = _AXES[relation.relation]
        pairs = ((a, b) for a in layout.boxes for b in layout.boxes
                 if (a.object.lower(), b.object.lower()) == (subject, other))  # fmt: skip
        if any((b.centre[axis] - a.centre[axis]) * sign <= 0 for a, b in pairs):
            yield f"the {subject} must be {relation.relation} of the {other}"


def _excluded(layout: Layout, parsed: ParsedPrompt) -> Iterator[str]:
    for name in parsed.negative:
        if any(box.object.lower() == name for box in layout.boxes):
            yield f"the prompt wants no {name}: it gets no box"
