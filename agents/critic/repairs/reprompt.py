"""Reprompt: the picture is drawn from other words, the critic's or the planner's plain ones."""

from __future__ import annotations

from typing import ClassVar, Literal

from imagewright.agents.critic.repairs.base import Change, Ground, PlainRepair
from imagewright.schemas import Layout


class Reprompt(PlainRepair):
    """Allowed where the words are others than those that the picture was drawn from."""

    rank: ClassVar[int] = 40
    words: ClassVar[str] = "says it in plainer words"

    kind: Literal["reprompt"] = "reprompt"
    prompt: str | None = None
    """The new prompt; None takes the planner's plain words."""

    def change(self, ground: Ground) -> Change | None:
        """The words."""
        prompt = self.prompt or ground.canonical
        return {"prompt": prompt} if prompt and prompt != ground.made.prompt else None

    def target(self, layout: Layout | None, flow: str, prompt: str) -> str:
        """The words."""
        return prompt

    @classmethod
    def tell_tried(cls, kind: str, target: str) -> str:
        """Without the words, which are long."""
        return super().tell_tried(kind, "")
