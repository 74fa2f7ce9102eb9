"""What a node uses is counted also where it is cut off, and goes on being counted by whoever resumes the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright.agents.account import Account, Price, Prices
from imagewright.errors import BudgetSpent, Cancelled
from imagewright.graph import spending
from imagewright.graph.spending import asks_about_a_limit, is_reply, is_yes
from imagewright.schemas import RunEvent

PROMPT = "two red circles above a blue square on a white background"
Studio = Callable[..., Any]


class Killed(BaseException):
    """Stands for the end of the process."""


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def killing(clock: Clock, seconds: float) -> Callable[..., Any]:
    """A flaw of the painter: time passes, and then the process is gone."""

    def gone(job: Any, regions: Any) -> Any:
        clock.now += seconds
        raise Killed

    return gone


def killed(home: Any, **options: Any) -> str:
    """Draw until the process is gone; the run."""
    with pytest.raises(Killed):
        home.draw(PROMPT, **options)
    return str(home.runs.list()[0].id)


def test_time_before_a_kill_counts_after_it(studio: Studio) -> None:
    clock = Clock()
    run = killed(studio(clock=clock, flaw=killing(clock, 7.0)), max_seconds=10.0)
    later = Clock()
    later.now = 1000.0  # hours may lie between: only time at work counts
    result = studio(clock=later).resume(run)
    assert result.seconds == pytest.approx(7.0)
    assert json.loads(Path(result.trace).read_text())["spent"]["seconds"] == pytest.approx(7.0)


def test_time_before_a_stop_counts_after_it(studio: Studio) -> None:
    clock = Clock()
    home = studio(clock=clock)
    home.backend.delay = 0.05

    def stop(event: RunEvent) -> None:
        if event.kind == "step" and event.step == 2:
            clock.now += 7.0
            home.parts.stop.set()

    with pytest.raises(Cancelled):
        home.draw(PROMPT, on_event=stop, max_seconds=10.0)
    assert studio(clock=Clock()).resume(home.runs.list()[0].id).seconds == pytest.approx(7.0)


def test_a_budget_that_was_used_before_the_kill_is_used(studio: Studio) -> None:
    clock = Clock()
    run = killed(studio(clock=clock, flaw=killing(clock, 11.0)), max_seconds=10.0)
    with pytest.raises(BudgetSpent, match="10 seconds is used, and no picture was made") as error:
        studio(clock=Clock()).resume(run)
    assert error.value.remedy == "raise it with --max-seconds"


def test_time_adds_up_over_several_kills(studio: Studio) -> None:
    clock = Clock()
    run = killed(studio(clock=clock, flaw=killing(clock, 3.0)), max_seconds=10.0)
    with pytest.raises(Killed):
        studio(clock=clock, flaw=killing(clock, 4.0)).resume(run)
    assert studio(clock=Clock()).resume(run).seconds == pytest.approx(7.0)


def test_a_process_that_dies_without_a_word_left_one_half_a_second_before(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL runs no handler: then the word of the thread counts."""
    monkeypatch.setattr(spending, "BEAT", 0.01)
    home = studio()
    seen: list[dict[str, Any]] = []

    def listen(event: RunEvent) -> None:
        if event.kind == "step" and event.step == 4:
            seen.append(json.loads(home.runs.noted(event.run)))

    home.backend.delay = 0.2
    home.draw(PROMPT, on_event=listen)
    assert seen[0]["at"].startswith("generate 0 ")
    assert seen[0]["spent"]["seconds"] > 0


def test_a_word_about_another_visit_or_no_word_at_all_counts_nothing(studio: Studio) -> None:
    home = studio()
    run = home.draw(PROMPT).run
    for text in ("", "{", "[]", '{"at": "generate 0 0.0"}', '{"at": "elsewhere", "spent": {"seconds": 99}}'):
        home.runs.note(run, text)
        assert home.runs.noted(run) == text
        assert home.draw(PROMPT).seconds < 60


# --- the person's word on a limit -----------------------------------------------------------


@pytest.mark.parametrize("said", ["y", "Yes", " YES. ", "ok", "go on!"])
def test_what_counts_as_yes(said: str) -> None:
    assert is_yes(said)
    assert is_reply(said)


@pytest.mark.parametrize(("said", "answers"), [("n", True), ("", True), ("No.", True), ("make it red", False)])
def test_everything_else_is_no_and_some_of_it_is_something_new(said: str, answers: bool) -> None:
    assert not is_yes(said)
    assert is_reply(said) is answers


