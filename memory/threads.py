"""The conversations of a data folder, as the log of runs knows them: listed, named, searched, exported, deleted."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from imagewright.database import database, open_for_reading, prefix_pattern, transaction
from imagewright.errors import BadInput
from imagewright.intents import Reference, Thumb
from imagewright.memory.run_tables import OF_RUN, RUN_TABLES
from imagewright.schemas import ParsedPrompt, RunResult, Value
from imagewright.trace import Trace, parse_trace, read_known, read_trace

_PREFIX = "thread "


class ThreadRow(Value):
    """One line of the list of threads."""

    name: str
    title: str = ""
    turns: int
    """How many times the person said something."""
    pictures: int
    first: str
    """The first thing that was said."""
    last: str
    changed: str
    """When something was said last: ISO 8601, UTC."""


class Turn(Value):
    """One thing that was said, and what came of it."""

    run: str
    said: str
    status: str
    created: str
    reply: str = ""
    """What was answered, where no picture was made."""
    path: str = ""
    image: str = ""
    picture: int = 0
    """The number of its picture in the conversation, from 1; 0 where none was made."""


class TurnDelivery(NamedTuple):
    """What a turn has delivered, and what the person said of it."""

    result: RunResult
    thumb: Thumb


class Threads:
    """The threads in the log of runs at ``path``; any number of processes may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def list(self, text: str = "") -> tuple[ThreadRow, ...]:
        """The threads, newest first; with ``text``, those that say it in their name, title, sayings or prompts."""
        with database(self.path, "memory", RUN_TABLES) as connection:
            rows = connection.execute(_LIST).fetchall()
        found = tuple(ThreadRow.model_validate({k: row[k] for k in ThreadRow.model_fields}) for row in rows)
        return tuple(row for row in found if not text or self._says(row, text.casefold()))

    def _says(self, row: ThreadRow, text: str) -> bool:
        if text in f"{row.name} {row.title}".casefold():
            return True
        return any(text in f"{turn.said} {turn.reply}".casefold() for turn in self.turns(row.name)) or any(
            text in picture.prompt.casefold() for picture in self.pictures(row.name)
        )

    def find_names(self, typed: str, most: int) -> Sequence[str]:
        """Up to ``most`` names of threads that begin with ``typed``, newest first. Reads what is there, makes nothing.

        Raises:
            BadInput: nothing was kept yet, or it cannot be read.
        """
        with open_for_reading(self.path) as connection:
            return [str(row[0]) for row in connection.execute(_NAMES, (prefix_pattern(typed), most))]

    def turns(self, name: str) -> tuple[Turn, ...]:
        """All that was said in thread ``name``, oldest first; none for a thread that is not there."""
        with database(self.path, "memory", RUN_TABLES) as connection:
            rows = connection.execute(_TURNS, (_PREFIX + name,)).fetchall()
        numbers = itertools.accumulate(row["result"] is not None for row in rows)
        return tuple(_turn(row, number) for row, number in zip(rows, numbers, strict=True))

    def deliveries(self, name: str) -> dict[str, TurnDelivery]:
        """What the turns of thread ``name`` have delivered, by their runs.

        Raises:
            BadInput: a delivery cannot be read by this version.
        """
        with database(self.path, "memory", RUN_TABLES) as connection:
            rows = connection.execute(_RESULTS, (_PREFIX + name,)).fetchall()
        try:
            return {row["run"]: TurnDelivery(_result(row["result"]), row["thumb"] or "") for row in rows}
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise BadInput(f"thread {name[:80]!r} cannot be read by this version: {where}", "upgrade") from None

    def title(self, name: str) -> str:
        """The title of thread ``name``; empty where it has none."""
        with database(self.path, "memory", RUN_TABLES) as connection:
            row = connection.execute("SELECT title FROM titles WHERE thread = ?", (_PREFIX + name,)).fetchone()
        return str(row["title"]) if row else ""

    def pictures(self, name: str, before: str = "") -> tuple[Reference, ...]:
        """Every picture that the thread has delivered, on whatever line, numbered in the order of their making.

        With ``before`` only those that were asked for earlier than that run.
        """
        with database(self.path, "memory", RUN_TABLES) as connection:
            rows = connection.execute(_PICTURES, (_PREFIX + name.strip(), before, before)).fetchall()
        return tuple(_picture(number, _trace(row)) for number, row in enumerate(rows, 1))

    def insist(self, name: str) -> None:
        """Refuse the name of a thread that is not there.

        Raises:
            BadInput: there is no such thread.
        """
        if not self.turns(name):
            raise BadInput(f"no thread is called {name[:80]!r}", "`imagewright threads list` shows them")

    def entitle(self, name: str, title: str) -> None:
        """Give a thread a title of at most 200 characters; an empty one takes it away."""
        self.insist(name)
        with database(self.path, "memory", RUN_TABLES) as connection:
            connection.execute("INSERT OR REPLACE INTO titles VALUES (?, ?)", (_PREFIX + name, title.strip()[:200]))

    def delete(self, name: str) -> Sequence[str]:
        """Forget a thread's runs, deliveries, answers and title in one step; the ids of its runs."""
        thread = _PREFIX + name
        with database(self.path, "memory", RUN_TABLES) as connection, transaction(connection):
            runs = [row[0] for row in connection.execute("SELECT id FROM runs WHERE thread = ?", (thread,))]
            marks = ",".join("?" * len(runs))
            for table, column in OF_RUN:
                connection.execute(f"DELETE FROM {table} WHERE {column} IN ({marks})", runs)
            connection.execute("DELETE FROM titles WHERE thread = ?", (thread,))
        return runs


