"""What language models answered before, and what their endpoints can do: two tables of SQLite.

Only answers that were checked and used are kept, under a key of everything that they depend on. A damaged or full
disk must not stop a run, so that whoever asks here decides what to do about ``BadInput``.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from imagewright.database import database, transaction

MOST_ANSWERS = 20_000
"""Answers that are kept; the ones not used for longest go first."""
FRESH = 30 * 86_400.0
"""Seconds after which what is known of an endpoint is found out anew: servers are updated."""
_STEPS = (
    """
    CREATE TABLE llm_answers (
        key TEXT PRIMARY KEY, model TEXT NOT NULL, answer TEXT NOT NULL, used REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX llm_answers_used ON llm_answers (used);
    CREATE TABLE llm_endpoints (name TEXT PRIMARY KEY, known TEXT NOT NULL, found REAL NOT NULL) WITHOUT ROWID;
    """,
)


class Known(BaseModel):
    """What an endpoint was found to do; ``None`` where that was never tried."""

    model_config = ConfigDict(frozen=True)

    way: str | None = None
    """The best way of asking it for JSON that worked."""
    vision: bool | None = None
    """Whether it sees pictures."""
    context: int | None = None
    """Tokens of question and answer together that it takes at most."""
    most_tokens: int | None = None
    """Tokens of one answer that it may be asked for at most."""
    tokens_name: str | None = None
    """What it calls that number in a request; empty where it takes none."""
    rules_apart: bool | None = None
    """Whether it takes a system message; where not, the rules stand in the person's."""
    without: tuple[str, ...] = ()
    """Parts of a request that it refuses."""


def answer_key(facts: Mapping[str, Any]) -> str:
    """The SHA-256 of model, parameters, messages, schema and prompt version, as hex."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class LLMCache:
    """The two tables, in the file at ``path``. Every method raises ``BadInput`` when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def answer(self, key: str) -> str | None:
        """The answer under ``key`` as JSON, if there is one; it counts as used now."""
        with database(self.path, "llm", _STEPS) as connection:
            row = connection.execute("SELECT answer FROM llm_answers WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            connection.execute("UPDATE llm_answers SET used = ? WHERE key = ?", (time.time(), key))
            return str(row["answer"])

    def keep(self, key: str, model: str, answer: str) -> None:
        """Keep a checked answer; the oldest beyond ``MOST_ANSWERS`` go."""
        with database(self.path, "llm", _STEPS) as connection, transaction(connection):
            values = (key, model, answer, time.time())
            connection.execute("INSERT OR REPLACE INTO llm_answers VALUES (?, ?, ?, ?)", values)
            connection.execute(
                "DELETE FROM llm_answers WHERE key IN "
                "(SELECT key FROM llm_answers ORDER BY used DESC LIMIT -1 OFFSET ?)",
                (MOST_ANSWERS,),
            )

    def forget(self) -> int:
        """Drop every answer and all that is known of endpoints; how many answers there were."""
        with database(self.path, "llm", _STEPS) as connection, transaction(connection):
            connection.execute("DELETE FROM llm_endpoints")
            return connection.execute("DELETE FROM llm_answers").rowcount

    def recall(self, endpoint: str) -> Known:
        """What was found out about ``endpoint`` lately."""
        with database(self.path, "llm", _STEPS) as connection:
            query = "SELECT known FROM llm_endpoints WHERE name = ? AND found > ?"
            row = connection.execute(query, (endpoint, time.time() - FRESH)).fetchone()
        return Known.model_validate_json(row["known"]) if row else Known()

    def learn(self, endpoint: str, known: Known) -> None:
        """Remember what was found out about ``endpoint``."""
        with database(self.path, "llm", _STEPS) as connection:
            values = (endpoint, known.model_dump_json(), time.time())
            connection.execute("INSERT OR REPLACE INTO llm_endpoints VALUES (?, ?, ?)", values)
