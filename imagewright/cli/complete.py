"""What the Tab key offers for names: flows, runs and conversations of this home; read only, and never an error."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable

from imagewright.errors import ImagewrightError

_MOST = 200
"""How many names are offered."""


def _names(query: str) -> Callable[[str], list[str]]:
    """A completion: the first column of ``query`` (its ``?`` is what was typed so far, as a LIKE pattern)."""

    def complete(incomplete: str) -> list[str]:
        from imagewright.settings import load_settings

        pattern = incomplete.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        with contextlib.suppress(sqlite3.Error, OSError, ImagewrightError):
            address = f"{load_settings().database.absolute().as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=1.0)) as db:
                return [str(row[0]) for row in db.execute(f"{query} LIMIT {_MOST}", (pattern,))]
        return []

    return complete


flows = _names("SELECT id FROM flows WHERE id LIKE ? ESCAPE '\\' ORDER BY id")
runs = _names("SELECT id FROM runs WHERE id LIKE ? ESCAPE '\\' ORDER BY rowid DESC")
threads = _names(
    "SELECT substr(thread, 8) AS name FROM runs WHERE thread LIKE 'thread %' AND name LIKE ? ESCAPE '\\' "
    "GROUP BY name ORDER BY max(rowid) DESC"
)
