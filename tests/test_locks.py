"""Locks between processes, and what is told where there are none, of a locked database and of a full disk."""

from __future__ import annotations

import errno
import fcntl
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from imagewright.cli.boundary import as_ours
from imagewright.database import open_database, storage_errors
from imagewright.errors import BadInput, Fault
from imagewright.locks import LockHeld, hold_lock
from imagewright.memory.runs import RunLog, new_run_id
from imagewright.retrieval.chroma_mirror import MirrorBusy, lock_mirror

HOLDER = """
import sys
from pathlib import Path
from imagewright.locks import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_killed_process_is_free(end: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "locks" / "one"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LockHeld), hold_lock(path, 0.1):
            pass
        process.send_signal(end)
        process.wait()
        with hold_lock(path, 5.0):
            pass


def test_another_thread_waits_and_one_that_is_free_again_is_taken(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", list[str]()

    def work() -> None:
        with hold_lock(path, 10.0):
            order.append("second")

    with hold_lock(path):
        thread = threading.Thread(target=work)
        thread.start()
        with pytest.raises(LockHeld), hold_lock(path):
            pass
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_in_words(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    log = RunLog(tmp_path / "db.sqlite", tmp_path / "locks")
    with log.working_on(run := new_run_id()):  # runs are held by rows, and need none
        assert log.is_alive(run)
    with pytest.raises(BadInput, match="knows no locks") as caught, hold_lock(tmp_path / "locks" / "one"):
        pass
    assert "IMAGEWRIGHT_HOME" in caught.value.remedy
    assert as_ours(caught.value).exit_code == 2
    with pytest.raises(MirrorBusy, match="knows no locks"), lock_mirror(tmp_path / "chroma" / "lock", 0.1):
        pass


def test_what_is_said_of_a_run_outlives_its_lock(tmp_path: Path) -> None:
    log, run = RunLog(tmp_path / "db.sqlite", tmp_path / "locks"), new_run_id()
    with log.working_on(run):
        log.note(run, "a word")
    with log.working_on(run):
        assert log.note_of(run) == "a word"
    log.forget(run)
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file"), hold_lock(tmp_path / "file" / "lock"):
        pass


# --- one word for each ----------------------------------------------------------------------


def test_a_locked_database_is_told_alike_inside_and_at_the_boundary(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    with closing(open_database(path)) as one, closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as two:
        one.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as raw:
            two.execute("BEGIN IMMEDIATE")
        with pytest.raises(BadInput) as inside, storage_errors(path):
            two.execute("BEGIN IMMEDIATE")
    told = [as_ours(raw.value), as_ours(inside.value)]
    assert {error.exit_code for error in told} == {2}
    assert {error.remedy for error in told} == {"wait for it to finish, or end it, and try again"}
    assert all("is locked by another program" in str(error) for error in told)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_alike(code: int, tmp_path: Path) -> None:
    raw = OSError(code, "No space left on device", str(tmp_path / "a.png"))
    with pytest.raises(BadInput) as inside, storage_errors(tmp_path):
        raise raw
    at_the_boundary = as_ours(raw)
    assert (str(inside.value), inside.value.remedy) == (str(at_the_boundary), at_the_boundary.remedy)
    assert at_the_boundary.exit_code == 2


def test_a_mistake_of_ours_stays_one() -> None:
    for error in (
        sqlite3.IntegrityError("UNIQUE"),
        sqlite3.OperationalError("no such column"),
        OSError(errno.EIO, "x"),
    ):
        assert isinstance(as_ours(error), Fault)
