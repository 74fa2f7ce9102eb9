"""When the loop ends, and which picture is handed over: the rule, one case a line."""

from __future__ import annotations

from typing import Any

import pytest

from imagewright.errors import BudgetSpent
from imagewright.graph.budget import (
    PATIENCE,
    best,
    has_stalled,
    insist_on_room,
    only_blurred,
    passing,
    pick_delivered,
    why_stop,
)
from imagewright.graph.state import Spent, State
from imagewright.schemas import Check, DrawRequest, Round, Verdict


def made(name: str, score: float | None, accepted: bool = False) -> Round:
    """A round of this score; None for one that nobody judged."""
    verdict = None if score is None else Verdict(accepted=accepted, score=score)
    return Round(image=name, flow="f", seed=1, prompt="p", layout=None, verdict=verdict)


def state(*scores: float, **fields: Any) -> State:
    """A run that has made pictures of these scores."""
    request = DrawRequest(prompt="p", **fields.pop("request", {}))
    rounds = tuple(made(str(number), score) for number, score in enumerate(scores))
    return State(run="r", request=request, seed=1, out="/p.png", rounds=rounds, **fields)


MANY = {"request": {"max_images": 20}}


@pytest.mark.parametrize(
    ("scores", "fields", "asks", "reason"),
    [
        ((0.1,), {}, False, ""),
        ((0.5, 0.5), {}, False, ""),
        ((0.5, 0.5, 0.4), {}, False, ""),
        ((0.5, *[0.5, 0.4] * 2), MANY, False, ""),
        ((0.5, *[0.5, 0.4] * 2, 0.5), MANY, False, "5 rounds in a row were no better than the best picture"),
        ((0.5, 0.6, 0.6), {}, False, ""),
        ((0.5, *[0.6] * 5), MANY, False, ""),
        ((0.5, *[0.6] * 6), {}, True, "5 rounds in a row were no better than the best picture"),
        ((0.1, 0.2, 0.3, 0.4), {}, False, "4 images were made; --max-images allows more"),
        ((0.1,), {"request": {"max_images": 1}}, False, "the budget of 1 image is used; raise it with --max-images"),
        ((0.1, 0.2, 0.3, 0.4), {}, True, ""),
        ((0.1, 0.2, 0.3, 0.4), {"extended": ("images",)}, False, ""),
        ((0.1, 0.2, 0.3, 0.4), {"declined": ("images",)}, True, "4 images were made"),
        ((0.1,), {"request": {"max_seconds": 5.0}, "spent": Spent(seconds=5.5)}, False,
         "the budget of 5 seconds is used; raise it with --max-seconds"),
        ((0.1,), {"request": {"max_seconds": 5.0}, "spent": Spent(seconds=5.5), "extended": ("seconds",)}, False, ""),
    ],
)  # fmt: skip
def test_the_stop_rule(scores: tuple[float, ...], fields: dict[str, Any], asks: bool, reason: str) -> None:
    assert why_stop(state(*scores, **fields), asks) == reason


def test_where_only_form_is_doubted_another_picture_and_three_close_ups_are_enough() -> None:
    form = Check(name="form", passed=False, detail="star: whole wanted, 1 half-formed")
    count = Check(name="count", passed=False, detail="star: 2 wanted, 1 seen")
    blurred = made("0", 0.9).model_copy(update={"verdict": Verdict(accepted=False, score=0.9, checks=(form,))})
    wrong = made("0", 0.9).model_copy(update={"verdict": Verdict(accepted=False, score=0.9, checks=(form, count))})
    assert only_blurred(blurred)
    assert not only_blurred(wrong)
    later = [made(str(number), 0.8) for number in range(1, 5)]
    assert not has_stalled((blurred, *later[:3]))
    assert has_stalled((blurred, *later))
    assert not has_stalled((wrong, *later))


def test_the_limit_that_was_allowed_twice_is_three_times_as_high() -> None:
    more = state(*[0.1] * 12, extended=("images", "images"))
    assert passing(more) == ("images", "12 images")


def test_the_best_is_an_accepted_one_then_the_highest_score_then_the_earliest() -> None:
    rounds = (made("a", 0.5), made("b", 0.9), made("c", 0.9), made("d", 0.7, accepted=True), made("e", None))
    assert best(rounds).image == "d"
    assert best((*rounds[:3], rounds[4])).image == "b"
    assert best((rounds[4], made("f", 0.0))).image == "f"


def test_a_polished_picture_is_handed_over_only_where_it_was_preferred() -> None:
    rounds = (made("a", 1.0, accepted=True), made("b", 1.0, accepted=True))
    base = State(run="r", request=DrawRequest(prompt="p"), seed=1, out="/p.png", rounds=rounds)
    assert pick_delivered(base).image == "a"
    assert pick_delivered(base.model_copy(update={"preferred": "b"})).image == "b"


def test_patience_is_counted_from_the_best_round() -> None:
    assert not has_stalled([made("a", 0.5)] * PATIENCE)
    assert has_stalled([made("a", 0.5)] * (PATIENCE + 1))


def test_without_a_picture_the_end_of_the_budget_is_an_error_that_says_how_to_raise_it() -> None:
    with pytest.raises(BudgetSpent, match="the budget of 0 images is used, and no picture was made") as error:
        insist_on_room(state(request={"max_images": 0}))
    assert error.value.remedy == "raise it with --max-images"
    insist_on_room(state())
