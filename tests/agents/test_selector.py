"""The rules' choice among flows."""

from __future__ import annotations

import pytest

from imagewright.agents.rules.selector import RulesSelector
from imagewright.errors import Fault
from imagewright.schemas import Candidate, Categories

CATEGORIES = Categories(labels=("Counting",))


def candidate(flow: str, estimate: float, cost: float | None = None, evidence: int = 0) -> Candidate:
    """A flow that is offered."""
    return Candidate(
        flow=flow, title=flow, estimate=estimate, low=0, high=1, runnable=True, cost=cost, evidence=evidence
    )


def test_the_best_estimate_wins_and_the_reason_says_what_stands_behind_it() -> None:
    choice = RulesSelector().select("p", CATEGORIES, (candidate("a", 0.5), candidate("b", 0.7, evidence=12)))
    assert (choice.flow, choice.decided_by) == ("b", "rules")
    assert choice.reason == "best estimate of 2 flows (0.70, 12 measured scores)"


def test_among_equals_the_cheaper_then_the_first_name_wins() -> None:
    select = RulesSelector().select
    assert (
        select("p", CATEGORIES, (candidate("a", 0.5), candidate("b", 0.5, cost=9), candidate("c", 0.5, cost=2))).flow
        == "c"
    )
    assert select("p", CATEGORIES, (candidate("b", 0.5), candidate("a", 0.5))).flow == "a"


def test_a_flow_without_scores_says_so() -> None:
    choice = RulesSelector().select("p", CATEGORIES, (candidate("a", 0.5), candidate("b", 0.7)))
    assert "no scores of its own yet" in choice.reason


def test_no_flows_are_our_fault() -> None:
    with pytest.raises(Fault):
        RulesSelector().select("p", CATEGORIES, ())
