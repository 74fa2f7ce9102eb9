"""A new fit of a large index is taken up by a thread beside the requests, which are answered by the one before it."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from imagewright.database import database
from imagewright.errors import BadInput
from imagewright.retrieval import store
from imagewright.retrieval.shelf import Shelf


class TakingUp:
    """What one process takes up; one thing at a time."""

    def __init__(self, path: Path, shelf: Shelf) -> None:
        self._path, self._shelf = path, shelf
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless it is under way."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="take up a fit", daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """Wait for what is under way."""
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        with suppress(BadInput), database(self._path, store.OWNER, store.INDEX_TABLES) as db:
            self._shelf.read_beside(db)  # a database that fails is told to the next request, which needs it
