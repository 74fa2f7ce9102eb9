"""Ctrl-C as a wish: the first one asks for an end between two steps, a second one interrupts as usual."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def hear_interrupts(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C set ``stop``; a second one interrupts as usual.

    Only the main thread hears Ctrl-C; elsewhere whoever holds ``stop`` sets it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
