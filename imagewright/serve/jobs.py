"""The queue: jobs are rows, claimed by a lease that its worker renews; a lease that runs out frees the job again.

Any number of processes may work on one queue. What a client ordered and was told is accepted ends exactly once: only
the worker that holds the lease may write the end, and only while the row says that it is running.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from imagewright.database import database, transaction
from imagewright.serve.gathering import Together
from imagewright.serve.orders import Ending, EndStatus, JobOrder, QueuedJob, Trouble

JOB_TABLES = (
    """
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, user TEXT NOT NULL, kind TEXT NOT NULL, thread TEXT NOT NULL,
        wanted TEXT NOT NULL, status TEXT NOT NULL, stop INTEGER NOT NULL DEFAULT 0, worker TEXT NOT NULL DEFAULT '',
        lease REAL NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, started REAL,
        ended REAL, images INTEGER NOT NULL, money REAL NOT NULL, outcome TEXT
    );
    CREATE INDEX jobs_status ON jobs (status);
    CREATE INDEX jobs_owner ON jobs (owner, created);
    CREATE TABLE turns_taken (client TEXT PRIMARY KEY, turn INTEGER NOT NULL);
    CREATE TABLE repeats (
        owner TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, jobs TEXT NOT NULL, created REAL NOT NULL,
        PRIMARY KEY (owner, key)
    );
    CREATE TABLE job_pictures (owner TEXT NOT NULL, image TEXT NOT NULL, PRIMARY KEY (owner, image));
    """,
)
LEASE_SECONDS = 10.0
MOST_LIVES = 5
"""A job whose process ended so often is given up: it may be what ends the process."""
KEPT_SECONDS = 7 * 86_400.0
"""How long jobs that are over, and keys of repeated requests, are remembered."""
DAY = 86_400.0


class Full(Exception):
    """The queue takes no more; ``seconds`` is when to ask again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the queue is full; ask again in {seconds} s")
        self.seconds = seconds


class Reserve(NamedTuple):
    """What a job may use at most, kept aside until it ends."""

    images: int
    money: float


class Accepted(NamedTuple):
    """One job that is to be accepted."""

    id: str
    order: JobOrder
    reserve: Reserve


@dataclass
class Batch:
    """Jobs that are accepted all or none."""

    owner: str
    user: str
    entries: Sequence[Accepted]
    most_own: int
    refusal: Full | None = None


