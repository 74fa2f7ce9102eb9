"""The choice of a flow where exploring is switched on: what is unsure is tried as often as it may be the best.

Thompson sampling (W. R. Thompson, "On the likelihood that one unknown probability exceeds another", 1933): of each
flow one score is drawn from what is believed of it, and the greatest is chosen.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from imagewright.errors import Fault
from imagewright.schemas import Candidate, Choice

_Z90 = 1.645
"""Half the width of a 90 % interval, in standard deviations."""


def sample_flow(candidates: Sequence[Candidate], seed: int) -> Choice:
    """One of ``candidates``, the same for the same ``seed`` and estimates, in whatever order they are told.

    Raises:
        Fault: there are no candidates.
    """
    if not candidates:
        raise Fault("the selector was asked to choose among no flows")
    drawn = {candidate.flow: _draw(candidate, seed) for candidate in candidates}
    chosen = max(candidates, key=lambda candidate: (drawn[candidate.flow], candidate.flow))
    best = max(candidates, key=lambda candidate: candidate.estimate)
    believed = f"{drawn[chosen.flow]:.2f} drawn from {chosen.low:.2f} to {chosen.high:.2f}"
    other = "which is the best estimate, too" if best.flow == chosen.flow else f"the best estimate is {best.flow}'s"
    return Choice(flow=chosen.flow, reason=f"exploring: {believed}, estimate {chosen.estimate:.2f}; {other}")


def _draw(candidate: Candidate, seed: int) -> float:
    """A score in [0, 1] that the flow may have, from its estimate and interval."""
    spread = (candidate.high - candidate.low) / (2 * _Z90)
    score = random.Random(f"{seed} {candidate.flow}").gauss(candidate.estimate, spread)
    return min(1.0, max(0.0, score))
