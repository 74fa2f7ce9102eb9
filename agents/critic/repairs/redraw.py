"""Redraw: one box of the picture is drawn anew where it stands; the rest keeps its pixels."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from imagewright.agents.critic.repairs.base import BoxRepair, Change, Ground, Proposed, WrongPicture
from imagewright.schemas import Box, Layout


class RedrawBox(BoxRepair):
    """Proposed where one box alone is wrong; of an edited picture, only for a box that the person named."""

    rank: ClassVar[int] = 10
    turn: ClassVar[int] = 1
    words: ClassVar[str] = "draws one box again (give its number in `box`)"

    kind: Literal["redraw"] = "redraw"
    moved: Box | None = None
    """Where the box is drawn instead, where that is another place."""

    @classmethod
    def propose(cls, seen: WrongPicture) -> Self | None:
        """The box that alone is wrong."""
        if seen.layout is None or seen.wrong is None:
            return None
        return cls(reason=seen.reason, box=seen.wrong)

    @classmethod
    def answer(cls, said: Proposed, reason: str, layout: Layout | None) -> Self | None:
        """The box that the model names."""
        if layout is None or said.box is None or not 0 <= said.box < len(layout.boxes):
            return None
        return cls(reason=reason, box=said.box)

    @classmethod
    def follow(cls, ground: Ground) -> Self | None:
        """The box of the one check that failed."""
        box = ground.failed[0].box if len(ground.failed) == 1 else None
        return None if box is None else cls(reason=ground.reason, box=box)

    def change(self, ground: Ground) -> Change | None:
        """The same picture, but for the box."""
        layout = self.put(ground.layout, self.moved) if self.moved else ground.layout
        if layout is None or self.box_in(layout) is None:
            return None
        if ground.edited and self.box not in ground.focus:
            return None  # what the person did not name keeps its pixels
        return {"layout": layout, "base": ground.made.image}

    def part(self, layout: Layout | None) -> Box | None:
        """The box."""
        return self.box_in(layout)

    def target(self, layout: Layout | None, flow: str, prompt: str) -> str:
        """The box, and where it goes."""
        moved = self.moved if self.box_in(layout) else None
        return self.say_place(moved) if moved else super().target(layout, flow, prompt)

    @property
    def rung(self) -> tuple[str, int | None]:
        """Another box is another repair."""
        return self.kind, self.box
