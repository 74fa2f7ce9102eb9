"""Polish: a picture that is right is drawn with words for its light, angle or mood added."""

from __future__ import annotations

from typing import ClassVar, Literal

from imagewright.agents.critic.repairs.base import KnownRepair


class Polish(KnownRepair):
    """No repair of a fault: it is on no ladder, no critic may propose it, and the memory of faults leaves it out.

    The loop makes it of a suggestion for the beauty of a picture that was accepted.
    """

    remembered: ClassVar[bool] = False

    kind: Literal["polish"] = "polish"
    prompt: str | None = None
    """The prompt with the words added."""
