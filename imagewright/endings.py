"""How a run may end, for whoever wants a picture and nothing else."""

from __future__ import annotations

from imagewright.errors import BadInput, NeedsAnswer
from imagewright.intents import Question
from imagewright.schemas import RunResult


def require_picture(run: str, result: RunResult | None, question: Question | None) -> RunResult:
    """What ``run`` delivered, for whoever wants a picture and nothing else.

    Raises:
        NeedsAnswer: it asks first; ``resume`` takes the reply.
        BadInput: it said something instead.
    """
    if question is not None:
        remedy = f'answer it with: imagewright runs resume {run} --reply "…"'
        raise NeedsAnswer(question.text, remedy, run, question.choices)
    if result is None:
        raise BadInput("it makes no picture: it is part of a conversation", "go on with: imagewright chat")
    return result
