"""What the Tab key offers for names: flows, runs and conversations of this home; read only, and never an error."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Literal

from imagewright.errors import ImagewrightError


def flows(incomplete: str) -> list[str]:
    """Flows whose ids begin so."""
    return _names("flows", incomplete)


def runs(incomplete: str) -> list[str]:
    """Runs whose ids begin so, newest first."""
    return _names("runs", incomplete)


def threads(incomplete: str) -> list[str]:
    """Conversations whose names begin so, newest first."""
    return _names("threads", incomplete)


def _names(kind: Literal["flows", "runs", "threads"], typed: str) -> list[str]:
    from imagewright.api import Imagewright

    with contextlib.suppress(ImagewrightError, sqlite3.Error, OSError):
        return list(Imagewright().suggest_names(kind, typed))
    return []
