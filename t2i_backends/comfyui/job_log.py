"""The jobs that were given to servers: a row before anything is sent, so that a kill at any moment is made good.

A row says for which content key a prompt id of ours was made, on which server, and how it went. Whoever asks for the
same key again finds it, asks that server, and sends nothing that the server still has.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from imagewright.database import database, transaction

JobStatus = Literal["made", "sent", "done", "lost", "left", "failed", "cancelled"]
"""``made``: the row is there, the server may not know of it yet; ``sent``: the server took it; ``lost``: the server
forgot it; ``left``: it was given to another server."""
_OPEN: tuple[JobStatus, ...] = ("made", "sent", "done")
TABLES = (
    """
    CREATE TABLE comfyui_jobs (
        prompt_id TEXT PRIMARY KEY, key TEXT NOT NULL, server TEXT NOT NULL, status TEXT NOT NULL, why TEXT NOT NULL,
        files TEXT NOT NULL, made_at TEXT NOT NULL, changed_at TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX comfyui_jobs_by_key ON comfyui_jobs (key);
    CREATE TABLE comfyui_servers (
        name TEXT PRIMARY KEY, url TEXT NOT NULL, facts BLOB NOT NULL, at REAL NOT NULL
    ) WITHOUT ROWID;
    """,
)
OWNER = "comfyui"


@dataclass(frozen=True)
class SentJob:
    """One row."""

    prompt_id: str
    """A canonical UUID of ours."""
    key: str
    """The content key of the drawing step."""
    server: str
    status: JobStatus
    why: str = ""
    files: tuple[str, ...] = ()
    """SHA-256 of the files that were fetched, the delivered one first."""


class JobLog:
    """The rows in ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find_open(self, key: str) -> SentJob | None:
        """The newest row of ``key`` whose server may have the job, or has drawn it."""
        with database(self.path, OWNER, TABLES) as db:
            row = db.execute(
                f"SELECT * FROM comfyui_jobs WHERE key = ? AND status IN ({', '.join('?' * len(_OPEN))}) "
                "ORDER BY made_at DESC, prompt_id LIMIT 1",
                (key, *_OPEN),
            ).fetchone()
        return None if row is None else _read(row)

    def list_jobs(self, key: str | None = None) -> list[SentJob]:
        """The rows of ``key``, or all of them, oldest first."""
        with database(self.path, OWNER, TABLES) as db:
            query, values = ("WHERE key = ?", (key,)) if key is not None else ("", ())
            return [_read(r) for r in db.execute(f"SELECT * FROM comfyui_jobs {query} ORDER BY made_at", values)]

    def begin_job(self, key: str, server: str) -> SentJob:
        """A row for a job that is about to be sent to ``server``, under a new id."""
        job = SentJob(str(uuid.uuid4()), key, server, "made")
        now = _now()
        with database(self.path, OWNER, TABLES) as db, transaction(db):
            values = (job.prompt_id, key, server, job.status, "", "", now, now)
            db.execute("INSERT INTO comfyui_jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        return job

    def mark(self, job: SentJob, status: JobStatus, why: str = "", files: tuple[str, ...] = ()) -> None:
        """How it stands now."""
        with database(self.path, OWNER, TABLES) as db, transaction(db):
            db.execute(
                "UPDATE comfyui_jobs SET status = ?, why = ?, files = ?, changed_at = ? WHERE prompt_id = ?",
                (status, why, " ".join(files), _now(), job.prompt_id),
            )


def _read(row: object) -> SentJob:
    fields = {name: row[name] for name in ("prompt_id", "key", "server", "status", "why")}  # type: ignore[index]
    return SentJob(**fields, files=tuple(row["files"].split()))  # type: ignore[index]


def _now() -> str:
    return datetime.now(UTC).isoformat()
