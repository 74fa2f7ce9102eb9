"""A program behind a pseudo-terminal of a given width, typed into as a person types."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from types import TracebackType
from typing import Self

_ROWS = 50
_WAITS = ("\x1b[?2004h", "Which way?")
"""What a program sends when it waits for a line: bracketed paste is switched on, or a question is asked."""
_PATIENCE = 600.0


class PseudoTerminal:
    """One run of ``command`` in ``folder``; what it writes is kept."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, columns: int) -> None:
        self._handle, inner = pty.openpty()
        ioctl(inner, TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
        self._process = subprocess.Popen(
            command, stdin=inner, stdout=inner, stderr=inner, cwd=folder, env=dict(environment), start_new_session=True
        )
        os.close(inner)
        self._written, self._read = "", 0
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._handle)

    def say(self, text: str) -> None:
        """Type a line."""
        os.write(self._handle, text.encode() + b"\r")

    def await_prompt(self) -> None:
        """Wait until the program waits for a line.

        Raises:
            TimeoutError: it ended, or did not ask in ten minutes.
        """
        end = time.monotonic() + _PATIENCE
        while not any(mark in self._written[self._read :] for mark in _WAITS):
            if not self._pump() or time.monotonic() > end:
                raise TimeoutError(f"it asks for nothing: {self._written[-500:]}")
        self._read = len(self._written)

    def await_end(self) -> tuple[int, str]:
        """The exit code, and all that was written."""
        end = time.monotonic() + _PATIENCE
        while self._pump() and time.monotonic() < end:
            pass
        return self._process.wait(10), self._written

    def _pump(self) -> bool:
        """Take what was written; False once the program has closed the terminal."""
        if not select.select([self._handle], [], [], 0.1)[0]:
            return self._process.poll() is None
        with contextlib.suppress(OSError):  # Linux says so where the other end is closed
            data = os.read(self._handle, 65536)
            text, self._rest = _decode(self._rest + data)
            self._written += text
            return bool(data)
        return False


def _decode(data: bytes) -> tuple[str, bytes]:
    """The text of ``data`` and the bytes of a letter that is not whole yet."""
    for cut in range(4):
        with contextlib.suppress(UnicodeDecodeError):
            return data[: len(data) - cut].decode(), data[len(data) - cut :]
    return data.decode(errors="replace"), b""
