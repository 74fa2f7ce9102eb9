"""SQLite shared by processes: migrations, whole transactions, and errors that say what to do."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from imagewright.database import database, migrate, open_database, storage_errors, transaction
from imagewright.errors import BadInput

STEPS = ("CREATE TABLE t (a INTEGER); CREATE TRIGGER twice AFTER INSERT ON t BEGIN UPDATE t SET a = 2 * a; END;",)


def test_a_new_file_is_made_with_its_folder_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.sqlite"
    connection = open_database(path)
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 10_000
    assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    connection.close()


def test_each_part_migrates_its_own_tables_step_by_step(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with database(path, "one", STEPS) as db:
        db.execute("INSERT INTO t VALUES (3)")
    with database(path, "two", ("CREATE TABLE u (b)",)) as db:
        assert db.execute("SELECT count(*) FROM u").fetchone()[0] == 0
    with database(path, "one", (*STEPS, "ALTER TABLE t ADD COLUMN b DEFAULT 'new'")) as db:
        assert tuple(db.execute("SELECT a, b FROM t").fetchone()) == (6, "new")


def test_a_step_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with pytest.raises(sqlite3.OperationalError), database(path, "one", ("CREATE TABLE t (a)", "CREATE NONSENSE")):
        pass
    connection = open_database(path)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 't'").fetchone()[0] == 0
    connection.close()


def test_tables_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with database(path, "one", ("CREATE TABLE t (a)", "CREATE TABLE u (a)")):
        pass
    connection = open_database(path)
    with pytest.raises(BadInput, match="newer version"):
        migrate(connection, "one", ("CREATE TABLE t (a)",))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(BadInput, match="newer version") as caught:
        open_database(path)
    assert "upgrade" in caught.value.remedy


def insert_two(db: sqlite3.Connection, first: str, second: str, pages: int = 1_000_000) -> None:
    db.execute(f"PRAGMA max_page_count = {pages}")
    with transaction(db):
        db.execute(first)
        db.execute(second)


def test_a_transaction_is_whole_or_nothing(tmp_path: Path) -> None:
    with database(tmp_path / "x.sqlite", "one", ("CREATE TABLE t (a)",)) as db:
        with pytest.raises(sqlite3.OperationalError):
            insert_two(db, "INSERT INTO t VALUES (1)", "INSERT INTO nowhere VALUES (1)")
        assert db.execute("SELECT count(*) FROM t").fetchone()[0] == 0


def test_a_file_that_is_no_database_is_named_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"this is a letter, not a database" * 40)
    before = path.read_bytes()
    with pytest.raises(BadInput, match="damaged or not a database"):
        open_database(path)
    assert path.read_bytes() == before


def test_a_full_disk_says_so_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with database(path, "one", ("CREATE TABLE t (a)",)) as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
    with pytest.raises(BadInput, match="disk is full"), database(path, "one", ("CREATE TABLE t (a)",)) as db:
        insert_two(db, "INSERT INTO t VALUES ('small')", f"INSERT INTO t VALUES ('{'x' * 100_000}')", pages)
    with database(path, "one", ("CREATE TABLE t (a)",)) as db:
        assert db.execute("SELECT count(*) FROM t").fetchone()[0] == 0
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_places_that_cannot_hold_a_database(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "x.sqlite", tmp_path):
        with pytest.raises(BadInput, match="cannot use") as caught:
            open_database(path)
        assert "IMAGEWRIGHT_HOME" in caught.value.remedy


def test_errors_of_the_file_system_become_bad_input_and_ours_stay(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="disk is full"), storage_errors(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(BadInput, match="Permission denied"), storage_errors(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(sqlite3.ProgrammingError), storage_errors(tmp_path):
        sqlite3.connect(":memory:").execute("SELECT ?", ())
    with pytest.raises(sqlite3.OperationalError), storage_errors(tmp_path):
        sqlite3.connect(":memory:").execute("SELECT nonsense")


WRITER = """
import sys
from pathlib import Path
from imagewright.database import database, transaction
for i in range(25):
    with database(Path(sys.argv[1]), "one", ("CREATE TABLE t (a INTEGER)",)) as db, transaction(db):
        number = db.execute("SELECT count(*) FROM t").fetchone()[0]
        db.execute("INSERT INTO t VALUES (?)", (number,))
"""


def test_processes_that_open_a_new_file_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path)]) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    with database(path, "one", ("CREATE TABLE t (a INTEGER)",)) as db:
        numbers = [row[0] for row in db.execute("SELECT a FROM t ORDER BY a")]
    assert numbers == list(range(100))


def test_a_page_whose_text_is_spoilt_is_damage_and_no_mistake_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with database(path, "one", ("CREATE TABLE t (a TEXT)",)) as db:
        db.execute("INSERT INTO t VALUES (CAST(x'ff00fe' AS TEXT))")
    with pytest.raises(BadInput, match="damaged"), database(path, "one", ("CREATE TABLE t (a TEXT)",)) as db:
        db.execute("SELECT a FROM t").fetchall()
