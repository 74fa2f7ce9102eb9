"""Connections that a thread keeps: opened once, never shared, and never to a file that is gone."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagewright.database import KEPT, close_connections, database, lend_connection, open_database, transaction

TABLE = ("CREATE TABLE t (a INTEGER)",)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The files that were opened; this thread starts with none open."""
    close_connections()
    found: list[str] = []
    connect = sqlite3.connect

    def count(path: Path, **options: Any) -> sqlite3.Connection:
        found.append(Path(path).name)
        connection: sqlite3.Connection = connect(path, **options)
        return connection

    monkeypatch.setattr(sqlite3, "connect", count)
    yield found
    close_connections()


def put(path: Path, value: int) -> None:
    with database(path, "one", TABLE) as db, transaction(db):
        db.execute("INSERT INTO t VALUES (?)", (value,))


def values(path: Path) -> list[int]:
    with database(path, "one", TABLE) as db:
        return [row["a"] for row in db.execute("SELECT a FROM t ORDER BY a")]


def test_a_thread_opens_a_file_once(tmp_path: Path, opened: list[str]) -> None:
    for number in range(5):
        put(tmp_path / "x.sqlite", number)
        put(tmp_path / "y.sqlite", number)
    assert values(tmp_path / "x.sqlite") == values(tmp_path / "y.sqlite") == [0, 1, 2, 3, 4]
    assert opened == ["x.sqlite", "y.sqlite"]

    def put_two() -> None:
        put(tmp_path / "x.sqlite", 5)
        put(tmp_path / "x.sqlite", 6)

    other = threading.Thread(target=put_two)
    other.start()
    other.join()
    assert opened == ["x.sqlite", "y.sqlite", "x.sqlite"]
    assert values(tmp_path / "x.sqlite") == [0, 1, 2, 3, 4, 5, 6]


def test_work_within_work_has_a_connection_of_its_own(tmp_path: Path, opened: list[str]) -> None:
    path = tmp_path / "x.sqlite"
    with database(path, "one", TABLE) as db, transaction(db):
        db.execute("INSERT INTO t VALUES (1)")
        assert values(path) == []
    assert values(path) == [1]
    assert opened == ["x.sqlite"] * 2


def test_a_connection_comes_back_as_new(tmp_path: Path, opened: list[str]) -> None:
    with lend_connection(tmp_path / "x.sqlite") as db:
        db.row_factory = None
    with lend_connection(tmp_path / "x.sqlite") as db:
        assert db.execute("SELECT 1 AS one").fetchone()["one"] == 1
        db.execute("BEGIN IMMEDIATE")
    put(tmp_path / "x.sqlite", 1)
    assert opened == ["x.sqlite"] * 2


def test_work_that_fails_ends_its_connection(tmp_path: Path, opened: list[str]) -> None:
    path = tmp_path / "x.sqlite"
    lent: list[sqlite3.Connection] = []

    def fail() -> None:
        with database(path, "one", TABLE) as db:
            lent.append(db)
            db.execute("BEGIN IMMEDIATE")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        lent[0].execute("SELECT 1")
    put(path, 1)
    assert opened == ["x.sqlite"] * 2


def test_a_file_that_was_deleted_or_replaced_is_opened_anew(tmp_path: Path, opened: list[str]) -> None:
    path = tmp_path / "x.sqlite"
    put(path, 1)
    for file in tmp_path.glob("x.sqlite*"):
        file.unlink()
    assert values(path) == []
    put(path, 2)
    other = open_database(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE t (a INTEGER)")
    other.execute("INSERT INTO t VALUES (3)")
    other.execute("INSERT INTO parts VALUES ('one', 1)")
    other.close()
    for file in tmp_path.glob("x.sqlite-*"):
        file.unlink()
    (tmp_path / "other.sqlite").replace(path)
    assert values(path) == [3]
    assert opened == ["x.sqlite", "x.sqlite", "other.sqlite", "x.sqlite"]


def test_a_thread_keeps_few_and_closes_them_when_it_ends(tmp_path: Path) -> None:
    def open_files() -> set[str]:
        gc.collect()
        links = [Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        return {link.readlink().name for link in links if link.exists() and str(tmp_path) in str(link.readlink())}

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the open files of a process are read from /proc")
    seen: list[set[str]] = []

    def work() -> None:
        for number in range(KEPT + 3):
            put(tmp_path / f"{number}.sqlite", number)
        seen.append(open_files())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert {f"{number}.sqlite" for number in range(3, KEPT + 3)} <= seen[0]
    assert not {f"{number}.sqlite" for number in range(3)} & seen[0]
    assert open_files() == set()


CLEAN = """
import sys
from pathlib import Path
from imagewright.database import database, transaction
with database(Path(sys.argv[1]), "one", ("CREATE TABLE t (a INTEGER)",)) as db, transaction(db):
    db.execute("INSERT INTO t VALUES (1)")
"""


def test_the_end_of_the_process_closes_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    ended = subprocess.run([sys.executable, "-X", "dev", "-c", CLEAN, str(path)], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [file.name for file in tmp_path.iterdir()] == ["x.sqlite"]
    assert values(path) == [1]


FORKED = """
import os, sys
from pathlib import Path
from imagewright.database import database, transaction, lend_connection
path = Path(sys.argv[1])
def put(value):
    with database(path, "one", ("CREATE TABLE t (a INTEGER)",)) as db, transaction(db):
        db.execute("INSERT INTO t VALUES (?)", (value,))
    return id(db)
used = put(0)
with lend_connection(path) as within:
    children = []
    for number in range(1, 4):
        child = os.fork()
        if child == 0:
            break
        children.append(child)
    else:
        number = 0
if number:
    with lend_connection(path) as db:
        assert db is not within
    for _ in range(20):
        put(number)
    sys.exit(0)
for _ in range(20):
    assert put(0) == used
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_a_forked_child_opens_its_own_and_disturbs_nobody(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    ended = subprocess.run([sys.executable, "-c", FORKED, str(path)], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert values(path) == [0] * 21 + [1] * 20 + [2] * 20 + [3] * 20
    with database(path, "one", TABLE) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
