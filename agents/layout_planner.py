"""The layout planner that asks a language model, and the rules that its layouts must keep."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from pydantic import BaseModel, Field

from imagewright.agents.llm import Count, LanguageModel, OnFallback, Question, Unusable, ask, prompt_text
from imagewright.ports import LayoutPlanner
from imagewright.schemas import Box, Layout, ParsedPrompt, Planned

MIN_SIDE = 0.06
MAX_OVERLAP = 0.10
"""The largest intersection of two boxes, as a share of the smaller one."""
MAX_BOXES = 60
SLACK = 1e-6


class PlacedBox(BaseModel):
    """One box of a language model's answer."""

    caption: str = Field(min_length=1, max_length=300, description="one thing, singular, with article and attributes")
    object: str = Field(min_length=1, max_length=80, description="its singular noun, without attributes")
    attributes: list[str] = Field(default_factory=list, max_length=12, description="its adjectives")
    x: float = Field(ge=0, le=1, description="left edge as a fraction of the canvas")
    y: float = Field(ge=0, le=1, description="top edge as a fraction of the canvas")
    width: float = Field(ge=MIN_SIDE, le=1)
    height: float = Field(ge=MIN_SIDE, le=1)


class PlacedLayout(BaseModel):
    """A language model's answer."""

    boxes: list[PlacedBox] = Field(max_length=MAX_BOXES)
    background: str = Field(default="", max_length=500, description="what is behind everything; empty for nothing")
    negative: str = Field(default="", max_length=500, description="what must not appear; empty for nothing")


class LLMLayoutPlanner:
    """Asks ``model`` where things go; where it gives no usable layout, ``rules`` place and ``on_fallback`` hears why.

    What the prompt says (counts, attributes, relations) is always read by the rules: the critic relies on it.
    """

    def __init__(self, model: LanguageModel, rules: LayoutPlanner, on_fallback: OnFallback, count: Count) -> None:
        self.model, self.rules, self.on_fallback, self.count = model, rules, on_fallback, count

    def plan(self, prompt: str) -> Planned:
        """The rules' reading of ``prompt`` with the model's layout."""
        planned = self.rules.plan(prompt)
        text = prompt_text("layout", prompt={"prompt": prompt}, minimum=str(MIN_SIDE))
        question = Question(text, PlacedLayout, lambda answer: problem(_layout(answer), planned.parsed))
        try:
            answer = ask(self.model, question, self.count)
        except Unusable as error:
            self.on_fallback(f"the rules placed the boxes: {error}")
            return planned
        return planned.model_copy(update={"layout": _layout(answer), "decided_by": "llm"})


def _layout(answer: PlacedLayout) -> Layout:
    boxes = tuple(Box(**{**box.model_dump(), "attributes": tuple(box.attributes)}) for box in answer.boxes)
    return Layout(boxes=boxes, background=answer.background.strip(), negative=answer.negative.strip())


def problem(layout: Layout, parsed: ParsedPrompt) -> str:
    """Why ``layout`` cannot be used for what ``parsed`` says, in words; empty when it can.

    Boxes lie inside the canvas, overlap by at most ``MAX_OVERLAP`` of the smaller one, and there are as many of each
    thing as the prompt asks for.
    """
    for number, box in enumerate(layout.boxes):
        if box.x + box.width > 1 + SLACK or box.y + box.height > 1 + SLACK:
            return f"box {number} ({box.caption}) leaves the canvas: x + width and y + height are at most 1"
    for (i, a), (j, b) in combinations(enumerate(layout.boxes), 2):
        if overlap(a, b) > MAX_OVERLAP + SLACK:
            return f"boxes {i} and {j} overlap by more than {MAX_OVERLAP:.0%} of the smaller one"
    wanted = Counter[str]()
    for group in parsed.groups:
        wanted[group.object.lower()] += group.count
    placed = Counter(box.object.lower() for box in layout.boxes)
    off = [f"{count} {name}, not {placed[name]}" for name, count in wanted.items() if placed[name] != count]
    return f"the prompt asks for {'; '.join(off)}" if off else ""


def overlap(a: Box, b: Box) -> float:
    """The intersection of two boxes as a share of the smaller one, in [0, 1]."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min(a.width * a.height, b.width * b.height)
