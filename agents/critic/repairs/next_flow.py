"""Next flow: another flow draws the picture."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from imagewright.agents.critic.repairs.base import Change, Ground, PlainRepair
from imagewright.schemas import Layout


class NextFlow(PlainRepair):
    """Allowed while a flow is left that drew neither in this run nor in vain before; one asked for by name is kept."""

    rank: ClassVar[int] = 50
    turn: ClassVar[int] = 2
    words: ClassVar[str] = "takes another model"

    kind: Literal["next_flow"] = "next_flow"

    @classmethod
    def bring(cls, ground: Ground) -> Self | None:
        """What a flow with boxes gets wrong is tried from words alone, once in a run."""
        drew = {made.flow for made in ground.rounds}
        if not ground.from_words or ground.edited or not ground.has_boxes or drew & set(ground.from_words):
            return None
        return cls(reason=ground.reason)

    def change(self, ground: Ground) -> Change | None:
        """The first flow that is left."""
        drew = {made.flow for made in ground.rounds} | {tried.target for tried in ground.in_vain(self.kind)}
        left = next((flow for flow in ground.flows if flow not in drew), None)
        return {"flow": left} if left and not ground.named_flow else None

    def target(self, layout: Layout | None, flow: str, prompt: str) -> str:
        """The flow."""
        return flow
