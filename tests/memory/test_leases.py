"""Leases: held while their process lives, let go of by a kill at once, taken over from a machine that is silent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from imagewright.database import database
from imagewright.errors import BadInput
from imagewright.memory import leases as module
from imagewright.memory.leases import LEASE_TABLES, LeaseHeld, Leases, this_machine
from imagewright.memory.runs import RunLog, new_run_id

HOLD = """
import sys, time
from pathlib import Path
from imagewright.memory.leases import Leases
with Leases(Path(sys.argv[1])).hold(["a"], 0.0):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    return Leases(tmp_path / "db.sqlite")


def change(leases: Leases, query: str, *values: object) -> None:
    with database(leases.path, "leases", LEASE_TABLES) as connection:
        connection.execute(query, values)


def until_of(leases: Leases, name: str) -> float:
    holder = leases.holder_of(name)
    assert holder is not None
    return holder.until


def test_what_is_held_is_refused_to_others_and_free_afterwards(leases: Leases) -> None:
    with leases.hold(["a", "b"], 0.0):
        with pytest.raises(LeaseHeld, match=f"b is held by process {os.getpid()} on "), leases.hold(["b", "c"], 0.05):
            pass
        assert leases.holder_of("c") is None, "all or none"
    assert leases.holder_of("a") is leases.holder_of("b") is None
    with leases.hold(["b"], 0.0):
        pass


def test_a_process_holds_while_it_lives_also_stopped_and_a_kill_lets_go_at_once(leases: Leases) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(leases.path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.send_signal(signal.SIGSTOP)
    change(leases, "UPDATE leases SET until = ?", time.time() - 3600)
    with pytest.raises(LeaseHeld, match=f"process {process.pid} on "), leases.hold(["a"], 0.0):
        pass
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has asked how yet
    with leases.hold(["a"], 0.0):
        pass
    process.wait()


def test_another_machine_holds_until_its_time_runs_out(leases: Leases) -> None:
    row = ("a", "theirs", "elsewhere mark", os.getpid(), "1")
    with leases.hold(["b"], 0.0):
        pass
    change(leases, "INSERT INTO leases VALUES (?, ?, ?, ?, ?, ?)", *row, time.time() + 60)
    with pytest.raises(LeaseHeld, match=f"process {os.getpid()} on elsewhere$"), leases.hold(["a"], 0.05):
        pass
    change(leases, "UPDATE leases SET until = ?", time.time() - 0.01)
    assert leases.holder_of("a") is None
    with leases.hold(["a"], 0.0):
        holder = leases.holder_of("a")
        assert holder is not None
        assert (holder.machine, holder.token != "theirs") == (this_machine(), True)


def test_a_number_that_another_process_has_now_holds_nothing(leases: Leases) -> None:
    row = ("a", "old", this_machine(), os.getpid(), "1", time.time() + 60)
    with leases.hold(["b"], 0.0):
        pass
    change(leases, "INSERT INTO leases VALUES (?, ?, ?, ?, ?, ?)", *row)
    assert leases.holder_of("a") is None


def test_it_is_renewed_and_one_that_was_taken_over_stops_its_holder(
    leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BEAT", 0.02)
    kept, lost = threading.Event(), threading.Event()
    with leases.hold(["a"], 0.0, kept), leases.hold(["b"], 0.0, lost):
        begun = until_of(leases, "a")
        end = time.monotonic() + 30
        while until_of(leases, "a") == begun:
            assert time.monotonic() < end
            time.sleep(0.02)
        change(leases, "UPDATE leases SET token = 'theirs', machine = 'elsewhere' WHERE name = 'b'")
        assert lost.wait(30)
        assert not kept.is_set()
    assert leases.holder_of("b") is not None, "theirs stays theirs"


def test_a_second_worker_on_a_run_or_in_its_conversation_hears_who_holds_it(tmp_path: Path) -> None:
    log, run, other = RunLog(tmp_path / "db.sqlite", tmp_path / "locks"), new_run_id(), new_run_id()
    who = f"by another process \\(process {os.getpid()} on"
    with log.working_on(run, "thread night"):
        with pytest.raises(BadInput, match=f"run {run} is being drawn {who}"), log.working_on(run, "thread night"):
            pass
        with pytest.raises(BadInput, match=f"'night' is being worked on {who}"), log.working_on(other, "thread night"):
            pass
        assert (log.is_busy("thread night"), log.is_alive(run), log.is_alive(other)) == (True, True, False)
        with log.working_on(other, "thread day"):
            pass
    assert not log.is_busy("thread night")


def test_a_beat_while_it_is_taken_is_never_mistaken_for_a_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, take = threading.Event(), Leases._take

    def take_at_a_beat(leases: Leases, names: Any, token: str) -> Any:
        module._heart._renew(token, module._heart.held[token])
        return take(leases, names, token)

    monkeypatch.setattr(Leases, "_take", take_at_a_beat)
    with Leases(tmp_path / "leases.sqlite3").hold(["run 1"], 1.0, stop):
        assert not stop.is_set()
