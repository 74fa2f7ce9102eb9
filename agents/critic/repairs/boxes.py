"""Boxes: what was drawn from words alone is drawn with the planned boxes."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from imagewright.agents.critic.repairs.base import Change, Ground, KnownRepair


class DrawBoxes(KnownRepair):
    """Brought by the loop, for what one way to draw gets wrong it gets wrong with another seed too.

    Not where things are only half-formed, which is no matter of reading, and not of an edited picture.
    """

    turn: ClassVar[int] = 2

    kind: Literal["boxes"] = "boxes"

    @classmethod
    def bring(cls, ground: Ground) -> Self | None:
        """Where there are planned boxes that governed no picture yet, and may."""
        if ground.planned is None or not ground.planned.boxes or not ground.may_place:
            return None
        if ground.edited or ground.only_form or any(made.layout and made.layout.boxes for made in ground.rounds):
            return None
        return cls(reason=ground.reason)

    def change(self, ground: Ground) -> Change | None:
        """The boxes."""
        return None if ground.planned is None else {"layout": ground.planned}
