"""SQLite as the house uses it: WAL, an explicit busy timeout, migrations, and errors that say what to do.

Any number of processes may open one file. Connections are in autocommit mode; what must happen as a whole goes
inside ``transaction(connection)``, which takes the write lock at once, so that a reader never has to upgrade.

Opening costs more than most of what is asked, so each thread keeps its connections and lends them to one piece of work
after the other (``lend_connection``); a piece of work within another of the same file has a connection of its own.
They are closed with the thread and at the end of the process, and left alone in a child made by ``fork``.
"""

from __future__ import annotations

import atexit
import errno
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from imagewright.errors import BadInput, MachineTrouble
from imagewright.starvation import explain_starvation

BUSY_SECONDS = 10.0
"""How long a connection waits for another process's write lock."""
FILE_FORMAT = 1
"""``PRAGMA user_version`` of the whole file; the tables of each part carry their own version beside it."""

KEPT = 8
"""Connections that a thread keeps open while they are idle; the least lately used one goes."""

_NOT_DISK = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.NotSupportedError, sqlite3.DataError)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def open_database(path: Path) -> sqlite3.Connection:
    """A new connection to ``path``, the caller's to close, creating file and folder when absent.

    Rows answer to column names.

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
    connection.create_function("casefold", 1, str.casefold, deterministic=True)
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
    """A connection of this thread's for one piece of work, with ``owner``'s tables in place.

    Raises:
        BadInput: as ``open_database`` and ``migrate``; also for what goes wrong with the disk inside the block.
    """
    with storage_errors(path), lend_connection(path) as connection:
        migrate(connection, owner, steps)
        yield connection


@contextmanager
def open_for_reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads what is there, for one piece of work: makes and migrates nothing, waits 1 s at most.

    Raises:
        BadInput: there is no file at ``path``, or it cannot be read; also where it lacks a table that is asked for.
    """
    with storage_errors(path):
        address = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=1.0)) as connection:
            try:
                yield connection
            except sqlite3.OperationalError as error:
                if "no such table" not in str(error):
                    raise
                raise BadInput(f"{path} has no such part yet", "it is made with the first picture") from None


def prefix_pattern(text: str) -> str:
    """The pattern of SQL's ``LIKE … ESCAPE '\\'`` for what begins with ``text``."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


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


# --- connections that are kept -----------------------------------------------------------------


@contextmanager
def lend_connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of this thread's to ``path`` for one piece of work, as ``open_database`` gives it.

    It is kept for the next piece of work, unless this one ends with an error. A file that was deleted or replaced
    meanwhile is opened anew.

    Raises:
        BadInput: as ``open_database``.
    """
    kept = _of_thread()
    connection, identity = kept.take(path)
    try:
        yield connection
    except BaseException:
        kept.drop(connection)  # and with it whatever it was in the middle of
        raise
    kept.give(path, connection, identity)


def close_connections() -> None:
    """Close what this thread keeps open."""
    _of_thread().close()


_Identity = tuple[int, int]
"""Device and inode of a file."""


