"""LangGraph's checkpoints in SQLite, read back strictly: only the types that our state is made of are rebuilt."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from imagewright import intents, schemas, verdicts
from imagewright.database import open_database, storage_errors

STATE_TYPES: tuple[type[schemas.Value], ...] = tuple(
    value
    for module in (schemas, intents, verdicts)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, schemas.Value) and value.__module__ == module.__name__
)
"""Every value of ``schemas``, ``intents`` and ``verdicts``: plain data, frozen; nothing runs when it is built."""

FORMER_NAMES = tuple(("imagewright.schemas", name) for name in ("Check", "Repair", "Verdict"))
"""Where checkpoints of earlier versions look for values that have moved; they are importable from there still."""


def strict_serializer(extra: tuple[type, ...] = ()) -> JsonPlusSerializer:
    """A serializer that rebuilds ``STATE_TYPES``, ``extra`` and LangGraph's own safe types, and calls nothing else.

    LangGraph's default imports and calls any callable that a checkpoint names (langgraph#8522) unless
    ``LANGGRAPH_STRICT_MSGPACK`` was set before its first import; this one is strict either way.
    """
    return JsonPlusSerializer(allowed_msgpack_modules=(*STATE_TYPES, *FORMER_NAMES, *extra))


@contextmanager
def open_checkpoints(path: Path, extra: tuple[type, ...] = ()) -> Iterator[SqliteSaver]:
    """The checkpointer on ``path`` (WAL, ten seconds of patience with other processes), closed at the end.

    Raises:
        BadInput: the file cannot be used; also for what SQLite complains about inside the block.
    """
    with closing(open_database(path)) as connection:
        connection.row_factory = None
        try:
            yield _saver(connection, extra)
        except sqlite3.DatabaseError as error:
            with storage_errors(path):
                raise error


def _saver(connection: sqlite3.Connection, extra: tuple[type, ...]) -> SqliteSaver:
    serializer = strict_serializer(extra)
    saver = SqliteSaver(connection, serde=serializer)
    saver.jsonplus_serde = serializer
    return saver
