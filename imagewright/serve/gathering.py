"""Writes of many threads, made together: each commit waits for the disk, so what comes meanwhile shares the next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Piece = TypeVar("Piece")


class Together(Generic[Piece]):
    """Hands what threads give it to ``write``, many at once, by one thread at a time."""

    def __init__(self, write: Callable[[Sequence[Piece]], None]) -> None:
        self._write = write
        self._pending: list[_Waiting[Piece]] = []
        self._lock, self._writing = threading.Lock(), threading.Lock()

    def write(self, piece: Piece) -> None:
        """Give one piece; when this returns, it is written.

        Raises:
            BaseException: what ``write`` raised, for all that it was to write then.
        """
        mine = _Waiting(piece)
        with self._lock:
            self._pending.append(mine)
        with self._writing:
            if not mine.over:  # else the thread that was writing took it along
                self._write_pending()
        if mine.error is not None:
            raise mine.error

    def _write_pending(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
        error: BaseException | None = None
        try:
            self._write([waiting.piece for waiting in pending])
        except BaseException as raised:  # noqa: BLE001 - each of their threads raises it
            error = raised
        for waiting in pending:
            waiting.over, waiting.error = True, error


class _Waiting(Generic[Piece]):
    def __init__(self, piece: Piece) -> None:
        self.piece, self.over = piece, False
        self.error: BaseException | None = None
