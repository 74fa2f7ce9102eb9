"""The log of runs in SQLite: what was asked, how it went, and the one delivery that each run may have.

Whoever works on a run holds a lease (``memory.leases``), which ends with its process, however that ends; so a row that
says ``running`` without one is a run that was killed. ``locks/`` holds a word beside each run that is being drawn.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from imagewright.database import database, open_for_reading, prefix_pattern, storage_errors, transaction
from imagewright.errors import BadInput, Fault
from imagewright.intents import Thumb
from imagewright.memory.leases import Holder, LeaseHeld, Leases
from imagewright.memory.run_tables import INDEX_PICTURE, OF_RUN, RUN_TABLES
from imagewright.schemas import DrawRequest, RunResult, Value
from imagewright.trace import Trace, parse_trace, read_known, read_trace

RunStatus = Literal["running", "delivered", "answered", "asked", "failed", "cancelled", "interrupted", "refused"]
"""``refused``: nothing was drawn, for nothing that can be drawn was asked for; ``answered``: something was said instead
of a picture; ``asked``: the run waits for the person's answer."""

_PATIENCE = 0.5
"""Seconds to wait for a run or a conversation that another is just letting go of."""
_NOTE = 1000
"""Bytes of a note, so that a shorter one covers a longer one."""
_RETIRED_AFTER, _RETIRED_BY = timedelta(days=1), timedelta(days=30)
"""When a killed run is no longer waited for; and an age that none has that was not looked at before."""
_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")


class RunRow(Value):
    """One line of the log."""

    id: str
    thread: str
    prompt: str
    request: DrawRequest
    seed: int
    out: str
    """Where the picture goes: an absolute path."""
    status: RunStatus
    created: str
    """ISO 8601, UTC."""
    error: str = ""
    result: RunResult | None = None
    """What was delivered; None until then."""

    @classmethod
    def new(cls, run: str, thread: str, request: DrawRequest, seed: int, out: Path) -> RunRow:
        """The row of a run that is about to begin."""
        return cls(id=run, thread=thread, prompt=request.prompt, request=request, seed=seed, out=str(out),
                   status="running", created="")  # fmt: skip


class RunOutline(NamedTuple):
    """What it takes to know of a run to tidy up after it."""

    id: str
    thread: str
    """Its thread of checkpoints."""
    status: str
    created: str
    out: Path
    alive: bool
    images: frozenset[str]
    """The pictures in the store that its delivery names; none before it."""
    sources: frozenset[str]
    """Those that it was drawn from, as far as request and delivery name them."""
    image: str
    """The one that was delivered; empty before."""
    path: str
    """Where that was written."""

    @property
    def over(self) -> bool:
        """Whether it came to an end, with a picture or an answer."""
        return self.status in ("delivered", "answered")


