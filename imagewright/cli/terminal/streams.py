"""The three standard streams as a person may leave them: closed from the start, or broken while we write.

Nobody who stops reading what goes on ends a run: what cannot be written on standard error is dropped, and a stream
that was closed is opened on nothing, so that no database gets its number.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

_NOT_WRITTEN = (OSError, ValueError)
"""What writing raises: the reader is gone, or the stream is closed."""


class ForgivingStream:
    """A text stream that drops what it cannot write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or lose, ``text``; characters that the stream cannot hold are replaced."""
        with contextlib.suppress(*_NOT_WRITTEN):
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                self._stream.write(text.encode("ascii", "replace").decode())
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with contextlib.suppress(*_NOT_WRITTEN):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def stand_streams() -> Iterator[bool]:
    """All three streams usable inside; gives whether standard output was closed, so that nobody could read it."""
    closed = sys.stdout is None
    before = sys.stdin, sys.stdout, sys.stderr
    opened = _open_closed()
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BytesIO())
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - it lives as long as the process
    sys.stderr = cast(TextIO, ForgivingStream(sys.stderr or open(os.devnull, "w", encoding="utf-8")))  # noqa: SIM115
    try:
        yield closed
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        for handle in opened:
            os.close(handle)


def _open_closed() -> list[int]:
    """Open nothing at each of the first three numbers that is free."""
    opened = []
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        opened.append(handle)
    os.close(handle)
    return opened
