"""Arms compared: means, intervals that know about prompts, and pairs by prompt and seed."""

import random

import pytest

from imagewright.errors import BadInput
from imagewright.evals.paired import ArmOutcome, arm_rows, interval, pair_row, report, row_of_removed


def outcome(arm: str, prompt: int, seed: int, score: float, images: int = 1) -> ArmOutcome:
    return ArmOutcome(arm, f"p{prompt}", seed, score, images, 2.0, "even" if prompt % 2 == 0 else "odd")


def test_an_arm_is_its_mean_by_category_and_cost() -> None:
    (row,) = arm_rows([outcome("a", p, s, float(p % 2 == 0), images=p + 1) for p in range(4) for s in (0, 1)])
    assert (row.arm, row.overall, row.images_per_prompt, row.seconds_per_prompt) == ("a", 0.5, 2.5, 2.0)
    assert row.by_category == {"even": 1.0, "odd": 0.0}
    assert row.low < 0.5 < row.high


def test_pictures_of_one_prompt_are_no_independent_witnesses() -> None:
    apart = interval([[value] for value in [1.0, 0.0] * 50])
    together = interval([[value] * 10 for value in [1.0, 0.0] * 5])
    assert together[1] - together[0] > 2 * (apart[1] - apart[0])


def test_the_interval_of_a_mean_covers_it_about_as_often_as_said() -> None:
    rng, hits = random.Random(5), 0
    for _ in range(100):
        low, high = interval([[float(rng.random() < 0.7)] for _ in range(80)])
        hits += low <= 0.7 <= high
    assert 88 <= hits <= 100


def test_a_pair_takes_the_hardness_of_prompts_out() -> None:
    rng = random.Random(1)
    outcomes = []
    for prompt in range(60):
        level = rng.random() * 0.8
        outcomes += [outcome("a", prompt, 0, level + 0.1), outcome("b", prompt, 0, level)]
    row = pair_row(outcomes, "a", "b")
    assert row.difference == pytest.approx(0.1)
    assert row.low == pytest.approx(0.1)
    # The arms' own intervals overlap; the pair's does not hold 0.
    a, b = arm_rows(outcomes)
    assert b.high > a.low


def test_only_shared_cells_count_and_none_is_an_error() -> None:
    outcomes = [outcome("a", 0, 0, 1.0), outcome("a", 1, 0, 0.0), outcome("b", 0, 0, 0.5), outcome("c", 9, 0, 1.0)]
    assert pair_row(outcomes, "a", "b").difference == 0.5
    with pytest.raises(BadInput, match="share no prompt"):
        pair_row(outcomes, "a", "c")
    made = report(outcomes, [("a", "b"), ("a", "missing")])
    assert [row.b for row in made.pairs] == ["b"]


def test_the_share_of_failures_that_an_arm_removes_has_an_interval_of_its_own() -> None:
    # Of 100 prompts "b" fails on 40; "a" gets 30 of those right, and 5 wrong that "b" has right.
    scores = [(1.0, 0.0)] * 30 + [(0.0, 0.0)] * 10 + [(0.0, 1.0)] * 5 + [(1.0, 1.0)] * 55
    outcomes = [
        outcome(arm, p, 0, score) for p, pair in enumerate(scores) for arm, score in zip("ab", pair, strict=True)
    ]
    row = row_of_removed(outcomes, "a", "b")
    assert row is not None
    assert row.share == pytest.approx(25 / 40)
    assert 0.3 < row.low < row.share < row.high < 0.9
    assert report(outcomes, [], [("a", "b"), ("a", "missing")]).removed == (row,)


def test_of_no_failures_none_can_be_removed() -> None:
    outcomes = [outcome(arm, p, 0, 1.0) for p in range(5) for arm in "ab"]
    assert row_of_removed(outcomes, "a", "b") is None
    assert report(outcomes, [], [("a", "b")]).removed == ()
