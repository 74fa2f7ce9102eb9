"""The choice of a flow by rules: the best estimate wins."""

from __future__ import annotations

from collections.abc import Sequence

from imagewright.errors import Fault
from imagewright.schemas import Candidate, Categories, Choice


class RulesSelector:
    """Takes the best estimate; among equals the cheaper flow, then the one whose id comes first."""

    def select(self, prompt: str, categories: Categories, candidates: Sequence[Candidate]) -> Choice:
        """One of ``candidates``, with the reason in words.

        Raises:
            Fault: there are no candidates.
        """
        if not candidates:
            raise Fault("the selector was asked to choose among no flows")
        ordered = sorted(candidates, key=_preference)
        return Choice(flow=ordered[0].flow, reason=_reason(ordered))


def _preference(candidate: Candidate) -> tuple[float, float, str]:
    cost = float("inf") if candidate.cost is None else candidate.cost
    return (-candidate.estimate, cost, candidate.flow)


def _reason(ordered: Sequence[Candidate]) -> str:
    best = ordered[0]
    if len(ordered) == 1:
        return "the only flow that can be used here"
    behind = f"{best.evidence} measured scores" if best.evidence else "no scores of its own yet"
    return f"best estimate of {len(ordered)} flows ({best.estimate:.2f}, {behind})"
