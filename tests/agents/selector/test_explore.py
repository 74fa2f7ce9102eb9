"""Exploring: what is unsure is chosen as often as it may be the best; the same seed chooses the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from imagewright import Imagewright
from imagewright.agents.selector.explore import sample_flow
from imagewright.errors import Fault
from imagewright.schemas import Candidate, DrawRequest
from imagewright.settings import load_settings


def flow(name: str, estimate: float, half: float) -> Candidate:
    """A flow that is believed to score ``estimate``, give or take ``half``."""
    return Candidate(flow=name, title=name, estimate=estimate, low=estimate - half, high=estimate + half, runnable=True)


def count(*candidates: Candidate, seeds: int = 2000) -> Counter[str]:
    return Counter(sample_flow(candidates, seed).flow for seed in range(seeds))


def test_a_flow_is_chosen_as_often_as_it_may_be_the_best() -> None:
    sure, unsure, bad = flow("sure", 0.6, 0.01), flow("unsure", 0.5, 0.3), flow("bad", 0.1, 0.01)
    chosen = count(sure, unsure, bad)
    assert chosen["bad"] == 0
    assert chosen["unsure"] / 2000 == pytest.approx(0.292, abs=0.04)  # 1 - Phi(0.1 / (0.3 / 1.645))
    assert set(count(sure, flow("unsure", 0.5, 0.0), seeds=50)) == {"sure"}


def test_the_same_seed_chooses_the_same_whatever_the_order() -> None:
    some = [flow(f"f{n}", 0.5, 0.2) for n in range(5)]
    picks = [sample_flow(some, seed) for seed in range(30)]
    assert [sample_flow(some[::-1], seed).flow for seed in range(30)] == [pick.flow for pick in picks]
    assert len({pick.flow for pick in picks}) == 5


def test_the_reason_says_that_it_explores_and_what_is_believed() -> None:
    reason = sample_flow([flow("a", 0.5, 0.2), flow("b", 0.55, 0.01)], 3).reason
    assert reason.startswith("exploring: ")
    assert "the best estimate" in reason
    with pytest.raises(Fault):
        sample_flow([], 1)


def test_exploring_is_off_unless_asked_for_and_a_plan_says_it(tmp_path: Path) -> None:
    engine, prompt = Imagewright(), "two red circles"
    assert len({engine.plan(prompt, seed=seed).flow for seed in range(2)}) == 1
    tried = [engine.plan(prompt, seed=seed, explore=True).flow for seed in range(6)]
    assert len(set(tried)) > 1
    assert [engine.plan(prompt, seed=seed, explore=True).flow for seed in range(3)] == tried[:3]
    assert engine.plan(prompt, seed=1, explore=True, flow="mini-plain").flow == "mini-plain"
    always = load_settings({"IMAGEWRIGHT_EXPLORE": "1", "IMAGEWRIGHT_HOME": str(tmp_path)})
    assert Imagewright(always).container.parts(DrawRequest(prompt="a fox")).explore is True
