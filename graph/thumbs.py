"""A person's thumb for a picture, kept as evidence for its flow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from imagewright.intents import Thumb
from imagewright.schemas import Evidence

_SCORER = "thumb"
"""The scorer's name under which a person's thumb is kept."""
_SEEDS = 2**63
"""How many the table of scores can tell apart; seeds go twice as far."""


class _Drawn(Protocol):
    """A picture as a conversation refers to it, or as its trace tells it."""

    @property
    def flow(self) -> str: ...
    @property
    def prompt(self) -> str: ...
    @property
    def seed(self) -> int: ...


def weigh_thumb(made: _Drawn, backend: str, thumb: Thumb) -> Evidence:
    """The evidence that a thumb is; the same picture judged twice counts once, the last time."""
    return Evidence(
        flow=made.flow,
        prompt=made.prompt,
        backend=backend,
        scorer=_SCORER,
        seed=made.seed % _SEEDS,
        value=1.0 if thumb == "up" else 0.0,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        source="person",
    )


def tell_thumb(made: _Drawn, thumb: Thumb) -> str:
    """What is said of a thumb that was kept."""
    return f"noted: thumb {thumb} for {made.flow} on {made.prompt!r}; it counts when a flow is chosen"
