"""SQLite as the house uses it: WAL, an explicit busy timeout, migrations, and errors that say what to do.

Any number of processes may open one file. Connections are in autocommit mode; what must happen as a whole goes
inside ``transaction(connection)``, which takes the write lock at once, so that a reader never has to upgrade.
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from imagewright.errors import BadInput

BUSY_SECONDS = 10.0
"""How long a connection waits for another process's write lock."""
FILE_FORMAT = 1
"""``PRAGMA user_version`` of the whole file; the tables of each part carry their own version beside it."""

_NOT_DISK = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.NotSupportedError, sqlite3.DataError)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def open_database(path: Path) -> sqlite3.Connection:
    """Open ``path``, creating file and folder when absent; rows answer to column names.

    Raises:
        BadInput: the folder cannot be written, the disk is full, the file is damaged or was written by a newer
            version of imagewright; with the remedy.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    connection.execute("PRAGMA foreign_keys = ON")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > FILE_FORMAT:
        raise _newer(str(path))
    _use_wal(connection)
    if version < FILE_FORMAT:
        with transaction(connection):
            connection.execute("CREATE TABLE IF NOT EXISTS parts (owner TEXT PRIMARY KEY, version INTEGER NOT NULL)")
            connection.execute(f"PRAGMA user_version = {FILE_FORMAT}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; while other processes switch the same new file, SQLite refuses without waiting, so we wait."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextmanager
def database(path: Path, owner: str, steps: Sequence[str]) -> Iterator[sqlite3.Connection]:
    """A connection for one piece of work, with ``owner``'s tables in place; closed at the end.

    Raises:
        BadInput: as ``open_database`` and ``migrate``; also for what goes wrong with the disk inside the block.
    """
    with storage_errors(path), closing(open_database(path)) as connection:
        migrate(connection, owner, steps)
        yield connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing: begins with the write lock, commits at the end, rolls back on any error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def migrate(connection: sqlite3.Connection, owner: str, steps: Sequence[str]) -> None:
    """Bring the tables of one part (``retrieval``, ``memory``…) up to date.

    ``steps[i]`` is the SQL (one or more statements) that leads from version ``i`` to ``i + 1``; steps that have run
    once are never changed, new ones are appended. All missing steps run in one transaction.

    Raises:
        BadInput: the file's tables are newer than ``steps`` knows.
    """
    if _version(connection, owner) == len(steps):
        return
    with transaction(connection):
        version = _version(connection, owner)
        if version > len(steps):
            raise _newer("the database")
        for step in steps[version:]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?)", (owner, len(steps)))


def _version(connection: sqlite3.Connection, owner: str) -> int:
    row = connection.execute("SELECT version FROM parts WHERE owner = ?", (owner,)).fetchone()
    return int(row[0]) if row else 0


def _statements(step: str) -> Iterator[str]:
    """The statements of an SQL text, one by one: ``executescript`` would commit between them."""
    statement = ""
    for part in step.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip(" \n;"):
                yield statement
            statement = ""


def _newer(name: str) -> BadInput:
    return BadInput(
        f"{name} was written by a newer version of imagewright",
        "upgrade imagewright, or set IMAGEWRIGHT_HOME to another folder",
    )


# --- errors ---------------------------------------------------------------------------------


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system complain about into ``BadInput`` with a remedy.

    Mistakes of ours (broken SQL, violated constraints) pass through unchanged.
    """
    try:
        yield
    except _NOT_DISK:
        raise
    except sqlite3.DatabaseError as error:
        mapped = _from_sqlite(error, path)
        if mapped is None:
            raise
        raise mapped from error
    except OSError as error:
        raise _from_os(error, path) from error


def explain_storage(error: BaseException) -> BadInput | None:
    """What went wrong with a disk or a database wherever it was noticed, in words; None for a mistake of ours."""
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _NOT_DISK):
        return _from_sqlite(error, Path("imagewright's database"))
    if isinstance(error, OSError) and error.errno in (*_NO_SPACE, *_FORBIDDEN):
        return _from_os(error, Path("the file"))
    return None


def _from_sqlite(error: sqlite3.DatabaseError, path: Path) -> BadInput | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _full(path, str(error))
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return BadInput(f"{path} is damaged or not a database", "move it away; a new one is made at the next start")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return _unwritable(path, str(error))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return BadInput(f"{path} is locked by another program", "wait for it to finish, or end it, and try again")
    if code == sqlite3.SQLITE_IOERR:
        return BadInput(f"the disk fails at {path}: {error}", "check free space and the disk, then try again")
    return None


def _from_os(error: OSError, path: Path) -> BadInput:
    where = Path(error.filename) if isinstance(error.filename, str) else path
    if error.errno in _NO_SPACE:
        return _full(where, error.strerror or str(error))
    return _unwritable(where, error.strerror or str(error))


def _full(path: Path, reason: str) -> BadInput:
    return BadInput(
        f"the disk is full: cannot write {path} ({reason})",
        "free some space, or set IMAGEWRIGHT_HOME or --out to another disk",
    )


def _unwritable(path: Path, reason: str) -> BadInput:
    return BadInput(
        f"cannot use {path}: {reason}", "make it writable, or set IMAGEWRIGHT_HOME or --out to another place"
    )
