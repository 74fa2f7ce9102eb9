"""The rules layout planner: reads a prompt with a grammar and places what it names. Needs no model and no network."""

from __future__ import annotations

from imagewright.agents.layout.placement import place_groups
from imagewright.agents.reading.describe import canonical_prompt
from imagewright.agents.reading.parse import parse_prompt
from imagewright.schemas import Layout, ParsedPrompt, Planned

__all__ = ["RulesLayoutPlanner", "canonical_prompt", "layout_of", "parse_prompt"]


class RulesLayoutPlanner:
    """Implements ``ports.LayoutPlanner``; deterministic, a few milliseconds a prompt."""

    def plan(self, prompt: str) -> Planned:
        """The parsed prompt and its layout: boxes inside the canvas, sides of at least 0.06, without overlaps.

        At most 24 boxes are placed; when the prompt asks for more things, the largest groups give up members first,
        while ``parsed`` keeps the counts that were asked for.
        """
        parsed = parse_prompt(prompt)
        return Planned(parsed=parsed, layout=layout_of(parsed))


def layout_of(parsed: ParsedPrompt) -> Layout:
    """The layout for a prompt that was read already; without boxes where the reading is not sure."""
    if not parsed.sure:
        return Layout()
    return Layout(boxes=place_groups(parsed), background=parsed.background, negative=", ".join(parsed.negative))