class _Kept:
    """The idle connections of one thread, the most lately used last."""

    def __init__(self) -> None:
        self.idle: list[tuple[Path, sqlite3.Connection, _Identity | None]] = []
        self.process = os.getpid()
        self.ended = False
        self.lock = threading.Lock()

    def take(self, path: Path) -> tuple[sqlite3.Connection, _Identity | None]:
        """A connection to the file that is at ``path`` now."""
        path = path.absolute()
        while (found := self._pop(path)) is not None:
            _, connection, identity = found
            if identity is not None and identity == _identity(path):
                connection.row_factory = sqlite3.Row
                return connection, identity
            connection.close()
        connection = open_database(path)
        return connection, _identity(path)

    def _pop(self, path: Path) -> tuple[Path, sqlite3.Connection, _Identity | None] | None:
        with self.lock:
            for place in reversed(range(len(self.idle))):
                if self.idle[place][0] == path:
                    return self.idle.pop(place)
        return None

    def give(self, path: Path, connection: sqlite3.Connection, identity: _Identity | None) -> None:
        """Keep a connection that is free again."""
        if self.ended or connection.in_transaction or self.process != os.getpid():
            self.drop(connection)
            return
        with self.lock:
            self.idle.append((path.absolute(), connection, identity))
            spare = [self.idle.pop(0)] if len(self.idle) > KEPT else []
        for _, oldest, _ in spare:
            self.drop(oldest)

    def drop(self, connection: sqlite3.Connection) -> None:
        """Close a connection; in a child of the process that opened it, only leave it alone."""
        if self.process == os.getpid():
            connection.close()
        else:
            _inherited.append(connection)

    def close(self) -> None:
        """Close the idle ones."""
        with self.lock:
            idle, self.idle = self.idle, []
        for _, connection, _ in idle:
            self.drop(connection)

    def end(self) -> None:
        """Close the idle ones, and keep none from now on."""
        self.ended = True
        self.close()

    def __del__(self) -> None:
        """The thread has ended."""
        self.close()


class _Thread(threading.local):
    """What the present thread keeps."""

    kept: _Kept | None = None


_thread = _Thread()
_all: weakref.WeakSet[_Kept] = weakref.WeakSet()
_inherited: list[sqlite3.Connection] = []
"""The parent's connections in a child made by ``fork``: closing them there would disturb the parent."""


def _of_thread() -> _Kept:
    kept = _thread.kept
    if kept is None or kept.process != os.getpid():
        kept = _thread.kept = _Kept()
        _all.add(kept)
    return kept


@atexit.register
def _end() -> None:
    """Close what is idle; threads that outlive this close what they use."""
    for kept in list(_all):
        kept.end()


def _identity(path: Path) -> _Identity | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


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
        mapped = explain_starvation(error) or _from_sqlite(error, path)
        if mapped is None:
            raise
        raise mapped from error
    except OSError as error:
        raise explain_starvation(error) or _from_os(error, path) from error


def explain_storage(error: BaseException) -> MachineTrouble | None:
    """What went wrong with a disk or a database wherever it was noticed, in words; None for a mistake of ours."""
    if starved := explain_starvation(error):
        return starved
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _NOT_DISK):
        return _from_sqlite(error, Path("imagewright's database"))
    if isinstance(error, OSError) and error.errno in (*_NO_SPACE, *_FORBIDDEN):
        return _from_os(error, Path("the file"))
    return None


def _from_sqlite(error: sqlite3.DatabaseError, path: Path) -> MachineTrouble | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _full(path, str(error))
    # A page whose text is spoilt is found by Python, not by SQLite.
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "Could not decode to UTF-8" in str(error):
        return MachineTrouble(f"{path} is damaged or not a database", "move it away; a new one is made then")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return _unwritable(path, str(error))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return MachineTrouble(f"{path} is locked by another program", "wait for it to finish, or end it, and try again")
    if code == sqlite3.SQLITE_IOERR:
        return MachineTrouble(f"the disk fails at {path}: {error}", "check free space and the disk, then try again")
    return None


def _from_os(error: OSError, path: Path) -> MachineTrouble:
    where = Path(error.filename) if isinstance(error.filename, str) else path
    if error.errno in _NO_SPACE:
        return _full(where, error.strerror or str(error))
    return _unwritable(where, error.strerror or str(error))


def _full(path: Path, reason: str) -> MachineTrouble:
    return MachineTrouble(
        f"the disk is full: cannot write {path} ({reason})",
        "free some space, or set IMAGEWRIGHT_HOME or --out to another disk",
    )


def _unwritable(path: Path, reason: str) -> MachineTrouble:
    return MachineTrouble(
        f"cannot use {path}: {reason}", "make it writable, or set IMAGEWRIGHT_HOME or --out to another place"
    )
