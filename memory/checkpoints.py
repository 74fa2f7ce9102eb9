"""LangGraph's checkpoints in SQLite, read back strictly: only the types that our state is made of are rebuilt.

A checkpoint names each value by the module and class that it had when it was written. What has moved since is listed
in ``MOVED``, so that homes of earlier releases go on; a name that stands nowhere is not let in.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

import ormsgpack
from langgraph.checkpoint.serde.jsonplus import EXT_PYDANTIC_V2, JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from pydantic import ValidationError

from imagewright import box_changes, draw_request, intents, schemas, verdicts
from imagewright.database import lend_connection, storage_errors
from imagewright.errors import BadInput

Unpack = Callable[[int, bytes], Any]
"""How one packed value is read: its code and its bytes."""
Rebuild = Callable[[Any], object]
"""Makes a value of the fields that a checkpoint holds for it."""
_unreadable: ContextVar[BadInput | None] = ContextVar("unreadable", default=None)
"""Why a hook of ormsgpack failed, which ormsgpack itself does not tell."""

STATE_TYPES: tuple[type[schemas.Value], ...] = tuple(
    value
    for module in (schemas, intents, verdicts, draw_request, box_changes)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, schemas.Value) and value.__module__ == module.__name__
)
"""Every value of ``schemas``, ``intents`` and ``verdicts``: plain data, frozen; nothing runs when it is built."""

MOVED: Mapping[tuple[str, str], Rebuild] = {
    ("imagewright.schemas", kind.__name__): kind.model_validate
    for kind in (verdicts.Check, verdicts.Repair, verdicts.Verdict, verdicts.Detection, draw_request.DrawRequest)
}
"""Module and class as earlier releases named them, and what makes today's value of their fields."""


def strict_serializer(extra: tuple[type[schemas.Value], ...] = ()) -> JsonPlusSerializer:
    """A serializer that rebuilds ``STATE_TYPES``, ``extra`` and LangGraph's own safe types, and calls nothing else.

    LangGraph's default imports and calls any callable that a checkpoint names (langgraph#8522) unless
    ``LANGGRAPH_STRICT_MSGPACK`` was set before its first import; this one is strict either way. LangGraph also builds
    a value that does not fit its class without checking it; here that is an error.
    """
    types = (*STATE_TYPES, *extra)
    known: dict[tuple[str, str], Rebuild] = {(kind.__module__, kind.__name__): kind.model_validate for kind in types}
    plain = JsonPlusSerializer(allowed_msgpack_modules=types)
    read = _reader({**MOVED, **known}, plain._unpack_ext_hook)
    return _Serializer(allowed_msgpack_modules=types, __unpack_ext_hook__=read)


class _Serializer(JsonPlusSerializer):
    """Tells what cannot be read in our words: ormsgpack hides the error of a hook behind one of its own."""

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value of ``data``, as ``dumps_typed`` gave it.

        Raises:
            BadInput: it does not fit what this release knows under its name.
        """
        try:
            return super().loads_typed(data)
        except ValueError:
            if (problem := _unreadable.get()) is not None:
                _unreadable.set(None)
                raise problem from None
            raise


def _reader(known: Mapping[tuple[str, str], Rebuild], plain: Unpack) -> Unpack:
    """Reads one packed value; what is none of ours is left to ``plain``."""

    def read(code: int, data: bytes) -> Any:
        if code != EXT_PYDANTIC_V2:
            return plain(code, data)
        module, name, fields, *_ = ormsgpack.unpackb(data, ext_hook=read, option=ormsgpack.OPT_NON_STR_KEYS)
        rebuild = known.get((module, name))
        if rebuild is None:
            return plain(code, data)
        try:
            return rebuild(fields)
        except ValidationError:
            remedy = "go on with the release that made it, or under another --thread"
            _unreadable.set(BadInput(f"a checkpoint holds a {name} that this release cannot read", remedy))
            raise

    return read


@contextmanager
def open_checkpoints(path: Path, extra: tuple[type[schemas.Value], ...] = ()) -> Iterator[SqliteSaver]:
    """The checkpointer on ``path`` (WAL, ten seconds of patience with other processes), closed at the end.

    A checkpoint is given to the operating system and not waited for until it is on the disk: a killed process loses
    none. When the power fails the last ones may be gone (``secure`` says which are not), and the run goes on from the
    one before; what it drew, was billed and delivered is kept elsewhere and waited for.

    Raises:
        BadInput: the file cannot be used; also for what SQLite complains about inside the block.
    """
    with lend_connection(path) as connection:
        connection.row_factory = None
        connection.execute("PRAGMA synchronous = NORMAL")
        try:
            yield _saver(connection, extra)
        except sqlite3.DatabaseError as error:
            with storage_errors(path):
                raise error


def secure(saver: SqliteSaver) -> None:
    """Wait until every checkpoint so far is on the disk, so that not even a power failure takes a turn back."""
    saver.conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def _saver(connection: sqlite3.Connection, extra: tuple[type[schemas.Value], ...]) -> SqliteSaver:
    serializer = strict_serializer(extra)
    saver = SqliteSaver(connection, serde=serializer)
    saver.jsonplus_serde = serializer
    return saver


class Link(NamedTuple):
    """One checkpoint of a thread: its name, that of the one before, and the run that its metadata name."""

    id: str
    before: str
    run: str


def list_links(path: Path, thread: str, mark: str) -> tuple[Link, ...]:
    """The checkpoints of ``thread``, oldest first, without what they hold; none without a file.

    ``mark`` is the key under which the metadata name the run.

    Raises:
        BadInput: the file cannot be read.
    """
    if not path.exists():
        return ()
    with open_checkpoints(path) as saver:
        saver.setup()
        rows = saver.conn.execute(_LINKS, (f"$.{mark}", thread)).fetchall()
    return tuple(Link(str(name), str(before or ""), str(run or "")) for name, before, run in rows)


def measure_threads(path: Path) -> dict[str, int]:
    """The threads of checkpoints in the file at ``path``, and how many bytes each takes; none without a file.

    Raises:
        BadInput: the file cannot be read.
    """
    if not path.exists():
        return {}
    with open_checkpoints(path) as saver:
        saver.setup()
        return dict(saver.conn.execute(_SIZES).fetchall())


def drop_threads(path: Path, threads: Collection[str]) -> None:
    """Delete the checkpoints of ``threads``.

    Raises:
        BadInput: the file cannot be written.
    """
    if not threads or not path.exists():
        return
    with open_checkpoints(path) as saver:
        saver.setup()
        for thread in threads:
            saver.delete_thread(thread)


def shrink_file(path: Path) -> None:
    """Give the room of deleted checkpoints back to the disk; left for another time while others use the file."""
    with contextlib.suppress(BadInput), open_checkpoints(path) as saver:
        saver.conn.execute("VACUUM")


_SIZES = """SELECT thread_id, sum(size) FROM (
    SELECT thread_id, length(checkpoint) + length(metadata) AS size FROM checkpoints
    UNION ALL SELECT thread_id, coalesce(length(value), 0) FROM writes) GROUP BY thread_id"""
_LINKS = """SELECT checkpoint_id, parent_checkpoint_id, json_extract(CAST(metadata AS TEXT), ?) FROM checkpoints
    WHERE thread_id = ? AND checkpoint_ns = '' ORDER BY checkpoint_id"""
