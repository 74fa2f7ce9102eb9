"""``python -m imagewright.retrieval.build_fit DATABASE LOCK BACKEND LEARN DIMENSION``: the process that fits, and ends.

It works beside the requests, which go on with the fit that there is, and outlives a command that is done sooner.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from imagewright.database import database
from imagewright.errors import BadInput
from imagewright.locks import LockHeld, hold_lock
from imagewright.retrieval import store
from imagewright.retrieval.shelf import refit

AGAIN = 60.0
"""Seconds before a process that came to nothing is followed by another."""


class Fitting:
    """What one process has others fit; at most one at a time, and threads may share it."""

    def __init__(self, path: Path, folder: Path, dimension: int) -> None:
        self._path, self._lock_path, self._dimension = path, folder / "fit.lock", dimension
        self._lock = threading.Lock()
        self._working: subprocess.Popen[bytes] | None = None
        self._since = -AGAIN

    def start(self, backend: str, learn_critic: bool) -> None:
        """Let the scores on ``backend`` be fitted by a process of its own, unless one works on that."""
        with self._lock:
            busy = self._working is not None and self._working.poll() is None
            if busy or time.monotonic() - self._since < AGAIN:
                return
            self._since = time.monotonic()
            command = [sys.executable, "-m", "imagewright.retrieval.build_fit", str(self._path), str(self._lock_path),
                       backend, str(int(learn_critic)), str(self._dimension)]  # fmt: skip
            self._working = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip


def main() -> None:
    """Fit; nothing is said, for nobody listens. Where the file system knows no locks two may do the same work."""
    path, lock, backend, learn, dimension = sys.argv[1:6]
    with suppress(AttributeError, OSError):
        os.nice(10)
    with suppress(LockHeld, BadInput), ExitStack() as held:
        with suppress(BadInput):
            held.enter_context(hold_lock(Path(lock)))
        with database(Path(path), store.OWNER, store.INDEX_TABLES) as db:
            refit(db, (backend, learn == "1"), int(dimension))


if __name__ == "__main__":
    main()
