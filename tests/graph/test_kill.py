"""A hundred kills -9 at random moments: each run goes on, is delivered once, and gives the same pictures.

The processes are forked from this one, which has everything imported, so that a kill costs milliseconds.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sqlite3
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SAYINGS = ("two red circles above a blue square", "make the left one green", "one more", "undo", "without the square")


def forked(work: Callable[[Callable[[Any], None]], None]) -> tuple[int, int]:
    """Do ``work`` in a process of its own, which tells a byte for each event; its id and the pipe's end."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    code = 1
    try:
        work(lambda event: os.write(writing, b".") and None)
        code = 0
    except BaseException:  # noqa: BLE001 - a forked process must never return into pytest
        traceback.print_exc()
    finally:
        os._exit(code)


def killed(pid: int, pipe: int, events: int, pause: float) -> bool:
    """Kill the process ``pause`` seconds after its event number ``events``; whether it was still alive."""
    heard = 0
    while heard < events:
        if not select.select([pipe], [], [], 60)[0] or not (told := os.read(pipe, 1)):
            break
        heard += len(told)
    time.sleep(pause)
    os.kill(pid, signal.SIGKILL)
    os.close(pipe)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def finished(pid: int, pipe: int) -> int:
    """Wait for the process; its exit code."""
    while os.read(pipe, 4096):
        pass
    os.close(pipe)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.slow
def test_a_hundred_kills_at_random_moments_of_a_run(kit: ModuleType, tmp_path: Path) -> None:
    whole = kit.Studio(tmp_path / "whole", flaw=kit.always_a_star_too_many)
    expected = whole.draw("two red circles above a blue square")
    events = len(whole.events)
    chance = random.Random(100)
    alive = 0
    for number in range(100):
        home = tmp_path / str(number)

        def begin(tell: Any, home: Path = home) -> None:
            kit.Studio(home, flaw=kit.always_a_star_too_many).draw("two red circles above a blue square", on_event=tell)

        alive += killed(*forked(begin), chance.randint(1, events), chance.uniform(0, 0.02))
        kept = kit.Studio(home, flaw=kit.always_a_star_too_many)
        if not kept.runs.list():
            continue  # killed before the run was written down: nothing had begun
        run = kept.runs.list()[0].id

        def go_on(tell: Any, home: Path = home, run: str = run) -> None:
            kit.Studio(home, flaw=kit.always_a_star_too_many).resume(run, tell)

        assert finished(*forked(go_on)) == 0
        result = kept.runs.get(run).result
        assert [made.image for made in result.rounds] == [made.image for made in expected.rounds], number
        with sqlite3.connect(home / "db.sqlite") as connection:
            assert connection.execute("SELECT count(*) FROM deliveries").fetchone() == (1,)
        assert len(list(home.glob("imagewright-*.png"))) == 1
    assert alive >= 80


def talk(home: Any, from_turn: int, tell: Any) -> None:
    """Say the rest of the conversation, as a chat does: what was cut off is finished first."""
    for said in SAYINGS[from_turn:]:
        home.say(said, on_event=tell)


@pytest.mark.parametrize("number", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 40))])
def test_a_conversation_killed_at_a_random_moment(kit: ModuleType, tmp_path: Path, number: int) -> None:
    whole = kit.Studio(tmp_path / "whole")
    for said in SAYINGS:
        whole.say(said)
    chance = random.Random(number)
    home = tmp_path / "killed"
    events = chance.randint(1, len(whole.events))
    killed(*forked(lambda tell: talk(kit.Studio(home), 0, tell)), events, chance.uniform(0, 0.02))
    kept = kit.Studio(home)
    kept.finish()
    talk(kept, len(kept.turns()), None)
    assert kept.turns() == whole.turns()
    assert kept.line() == whole.line()
