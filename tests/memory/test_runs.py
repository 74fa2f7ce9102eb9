"""The log of runs: what was asked, how it stands, and one delivery each."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imagewright.database import database
from imagewright.errors import BadInput
from imagewright.memory.run_tables import RUN_TABLES
from imagewright.memory.runs import RunLog, new_run_id
from imagewright.schemas import DrawRequest, RunResult


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """An empty log."""
    return RunLog(tmp_path / "db.sqlite", tmp_path / "locks")


def started(log: RunLog, prompt: str = "a red circle", seed: int = 2**64 - 1) -> str:
    """A run that has begun."""
    run = new_run_id()
    log.start(run, f"run {run}", DrawRequest(prompt=prompt), seed, Path("/tmp/picture.png"))
    return run


def result(run: str, image: str = "a" * 64) -> RunResult:
    """What a run delivers."""
    return RunResult(
        run=run, prompt="a red circle", path="/tmp/picture.png", image=image, seed=1, flow="f", categories=(),
        candidates=(), layout=None, rounds=(), images=1, seconds=1.0,
    )  # fmt: skip


def test_run_ids_are_short_and_sort_by_time() -> None:
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{6}", new_run_id())
    assert len({new_run_id() for _ in range(50)}) == 50


def test_a_run_goes_from_running_to_delivered(log: RunLog) -> None:
    run = started(log)
    with log.working_on(run):
        assert log.get(run).status == "running"
        assert log.get(run).seed == 2**64 - 1
        assert log.deliver(result(run), {"why": "because"})
    assert log.get(run).status == "delivered"
    assert log.result_of(run) == result(run)
    assert log.show(run)["why"] == "because"


def test_what_a_run_has_used_is_read_without_the_rest_of_its_trace(log: RunLog) -> None:
    run, without, broken = started(log), started(log), started(log)
    assert log.spent_by(run) == {}
    log.deliver(result(run), {"spent": {"tokens_in": 3, "money": 0.25}, "rounds": []})
    log.deliver(result(without), {"rounds": []})
    log.deliver(result(broken), {})
    with database(log.path, "memory", RUN_TABLES) as connection:
        connection.execute("UPDATE deliveries SET trace = '{' WHERE run = ?", (broken,))
    assert log.spent_by(run) == log.show(run)["spent"] == {"tokens_in": 3, "money": 0.25}
    assert log.spent_by(without) == {}
    with pytest.raises(BadInput, match=f"the trace of run {broken}"):
        log.spent_by(broken)


def test_a_run_is_delivered_once_whoever_comes_second(log: RunLog) -> None:
    run = started(log)
    assert log.deliver(result(run), {"first": True})
    assert not log.deliver(result(run, "b" * 64), {"first": False})
    assert log.result_of(run) == result(run)
    log.mark(run, "failed", "too late")
    assert log.get(run).status == "delivered"


def test_many_threads_deliver_one_run_once(log: RunLog) -> None:
    run = started(log)
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(log.deliver(result(run), {}))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 7 + [True]


def test_a_run_whose_process_is_gone_is_interrupted(log: RunLog, tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from imagewright.memory.runs import RunLog, new_run_id\nfrom imagewright.schemas import DrawRequest\n"
        "log = RunLog(Path(sys.argv[1]), Path(sys.argv[2]))\nrun = new_run_id()\n"
        "with log.working_on(run):\n"
        "    log.start(run, run, DrawRequest(prompt='p'), 1, Path('/tmp/p.png'))\n"
        "    print(run, log.get(run).status, flush=True)\n    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(log.path), str(log.locks)], capture_output=True, text=True, check=False
    )
    run, status = done.stdout.split()
    assert status == "running"
    assert log.get(run).status == "interrupted"
    with log.working_on(run):
        assert log.get(run).status == "running"


def test_two_cannot_work_on_one_run(log: RunLog) -> None:
    run = started(log)
    with log.working_on(run), pytest.raises(BadInput, match="by another process"), log.working_on(run):
        pass
    with log.working_on(run):
        pass


def test_the_list_is_newest_first_and_as_long_as_asked(log: RunLog) -> None:
    runs = [started(log, prompt) for prompt in ("b", "a", "c")]
    assert [row.id for row in log.list(2)] == [runs[2], runs[1]]
    assert log.list(0) == ()


def test_a_failed_run_says_why(log: RunLog) -> None:
    run = started(log)
    log.mark(run, "failed", "no flow here")
    shown = log.show(run)
    assert (shown["status"], shown["error"], shown["prompt"]) == ("failed", "no flow here", "a red circle")


@pytest.mark.parametrize("run", ["", "nope", "../../x", "20261121-120000-abcdef"])
def test_a_run_that_is_not_there(log: RunLog, run: str) -> None:
    with pytest.raises(BadInput, match="no run is called"):
        log.get(run)


def test_a_word_can_be_left_about_a_run_and_a_shorter_one_covers_it(log: RunLog) -> None:
    run = new_run_id()
    assert log.note_of(run) == ""
    with log.working_on(run):
        log.note(run, "a long word about it")
        log.note(run, "short")
        assert log.note_of(run) == "short"
    assert log.note_of(run) == "short", "it outlives the process that left it"
