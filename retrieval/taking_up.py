"""A new fit of a large index is taken up by a thread beside the requests, which are answered by the one before it; and
a process that is going to be asked reads a large index before it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright.database import database
from imagewright.errors import BadInput
from imagewright.retrieval import store
from imagewright.retrieval.shelf import Shelf, holds_much

if TYPE_CHECKING:
    from imagewright.retrieval.index import FlowIndex


def read_ahead(path: Path, index: Callable[[], FlowIndex], backends: Sequence[str], learn_critic: bool) -> None:
    """Read the index at ``path``, if it is large, and its scores on ``backends``, so that no request waits for that.

    What cannot be read is told to the first request. A small index is read in a moment when it is asked for.
    """
    with suppress(BadInput):
        if not path.is_file():
            return
        with database(path, store.OWNER, store.INDEX_TABLES) as db:
            much = holds_much(db)
        for backend in backends if much else ():
            with index().hold(backend, learn_critic):
                pass


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