def new_run_id() -> str:
    """A short id that sorts by time: date and time (UTC), and six random hex digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def is_run_id(text: str) -> bool:
    """Whether ``text`` looks as ``new_run_id`` makes them."""
    return _RUN_ID.fullmatch(text) is not None


class RunLog:
    """The runs of one data folder; any number of processes may use it."""

    def __init__(self, path: Path, locks: Path) -> None:
        self.path, self.locks = path, locks
        self._leases = Leases(path)

    def start(self, run: str, thread: str, request: DrawRequest, seed: int, out: Path) -> None:
        """Record a run before anything is done for it."""
        row = (run, thread, request.prompt, request.model_dump_json(), str(seed), str(out), "running", _now())
        with database(self.path, "memory", RUN_TABLES) as connection:
            connection.execute(
                "INSERT INTO runs (id, thread, prompt, request, seed, out, status, created) VALUES (?,?,?,?,?,?,?,?)",
                row,
            )

    def mark(self, run: str, status: RunStatus, error: str = "") -> None:
        """Record how a run stands; a delivered run stays delivered."""
        with database(self.path, "memory", RUN_TABLES) as connection:
            connection.execute(
                "UPDATE runs SET status = ?, error = ? WHERE id = ? AND status != 'delivered'", (status, error, run)
            )

    def move(self, run: str, out: Path) -> None:
        """Record that the picture of ``run`` goes to ``out``."""
        with database(self.path, "memory", RUN_TABLES) as connection:
            connection.execute("UPDATE runs SET out = ? WHERE id = ?", (str(out), run))

    def rehome(self, row: RunRow, result: RunResult | None = None, trace: dict[str, Any] | None = None) -> None:
        """Record that a run was asked for as ``row`` says, and where its delivery lies now, all in one step."""
        with database(self.path, "memory", RUN_TABLES) as connection, transaction(connection):
            wanted = (row.out, row.request.model_dump_json(), row.id)
            connection.execute("UPDATE runs SET out = ?, request = ? WHERE id = ?", wanted)
            if result is not None:
                told = (result.model_dump_json(), json.dumps(trace, ensure_ascii=False), row.id)
                connection.execute("UPDATE deliveries SET result = ?, trace = ? WHERE run = ?", told)

    def deliver(self, result: RunResult, trace: dict[str, Any]) -> bool:
        """Record the delivery of a run; False when it was recorded before, and then nothing is changed."""
        row = (result.run, _now(), result.model_dump_json(), json.dumps(trace, ensure_ascii=False))
        with database(self.path, "memory", RUN_TABLES) as connection, transaction(connection):
            added = connection.execute("INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?)", row).rowcount
            connection.execute(INDEX_PICTURE, (result.run,))
            connection.execute("UPDATE runs SET status = 'delivered', error = '' WHERE id = ?", (result.run,))
        return bool(added)

    def answer(self, run: str, text: str) -> None:
        """Record what was said instead of a picture; done again, it changes nothing."""
        with database(self.path, "memory", RUN_TABLES) as connection, transaction(connection):
            connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (run, text))
            connection.execute("UPDATE runs SET status = 'answered', error = '' WHERE id = ?", (run,))

    def note_thumb(self, run: str, thumb: Thumb) -> None:
        """Record what the person thinks of the picture of ``run``; empty where they take it back."""
        with database(self.path, "memory", RUN_TABLES) as connection:
            connection.execute("UPDATE pictures SET thumb = ? WHERE run = ?", (thumb, run))

    def answered(self, run: str) -> str | None:
        """What ``run`` has said instead of a picture, or None."""
        with database(self.path, "memory", RUN_TABLES) as connection:
            row = connection.execute("SELECT text FROM answers WHERE run = ?", (run,)).fetchone()
        return row[0] if row else None

    def last_of(self, thread: str) -> RunRow | None:
        """The newest run of a thread of checkpoints; None for an unknown one."""
        with database(self.path, "memory", RUN_TABLES) as connection:
            row = connection.execute(f"{_SELECT} WHERE thread = ? ORDER BY rowid DESC LIMIT 1", (thread,)).fetchone()
        return self._row(row) if row else None

    def result_of(self, run: str) -> RunResult | None:
        """What ``run`` has delivered, or None."""
        return self.get(run).result

    def get(self, run: str) -> RunRow:
        """The row of ``run``.

        Raises:
            BadInput: there is no such run.
        """
        with database(self.path, "memory", RUN_TABLES) as connection:
            row = connection.execute(f"{_SELECT} WHERE id = ?", (run,)).fetchone()
        if row is None:
            raise BadInput(f"no run is called {run[:80]!r}", "`imagewright runs list` shows them")
        return self._row(row)

    def list(self, limit: int = 20, *, refused: bool = True) -> tuple[RunRow, ...]:
        """The newest runs, newest first; unless wanted, without those that were refused before anything was drawn."""
        where = "" if refused else "WHERE status != 'refused'"
        with database(self.path, "memory", RUN_TABLES) as connection:
            rows = connection.execute(f"{_SELECT} {where} ORDER BY rowid DESC LIMIT ?", (limit,)).fetchall()
        return tuple(self._row(row) for row in rows)

    def outline(self) -> Iterator[RunOutline]:
        """Every run, oldest first, with no more than what it takes to tidy up."""
        with database(self.path, "memory", RUN_TABLES) as connection:
            rows = connection.execute(_OUTLINE).fetchall()
        for row in rows:
            result = json.loads(row["result"]) or {}
            sources = {made["base"] for made in result.get("rounds", ()) if made.get("base")}
            sources.update(name for name in (row["start"], row["mask"]) if name)
            alive = row["status"] == "running" and self.is_alive(row["id"])
            yield RunOutline(
                row["id"], row["thread"], row["status"], row["created"], Path(row["out"]), alive,
                _images_in(result, row["trace"]), frozenset(sources), result.get("image", ""), result.get("path", ""),
            )  # fmt: skip

    def erase(self, runs: Collection[str]) -> None:
        """Forget runs with their deliveries and answers, in one step; then what lies beside them."""
        with database(self.path, "memory", RUN_TABLES) as connection, transaction(connection):
            for table, column in OF_RUN:
                connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(run,) for run in runs])
        for run in runs:
            self.forget(run)

    def retire(self) -> Sequence[tuple[str, Path]]:
        """The runs that began a day ago or earlier and were killed since, once each, and their pictures' names.

        From then on they count as interrupted without a look at their leases.
        """
        with database(self.path, "memory", RUN_TABLES) as connection:
            span = [_now(since) for since in (_RETIRED_BY, _RETIRED_AFTER)]
            rows = connection.execute(_DEAD, span).fetchall()
        dead = [(str(row["id"]), Path(row["out"])) for row in rows if not self.is_alive(row["id"])]
        for run, _ in dead:
            self.mark(run, "interrupted")
        return dead

    def find_names(self, typed: str, most: int) -> Sequence[str]:
        """Up to ``most`` ids of runs that begin with ``typed``, newest first. Reads what is there and makes nothing.

        Raises:
            BadInput: nothing was kept yet, or it cannot be read.
        """
        query = "SELECT id FROM runs WHERE id LIKE ? ESCAPE '\\' ORDER BY rowid DESC LIMIT ?"
        with open_for_reading(self.path) as connection:
            return [str(row[0]) for row in connection.execute(query, (prefix_pattern(typed), most))]

    def show(self, run: str) -> dict[str, Any]:
        """The trace of ``run`` as plain JSON; of a run that was not delivered, what the log knows.

        Raises:
            BadInput: there is no such run, or its trace is broken.
        """
        row = self.get(run)
        with database(self.path, "memory", RUN_TABLES) as connection:
            found = connection.execute("SELECT trace FROM deliveries WHERE run = ?", (run,)).fetchone()
        known = row.model_dump(mode="json", exclude={"result"})
        return {**known, **parse_trace(found[0], f"the trace of run {run}")} if found else known

    def spent_by(self, run: str) -> dict[str, Any]:
        """What ``run`` has used, as its trace says it, read without the rest of it; empty before its delivery.

        Raises:
            BadInput: its trace is broken.
        """
        with database(self.path, "memory", RUN_TABLES) as connection:
            row = connection.execute(_SPENT, (run,)).fetchone()
        return parse_trace(row[0], f"the trace of run {run}") if row else {}

    def trace(self, run: str) -> Trace:
        """The trace of ``run`` as a value; of a run that was not delivered, what the log knows.

        Raises:
            BadInput: there is no such run, or its trace is broken or cannot be read by this version.
        """
        return read_trace(self.show(run), f"the trace of run {run}")

    @contextmanager
    def working_on(self, run: str, thread: str = "", stop: threading.Event | None = None) -> Iterator[None]:
        """Hold the run, and its conversation where it has one, so that no other works on them meanwhile.

        ``thread`` is its thread of checkpoints. ``stop`` is set where another machine took over what is held.

        Raises:
            BadInput: another process is drawing it, or something else in its conversation.
        """
        self._insist_on_id(run)
        own = f"run {run}"
        with ExitStack() as held:
            try:
                held.enter_context(self._leases.hold(sorted({own, thread or own}), _PATIENCE, stop))
            except LeaseHeld as other:
                raise _say_held(other.holder, run) from None
            with storage_errors(self.locks):
                self.locks.mkdir(parents=True, exist_ok=True)
            yield

    def is_busy(self, thread: str) -> bool:
        """Whether a process is working on a run of that thread of checkpoints."""
        return self._leases.holder_of(thread) is not None

    def note(self, run: str, text: str) -> None:
        """Leave a word beside the run, in one write: what a process had used when it was last heard of."""
        with storage_errors(self.locks):
            self.locks.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._note_of(run), os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(handle, text.encode().ljust(_NOTE), 0)
            finally:
                os.close(handle)

    def note_of(self, run: str) -> str:
        """The word that was left last; empty where there is none, or none that can be read."""
        try:
            return self._note_of(run).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def forget(self, run: str) -> None:
        """Delete the word beside the run, and the lock of earlier versions."""
        for path in (self._lock_of(run), self._note_of(run)):
            path.unlink(missing_ok=True)

    def _lock_of(self, run: str) -> Path:
        """The lock of versions that knew no leases."""
        self._insist_on_id(run)
        return self.locks / run

    @staticmethod
    def _insist_on_id(run: str) -> None:
        if not is_run_id(run):
            raise Fault(f"not a run id: {run[:80]!r}")

    def _note_of(self, run: str) -> Path:
        return self._lock_of(run).with_suffix(".note")

    def _row(self, row: Any) -> RunRow:
        values = {
            **dict(row),
            "request": DrawRequest.recall(json.loads(row["request"])),
            "result": json.loads(row["result"] or "null"),
        }
        if values["status"] == "running" and not self.is_alive(values["id"]):
            values["status"] = "interrupted"
        try:
            return read_known(RunRow, values)[0]
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            reason = f"run {values['id']} cannot be read by this version: {where}"
            raise BadInput(reason, "upgrade imagewright") from None

    def is_alive(self, run: str) -> bool:
        """Whether a process is working on the run now."""
        return self._leases.holder_of(f"run {run}") is not None


def _say_held(holder: Holder, run: str) -> BadInput:
    remedy = "wait for it, or end that process"
    if holder.name == f"run {run}":
        return BadInput(f"run {run} is being drawn by another process ({holder})", remedy)
    name = holder.name.removeprefix("thread ")
    return BadInput(f"the conversation {name!r} is being worked on by another process ({holder})", remedy)


_SELECT = """SELECT id, thread, prompt, request, seed, out, status, created, error,
    (SELECT result FROM deliveries WHERE run = runs.id) AS result FROM runs"""


_SPENT = """SELECT CASE WHEN json_valid(trace) THEN coalesce(json_extract(trace, '$.spent'), '{}') ELSE trace END
    FROM deliveries WHERE run = ?"""
_OUTLINE = """SELECT r.id, r.thread, r.status, r.created, r.out, coalesce(d.result, 'null') AS result,
    json_extract(r.request, '$.image') AS start, json_extract(r.request, '$.mask') AS mask,
    CASE WHEN instr(d.trace, '"batch pictures"') THEN d.trace ELSE '' END AS trace
    FROM runs r LEFT JOIN deliveries d ON d.run = r.id ORDER BY r.rowid"""


def _images_in(result: dict[str, Any], trace: str) -> frozenset[str]:
    """The pictures of a delivered run: its rounds', and those of their batches."""
    images = {made["image"] for made in result.get("rounds", ())} | ({result["image"]} if result else set())
    for facts in json.loads(trace).get("facts", ()) if trace else ():
        images.update(facts.get("batch pictures", "").split())
    return frozenset(images)


_DEAD = "SELECT id, out FROM runs WHERE created BETWEEN ? AND ? AND status = 'running'"


def _now(since: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) - since).isoformat(timespec="milliseconds")
