"""A backend that costs nothing, to measure what stands around one: the server, the queue, the graph."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from imagewright.needs import Need
from imagewright.ports import Drawn, IsCancelled, Job, OnStep
from imagewright.schemas import Flow, ParsedPrompt, Readiness


class NoCost:
    """Draws a white sheet at once."""

    name = "diffusers"

    def __init__(self) -> None:
        self._known: dict[Sequence[Need], tuple[Readiness, ...]] = {}

    def check(self, flow: Flow) -> Readiness:
        """Everything runs."""
        return Readiness()

    def missing(self, needs: Sequence[Need]) -> tuple[Readiness, ...]:
        """Nothing is."""
        if needs not in self._known:
            self._known = {needs: tuple(Readiness() for _ in needs)}
        return self._known[needs]

    def limits(self, flow: Flow, prompt: str, parsed: ParsedPrompt) -> tuple[str, ...]:
        """It knows every word."""
        return ()

    def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
        """A white sheet."""
        return Drawn(Image.new("RGB", (64, 64), "white"), 0.0, {"device": "none"})
