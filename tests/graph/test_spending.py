"""What a node uses is counted also where it is cut off, and goes on being counted by whoever resumes the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import BudgetSpent, Cancelled
from imagewright.graph import spending
from imagewright.graph.spending import is_reply, is_yes
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
            seen.append(json.loads(home.runs.note_of(event.run)))

    home.backend.delay = 0.2
    home.draw(PROMPT, on_event=listen)
    assert seen[0]["at"].startswith("generate 0 ")
    assert seen[0]["spent"]["seconds"] > 0


def test_a_word_about_another_visit_or_no_word_at_all_counts_nothing(studio: Studio) -> None:
    home = studio()
    run = home.draw(PROMPT).run
    for text in ("", "{", "[]", '{"at": "generate 0 0.0"}', '{"at": "elsewhere", "spent": {"seconds": 99}}'):
        home.runs.note(run, text)
        assert home.runs.note_of(run) == text
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
