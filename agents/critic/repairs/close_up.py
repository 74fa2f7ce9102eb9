"""Close-up: one small thing that came out half-formed is enlarged, drawn anew where it is large, and put back."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from imagewright.agents.critic.repairs.base import Change, Ground, KnownRepair, WrongPicture
from imagewright.agents.critic.verdict import only_form
from imagewright.agents.reading.describe import canonical_prompt
from imagewright.agents.reading.nouns import article
from imagewright.schemas import Box, Layout, ParsedGroup, ParsedPrompt

_LARGE = 0.5
"""A thing with a side above this share of the canvas is drawn large already: a close-up shows hardly more of it."""


class CloseUp(KnownRepair):
    """Offered where nothing but form is doubted; its turn comes once another whole picture has not helped.

    None of an edited picture, where what the person did not name keeps its pixels, and where no flow can redraw.
    """

    turn: ClassVar[int] = 0
    repeats: ClassVar[bool] = True

    kind: Literal["close_up"] = "close_up"
    moved: Box
    """The thing, where the critic saw it."""
    prompt: str
    """The thing alone, with background and style."""
    flow: str | None = None
    """The flow that draws it; None until its turn has come."""

    @classmethod
    def offer(cls, seen: WrongPicture) -> Self | None:
        """Of the thing that is least plain to see; None where every such thing is drawn large already."""
        if seen.sight is None or not only_form(seen.failed):
            return None
        kinds = {wanted.object for wanted in seen.sight.wanted}
        blurred = [
            thing for thing in seen.sight.things
            if not thing.whole and thing.object in kinds and max(thing.box.width, thing.box.height) <= _LARGE
        ]  # fmt: skip
        if not blurred:
            return None
        thing = min(blurred, key=lambda each: each.box.score)
        words = tuple(word for word in (thing.colour,) if word)
        name = " ".join((*words, thing.object))
        box = Box(
            caption=f"{article(name)} {name}", object=thing.object, attributes=words,
            x=thing.box.x, y=thing.box.y, width=thing.box.width, height=thing.box.height,
        )  # fmt: skip
        return cls(reason=seen.reason, moved=box, prompt=canonical_prompt(alone(box, seen.parsed)))

    @classmethod
    def bring(cls, ground: Ground) -> Self | None:
        """What the critic offered, with the flow that can draw it."""
        near = ground.made.verdict.nearer if ground.made.verdict else None
        if not isinstance(near, cls) or ground.edited or not ground.drawn_again:
            return None
        flow = ground.flow_for_part(near.prompt, near.moved)
        return near.model_copy(update={"flow": flow}) if flow else None

    def change(self, ground: Ground) -> Change | None:
        """The same picture, but for the thing."""
        return {"base": ground.made.image} if self.flow else None

    def part(self, layout: Layout | None) -> Box | None:
        """The thing."""
        return self.moved

    def target(self, layout: Layout | None, flow: str, prompt: str) -> str:
        """The thing and where it is, to a tenth of the canvas."""
        return f"the {self.moved.object} at {self.moved.centre[0]:.1f},{self.moved.centre[1]:.1f}"


def alone(thing: Box, parsed: ParsedPrompt) -> ParsedPrompt:
    """A prompt for one thing, with what ``parsed`` says of background and style."""
    group = ParsedGroup(object=thing.object, count=1, caption=thing.caption, attributes=thing.attributes)
    return parsed.model_copy(update={"groups": (group,), "relations": (), "negative": ()})