MANY = "three red circles and three blue squares"


def asking(studio: Studio, **options: Any) -> tuple[Any, Any]:
    """A conversation whose pictures get better one by one, and what it says first."""
    kept: list[Any] = []
    home = studio(flaw=lambda job, regions: regions[: len(kept[0].backend.jobs)])
    kept.append(home)
    return home, home.say(MANY, **options)


def test_before_the_images_run_out_the_person_is_asked_and_yes_goes_on(studio: Studio) -> None:
    home, asked = asking(studio, max_images=2)
    assert asked.question is not None
    assert asks_about_a_limit(asked.question.text)
    assert asked.question.text.startswith("another picture would pass your limit of 2 images (the best so far scores ")
    assert len(home.draws("done")) == 2, "asked before, not after"
    again = home.reply("y")
    assert again.question is not None
    assert "limit of 4 images" in again.question.text
    assert len(home.draws("done")) == 4
    done = home.reply("y").result
    assert done.images == 6
    assert done.rounds[-1].verdict.accepted
    assert len(home.draws("begin")) == 6, "nothing was drawn twice"


def test_no_delivers_the_best_and_the_note_says_which_limit(studio: Studio) -> None:
    home, asked = asking(studio, max_images=2)
    assert asked.question is not None
    done = home.reply("no thanks").result
    assert done.images == 2
    told = "stopped: the budget of 2 images is used; raise it with --max-images; the best picture is delivered"
    assert told in done.notes


def test_a_program_is_never_asked(studio: Studio) -> None:
    kept: list[Any] = []
    home = studio(flaw=lambda job, regions: regions[: len(kept[0].backend.jobs)])
    kept.append(home)
    result = home.draw(MANY, max_images=2)
    assert result.images == 2
    assert any("raise it with --max-images" in note for note in result.notes)


def test_seconds_that_end_inside_a_picture_are_asked_about_and_the_answer_outlives_the_process(studio: Studio) -> None:
    clock = Clock()
    home = studio(clock=clock)
    home.backend.delay = 0.05

    def slow(event: RunEvent) -> None:
        clock.now += 8.0 if event.kind == "step" and event.step == 2 else 0.0

    asked = home.say(PROMPT, max_seconds=5.0, on_event=slow)
    assert asked.question is not None
    assert asked.question.text == "this picture would pass your limit of 5 seconds: go on? [y/N]"
    later = studio(clock=Clock())
    assert later.runs.list()[0].status == "asked"
    done = later.reply("y").result
    assert done.images == 1
    assert done.seconds == pytest.approx(8.0)


PRICES = Prices({}, {"painter:paint": 0.04})


def test_pictures_cost_money_and_the_limit_holds(studio: Studio, kit: ModuleType) -> None:
    home = studio(flaw=kit.always_a_star_too_many, account=Account(max_money=0.1, prices=PRICES))
    result = home.draw(PROMPT, max_images=9, max_money=0.1)
    assert result.images == 2
    assert json.loads(Path(result.trace).read_text())["spent"]["money"] == pytest.approx(0.08)
    assert any("$0.1 has no room for it ($0.0800 used); raise it with --max-money" in note for note in result.notes)


def test_a_picture_without_a_price_is_not_paid_for_from_a_limited_purse(studio: Studio) -> None:
    home = studio(account=Account(max_money=0.1, prices=Prices()))
    with pytest.raises(BudgetSpent, match="no price for pictures of painter:paint, and no picture was made"):
        home.draw(PROMPT, max_money=0.1)
    assert home.draws() == []


def test_money_is_asked_about_in_a_conversation(studio: Studio) -> None:
    home = studio(account=Account(max_money=0.03, prices=PRICES))
    asked = home.say(PROMPT, max_money=0.03)
    assert asked.question is not None
    told = "a picture of painter:paint would pass your limit of $0.03 ($0.0000 used): go on? [y/N]"
    assert asked.question.text == told
    assert home.draws() == []
    done = home.reply("y").result
    assert done.images == 1


def test_what_has_no_price_costs_an_unknown_sum_in_the_trace(studio: Studio) -> None:
    result = studio(account=Account(prices=Prices({"a": Price(1, 1)}, {}))).draw(PROMPT)
    spent = json.loads(Path(result.trace).read_text())["spent"]
    assert spent["money"] == "unknown"
    assert (spent["money_at_least"], spent["unpriced"]) == (0.0, ["painter:paint"])
