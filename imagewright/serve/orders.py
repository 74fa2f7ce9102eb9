"""What a client orders and what comes of it, as the queue keeps them: plain values that outlive the process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from imagewright.errors import BadInput, BudgetSpent, Cancelled, CannotDraw, Fault, ImagewrightError, NeedsAnswer
from imagewright.schemas import DrawRequest, Value

OrderKind = Literal["draw", "say", "resume", "replay"]
EndStatus = Literal["done", "failed", "cancelled"]

CODES: dict[type[ImagewrightError], str] = {
    BadInput: "bad_input",
    CannotDraw: "cannot_draw",
    BudgetSpent: "budget_spent",
    NeedsAnswer: "needs_answer",
    Cancelled: "cancelled",
}
"""What a program reads of an error; anything else is ``server_error``."""


class JobOrder(Value):
    """One piece of work for the engine."""

    kind: OrderKind
    request: DrawRequest
    """What to draw; of ``say`` its prompt is what is said, and its thread the conversation."""
    target: str = ""
    """The run that is resumed or replayed; of ``say`` the turn that it goes on from, empty for the present one."""
    reply: str | None = None
    """The answer that a resumed run waits for."""
    asks: bool = False
    """Whether a drawn or resumed run may end with a question."""
    follows: bool = False
    """Of ``say``: one of several variations behind the first; where the conversation asks something, it is not done."""


class Trouble(Value):
    """Why nothing came of an order."""

    code: str
    message: str
    remedy: str = ""

    def to_error(self) -> ImagewrightError:
        """The same as an exception again: for a client that speaks for the engine."""
        kind = next((kind for kind, code in CODES.items() if code == self.code), Fault)
        return kind(self.message, self.remedy)

    @classmethod
    def of(cls, error: ImagewrightError) -> Trouble:
        """As a client is told it."""
        code = next((code for kind, code in CODES.items() if isinstance(error, kind)), "server_error")
        return cls(code=code, message=str(error), remedy=error.remedy)


class Ending(Value):
    """What an order came to: a picture, words, a question, or trouble."""

    run: str = ""
    image: str = ""
    """SHA-256 of the delivered picture."""
    text: str = ""
    """What was answered or asked."""
    asked: bool = False
    """Whether ``text`` is a question that the next saying, or ``resume``, answers."""
    choices: tuple[str, ...] = ()
    same: bool | None = None
    """Of a replay: whether the pixels are the same."""
    mean_difference: float | None = None
    differences: tuple[str, ...] = ()
    """Of a replay, as ``imagewright.trace.Replay`` has them."""
    trouble: Trouble | None = None


def cut_at_question(endings: Sequence[Ending]) -> list[Ending]:
    """What several variations came to: up to the first that made no picture, for then the others are not drawn."""
    count = next((number for number, ending in enumerate(endings, 1) if not ending.image), len(endings))
    return list(endings[:count])


class QueuedJob(Value):
    """One row of the queue."""

    id: str
    owner: str
    """The client whose token ordered it."""
    order: JobOrder
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    stop: bool = False
    """Whether it was asked to end."""
    tries: int = 0
    """How many workers have begun it: more than one where a process was killed."""
    created: float
    """Seconds since 1970, UTC; so are the other times."""
    started: float | None = None
    ended: float | None = None
    outcome: Ending | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status not in ("queued", "running")
