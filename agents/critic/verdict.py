"""What every critic shares: how checks become a score and a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from imagewright.ports import Picture
from imagewright.schemas import Check, Layout, ParsedPrompt, Repair, Verdict
from imagewright.verdicts import NOT_JUDGED

UNABLE = "no critic here can judge this prompt"
_WEIGHTS = {
    "present": 1.0, "count": 1.0, "form": 0.5, "attribute": 1.0, "relation": 1.0, "absent": 1.0, "background": 1.0,
}  # fmt: skip
"""A half-formed thing is nearer to what was asked for than none."""


def not_judged(name: str, what: str) -> Check:
    """A check that is listed and never fails."""
    return Check(name=name, passed=True, detail=f"{NOT_JUDGED}: {what}")


def failed_checks(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The checks that were judged and failed."""
    return tuple(check for check in checks if check.counts and not check.passed)


def only_form(failed: Sequence[Check]) -> bool:
    """Whether all that was asked for is there, and only the form of a thing is doubted."""
    return bool(failed) and all(check.name == "form" for check in failed)


def score(checks: Sequence[Check]) -> float:
    """The weighted share of judged checks that passed, in [0, 1]; 1 where nothing could be judged."""
    judged = [check for check in checks if check.counts]
    total = sum(_WEIGHTS.get(check.name, 1.0) for check in judged)
    passed = sum(_WEIGHTS.get(check.name, 1.0) for check in judged if check.passed)
    return passed / total if total else 1.0


def verdict(checks: Sequence[Check], repair: Repair | None, decided_by: str) -> Verdict:
    """Accepted when no judged check failed; otherwise with its one repair."""
    if not any(check.counts for check in checks):
        return Verdict(accepted=True, score=1.0, checks=(*checks, not_judged("present", UNABLE)), decided_by=decided_by)
    accepted = not failed_checks(checks)
    return Verdict(
        accepted=accepted,
        score=score(checks),
        checks=tuple(checks),
        repair=None if accepted else repair,
        decided_by=decided_by,
    )


def why_unchecked(judged: Verdict) -> str:
    """Why nothing at all was checked; empty when something was."""
    if any(check.counts for check in judged.checks):
        return ""
    return judged.checks[-1].detail.removeprefix(f"{NOT_JUDGED}: ") if judged.checks else UNABLE


class NoCritic:
    """Stands where no critic can be had, and says so; every picture is accepted."""

    def __init__(self, why: str) -> None:
        self.why = why

    def judge(
        self, image: Picture, prompt: str, parsed: ParsedPrompt, layout: Layout | None, tried: Sequence[Verdict]
    ) -> Verdict:
        """Accept, with the reason why nothing was checked."""
        return Verdict(accepted=True, score=1.0, checks=(not_judged("present", self.why),), decided_by="none")
