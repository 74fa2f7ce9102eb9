"""New seed: the whole picture is drawn again from the same words and boxes."""

from __future__ import annotations

from typing import ClassVar, Literal

from imagewright.agents.critic.repairs.base import Change, Ground, PlainRepair


class NewSeed(PlainRepair):
    """Always allowed: it never repeats a picture, and is what is left once every ladder is used up."""

    rank: ClassVar[int] = 20
    words: ClassVar[str] = "draws the whole again"

    kind: Literal["new_seed"] = "new_seed"

    def change(self, ground: Ground) -> Change | None:
        """Nothing but the seed."""
        return {}