def _result(text: str) -> RunResult:
    return read_known(RunResult, json.loads(text))[0]


def _turn(row: Any, number: int) -> Turn:
    result = json.loads(row["result"]) if row["result"] else {}
    return Turn(
        run=row["id"], said=row["prompt"], status=row["status"], created=row["created"],
        reply=row["answer"] or row["error"], path=result.get("path", ""), image=result.get("image", ""),
        picture=number if result else 0,
    )  # fmt: skip


def _trace(row: Any) -> Trace:
    name = f"the trace of run {row['run']}"
    return read_trace(parse_trace(row["trace"], name), name)


def _picture(number: int, trace: Trace) -> Reference:
    return Reference(
        run=trace.run, prompt=trace.prompt, said=trace.said or trace.prompt, image=trace.image, flow=trace.flow,
        seed=trace.seed, number=number, live=False, parsed=trace.parsed or ParsedPrompt(), layout=trace.layout,
        tried=trace.tried,
    )  # fmt: skip


_NAMES = """SELECT substr(thread, 8) AS name FROM runs WHERE thread LIKE 'thread %' AND name LIKE ? ESCAPE '\\'
    GROUP BY name ORDER BY max(rowid) DESC LIMIT ?"""
_LIST = """SELECT substr(r.thread, 8) AS name, coalesce(t.title, '') AS title,
    count(*) AS turns, count(d.run) AS pictures,
    (SELECT prompt FROM runs WHERE thread = r.thread ORDER BY rowid LIMIT 1) AS first,
    (SELECT prompt FROM runs WHERE thread = r.thread ORDER BY rowid DESC LIMIT 1) AS last, max(r.created) AS changed
    FROM runs r LEFT JOIN deliveries d ON d.run = r.id LEFT JOIN titles t ON t.thread = r.thread
    WHERE r.thread LIKE 'thread %' GROUP BY r.thread ORDER BY max(r.rowid) DESC"""
_TURNS = """SELECT r.id, r.prompt, r.status, r.created, r.error, a.text AS answer, d.result
    FROM runs r LEFT JOIN deliveries d ON d.run = r.id LEFT JOIN answers a ON a.run = r.id
    WHERE r.thread = ? ORDER BY r.rowid"""
_RESULTS = """SELECT d.run, d.result, p.thumb FROM runs r JOIN deliveries d ON d.run = r.id
    LEFT JOIN pictures p ON p.run = r.id WHERE r.thread = ? ORDER BY r.rowid"""
_PICTURES = """SELECT d.run, d.trace FROM runs r JOIN deliveries d ON d.run = r.id WHERE r.thread = ?
    AND (? = '' OR r.rowid < (SELECT rowid FROM runs WHERE id = ?)) ORDER BY r.rowid"""