class JobBook:
    """The jobs in the database at ``path``."""

    def __init__(self, path: Path, *, most: int = 256, lease: float = LEASE_SECONDS) -> None:
        self.path, self.most, self.lease = path, most, lease
        self._intake: Together[Batch] = Together(self._write_batches)

    # --- accepting --------------------------------------------------------------------------

    def accept(self, owner: str, user: str, entries: Sequence[Accepted], most_own: int) -> None:
        """Take all of ``entries`` or none.

        Raises:
            Full: the queue, or the owner's part of it (``most_own``), has no room for them.
        """
        batch = Batch(owner, user, entries, most_own)
        self._intake.write(batch)
        if batch.refusal is not None:
            raise batch.refusal

    def _write_batches(self, batches: Sequence[Batch]) -> None:
        now = time.time()
        with database(self.path, "serve", JOB_TABLES) as connection, transaction(connection):
            counts = dict(connection.execute(_OPEN).fetchall())
            for batch in batches:
                size, total, own = len(batch.entries), sum(counts.values()), counts.get(batch.owner, 0)
                if total + size > self.most or own + size > batch.most_own:
                    batch.refusal = Full(max(1, min(60, total)))
                    continue
                counts[batch.owner] = own + size
                connection.executemany(_INSERT, [_row(batch, entry, now) for entry in batch.entries])

    def used_today(self, owner: str) -> Reserve:
        """What the owner's jobs of the last 24 hours have used, and what those that are open may still use."""
        with database(self.path, "serve", JOB_TABLES) as connection:
            row = connection.execute(_USED, (owner, time.time() - DAY)).fetchone()
        return Reserve(int(row[0]), float(row[1]))

    def remember_key(self, owner: str, key: str, digest: str, jobs: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """The digest and the jobs that ``key`` stands for: these, unless it was used before."""
        with database(self.path, "serve", JOB_TABLES) as connection, transaction(connection):
            connection.execute(
                "INSERT OR IGNORE INTO repeats VALUES (?, ?, ?, ?, ?)",
                (owner, key, digest, " ".join(jobs), time.time()),
            )
            row = connection.execute(
                "SELECT digest, jobs FROM repeats WHERE owner = ? AND key = ?", (owner, key)
            ).fetchone()
        return row["digest"], tuple(row["jobs"].split())

    def forget_key(self, owner: str, key: str) -> None:
        """Free a key whose jobs were not accepted."""
        with database(self.path, "serve", JOB_TABLES) as connection:
            connection.execute("DELETE FROM repeats WHERE owner = ? AND key = ?", (owner, key))

    # --- working ----------------------------------------------------------------------------

    def claim(self, worker: str, only: str = "") -> QueuedJob | None:
        """The next job for ``worker``, whose turn it is by clients, then by their users; None where none waits.

        Jobs of one conversation are done in their order, one at a time. With ``only`` no other job is taken.
        """
        with database(self.path, "serve", JOB_TABLES) as connection, transaction(connection):
            now = time.time()
            connection.execute("UPDATE jobs SET status = 'queued' WHERE status = 'running' AND lease < ?", (now,))
            _give_up(connection, now)
            row = connection.execute(_NEXT, (only, only)).fetchone()
            if row is None:
                return None
            connection.execute(_CLAIM, (worker, now + self.lease, now, row["id"]))
            for client in (row["owner"], f"{row['owner']}/{row['user']}"):
                connection.execute(_TURN, (client,))
            return _job(connection.execute("SELECT * FROM jobs WHERE id = ?", (row["id"],)).fetchone())

    def renew(self, worker: str) -> tuple[bool, bool]:
        """Prolong the worker's lease: whether it still holds a job, and whether that one is asked to stop."""
        with database(self.path, "serve", JOB_TABLES) as connection:
            held = connection.execute(
                "UPDATE jobs SET lease = ? WHERE worker = ? AND status = 'running'", (time.time() + self.lease, worker)
            ).rowcount
            stop = connection.execute(
                "SELECT 1 FROM jobs WHERE worker = ? AND status = 'running' AND stop", (worker,)
            ).fetchone()
        return bool(held), stop is not None

    def end(self, worker: str, job: QueuedJob, status: EndStatus, outcome: Ending, used: Reserve) -> bool:
        """Write how a job ended; False where this worker does not hold it any more, and then nothing is changed."""
        with database(self.path, "serve", JOB_TABLES) as connection, transaction(connection):
            ended = connection.execute(
                _END, (status, outcome.model_dump_json(), time.time(), *used, job.id, worker)
            ).rowcount
            if ended and outcome.image:
                connection.execute("INSERT OR IGNORE INTO job_pictures VALUES (?, ?)", (job.owner, outcome.image))
        return bool(ended)

    def put_back(self, worker: str, job: QueuedJob, seconds: float = 0.0) -> None:
        """Leave a job for a later worker: at once, or when ``seconds`` have gone by."""
        status, lease = ("running", time.time() + seconds) if seconds else ("queued", 0.0)
        with database(self.path, "serve", JOB_TABLES) as connection:
            connection.execute(
                "UPDATE jobs SET status = ?, worker = '', lease = ?, tries = tries - 1"
                " WHERE id = ? AND worker = ? AND status = 'running'",
                (status, lease, job.id, worker),
            )

    # --- looking ----------------------------------------------------------------------------

    def get(self, job: str, owner: str | None = None) -> QueuedJob | None:
        """The job of that id, of that owner where one is given."""
        with database(self.path, "serve", JOB_TABLES) as connection:
            row = connection.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
        return _job(row) if row is not None and owner in (None, row["owner"]) else None

    def list_jobs(self, owner: str | None, limit: int, before: str = "") -> tuple[QueuedJob, ...]:
        """The newest jobs of an owner (None: of all), those before the job ``before`` where one is named."""
        with database(self.path, "serve", JOB_TABLES) as connection:
            rows = connection.execute(_LIST, (owner, owner, before, before, limit)).fetchall()
        return tuple(map(_job, rows))

    def list_open(self, thread: str) -> tuple[QueuedJob, ...]:
        """The jobs of a conversation that wait or are worked on, in their order."""
        with database(self.path, "serve", JOB_TABLES) as connection:
            rows = connection.execute(_OPEN_OF, (thread,)).fetchall()
        return tuple(map(_job, rows))

    def list_owners(self) -> Mapping[str, Sequence[str]]:
        """The jobs of each owner that begin a run, by their ids, which are the runs'."""
        found: dict[str, list[str]] = {}
        with database(self.path, "serve", JOB_TABLES) as connection:
            for row in connection.execute("SELECT id, owner FROM jobs WHERE kind IN ('draw', 'say')"):
                found.setdefault(row["owner"], []).append(row["id"])
        return found

    def find_ended(self, jobs: Iterable[str]) -> tuple[str, ...]:
        """Those of ``jobs`` that are over, or gone."""
        asked = tuple(jobs)
        with database(self.path, "serve", JOB_TABLES) as connection:
            marks = ",".join("?" * len(asked))
            query = f"SELECT id FROM jobs WHERE status IN ('queued', 'running') AND id IN ({marks})"
            still = {row[0] for row in connection.execute(query, asked)}
        return tuple(job for job in asked if job not in still)

    def ask_to_stop(self, job: str) -> None:
        """Cancel a job: at once where it waits, else its worker ends it between two steps."""
        outcome = Ending(trouble=Trouble(code="cancelled", message="the job was cancelled before it began"))
        with database(self.path, "serve", JOB_TABLES) as connection, transaction(connection):
            connection.execute("UPDATE jobs SET stop = 1 WHERE id = ? AND status = 'running'", (job,))
            connection.execute(_CANCEL, (outcome.model_dump_json(), time.time(), job))

    def has_picture(self, owner: str, image: str) -> bool:
        """Whether one of the owner's jobs has delivered that picture, or the owner has sent it."""
        with database(self.path, "serve", JOB_TABLES) as connection:
            row = connection.execute("SELECT 1 FROM job_pictures WHERE owner = ? AND image = ?", (owner, image))
            return row.fetchone() is not None

    def add_picture(self, owner: str, image: str) -> None:
        """Note that the owner may use that picture."""
        with database(self.path, "serve", JOB_TABLES) as connection:
            connection.execute("INSERT OR IGNORE INTO job_pictures VALUES (?, ?)", (owner, image))

    def delete(self, job: str) -> None:
        """Forget a job that is over."""
        with database(self.path, "serve", JOB_TABLES) as connection:
            connection.execute("DELETE FROM jobs WHERE id = ? AND status NOT IN ('queued', 'running')", (job,))

    def count(self) -> dict[str, int]:
        """How many jobs stand how."""
        with database(self.path, "serve", JOB_TABLES) as connection:
            return dict(connection.execute("SELECT status, count(*) FROM jobs GROUP BY status").fetchall())

    def prune(self) -> None:
        """Forget what has been over for a week."""
        old = time.time() - KEPT_SECONDS
        with database(self.path, "serve", JOB_TABLES) as connection, transaction(connection):
            connection.execute("DELETE FROM jobs WHERE ended < ?", (old,))
            connection.execute("DELETE FROM repeats WHERE created < ?", (old,))


def _give_up(connection: Any, now: float) -> None:
    trouble = Trouble(code="server_error", message="the process ended each time this was drawn", remedy="see the log")
    text = Ending(trouble=trouble).model_dump_json()
    connection.execute(
        "UPDATE jobs SET status = 'failed', outcome = ?, ended = ? WHERE status = 'queued' AND tries >= ?",
        (text, now, MOST_LIVES),
    )


def _row(batch: Batch, entry: Accepted, now: float) -> tuple[object, ...]:
    order = entry.order
    wanted = (order.kind, order.request.thread or "", order.model_dump_json())
    return (entry.id, batch.owner, batch.user, *wanted, now, *entry.reserve)


def _job(row: Any) -> QueuedJob:
    return QueuedJob(
        id=row["id"],
        owner=row["owner"],
        order=JobOrder.model_validate_json(row["wanted"]),
        status=row["status"],
        stop=bool(row["stop"]),
        tries=row["tries"],
        created=row["created"],
        started=row["started"],
        ended=row["ended"],
        outcome=Ending.model_validate_json(row["outcome"]) if row["outcome"] else None,
    )


_OPEN = "SELECT owner, count(*) FROM jobs WHERE status IN ('queued', 'running') GROUP BY owner"
_OPEN_OF = "SELECT * FROM jobs WHERE status IN ('queued', 'running') AND thread = ? ORDER BY rowid"
_INSERT = """INSERT INTO jobs (id, owner, user, kind, thread, wanted, status, created, images, money)
    VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?)"""
_USED = "SELECT coalesce(sum(images), 0), coalesce(sum(money), 0) FROM jobs WHERE owner = ? AND created > ?"
_NEXT = """SELECT j.id, j.owner, j.user FROM jobs j
    LEFT JOIN turns_taken o ON o.client = j.owner LEFT JOIN turns_taken u ON u.client = j.owner || '/' || j.user
    WHERE j.status = 'queued' AND (? = '' OR j.id = ?) AND NOT EXISTS (
        SELECT 1 FROM jobs b WHERE j.thread != '' AND b.thread = j.thread AND b.rowid < j.rowid
        AND b.status IN ('queued', 'running'))
    ORDER BY coalesce(o.turn, 0), coalesce(u.turn, 0), j.rowid LIMIT 1"""
_CLAIM = """UPDATE jobs SET status = 'running', worker = ?, lease = ?, tries = tries + 1,
    started = coalesce(started, ?) WHERE id = ?"""
_TURN = """INSERT INTO turns_taken VALUES (?, (SELECT coalesce(max(turn), 0) + 1 FROM turns_taken))
    ON CONFLICT (client) DO UPDATE SET turn = (SELECT max(turn) + 1 FROM turns_taken)"""
_END = """UPDATE jobs SET status = ?, outcome = ?, ended = ?, images = ?, money = ?
    WHERE id = ? AND worker = ? AND status = 'running'"""
_CANCEL = """UPDATE jobs SET status = 'cancelled', outcome = ?, ended = ?, images = 0, money = 0
    WHERE id = ? AND status = 'queued'"""
_LIST = """SELECT * FROM jobs WHERE (? IS NULL OR owner = ?)
    AND (? = '' OR rowid < (SELECT rowid FROM jobs WHERE id = ?)) ORDER BY rowid DESC LIMIT ?"""
