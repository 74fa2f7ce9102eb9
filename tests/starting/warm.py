"""Processes that need not import first: ``Popen`` and ``run`` as in ``subprocess``, for ``[sys.executable, …]``.

A test about a process (its end by ``kill -9``, its streams, what it leaves behind) wants a real one, but not the eight
seconds of processor time in which it imports torch. Here it is a fork of a process that has imported already; see
``nursery.py``. What is about starting itself (imports, flags of Python, the console script, limits set beforehand, the
order that hashing gives) uses ``subprocess``.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, CompletedProcess, TimeoutExpired
from typing import Any

_NURSERY = Path(__file__).with_name("nursery.py")
_nursery: tuple[int, socket.socket] | None = None
"""The process that forked it (a fork of this one starts its own) and the way to it."""
_lock = threading.Lock()


def _ask(order: Mapping[str, Any], handles: list[int]) -> None:
    global _nursery
    with _lock:
        if _nursery is None or _nursery[0] != os.getpid():
            _nursery = (os.getpid(), _open_nursery())
        socket.send_fds(_nursery[1], [json.dumps(order).encode()], handles)


def _open_nursery() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, str(_NURSERY), str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env={**os.environ, "OMP_NUM_THREADS": "1"})
    owner = os.getpid()

    def close() -> None:
        if os.getpid() == owner:
            ours.close()
            process.wait()

    atexit.register(close)
    return ours


class Popen:
    """A process under way, with what tests use of ``subprocess.Popen``."""

    def __init__(
        self,
        args: Sequence[str | Path],
        *,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        text: bool = False,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        start_new_session: bool = False,
    ) -> None:
        """Start ``args``, whose first word is this Python."""
        assert str(args[0]) == sys.executable, "only this Python is warm"
        self.args = args
        self.returncode: int | None = None
        order = {
            "words": [str(word) for word in args[1:]],
            "folder": str(Path(cwd or ".").absolute()),
            "environment": dict(os.environ if env is None else env),
            "session": start_new_session,
        }
        with contextlib.ExitStack() as lent:
            self.stdin, reading = _enter(stdin, text, lent)
            self.stdout, writing = _leave(stdout, 1, text, lent)
            self.stderr, complaining = (None, writing) if stderr == STDOUT else _leave(stderr, 2, text, lent)
            self._report, theirs = socket.socketpair()
            lent.enter_context(theirs)
            _ask(order, [reading, writing, complaining, theirs.fileno()])
        self.pid = self._hear()

    def _hear(self) -> int:
        told = self._report.recv(4, socket.MSG_WAITALL)
        assert told, "the process that forks has ended"
        return int(struct.unpack("i", told)[0])

    def poll(self) -> int | None:
        """The exit code, minus the signal's number if one ended it; None as long as it runs."""
        try:
            return self.wait(0)
        except TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended."""
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise TimeoutExpired([str(word) for word in self.args], timeout or 0.0)
            self.returncode = self._hear()
            self._report.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        """Everything it writes, up to its end."""
        until = None if timeout is None else time.monotonic() + timeout
        told: dict[str, Any] = {}
        readers = [
            threading.Thread(target=lambda name, pipe: told.update({name: pipe.read()}), args=(name, pipe), daemon=True)
            for name, pipe in (("stdout", self.stdout), ("stderr", self.stderr))
            if pipe is not None and not pipe.closed
        ]
        for reader in readers:
            reader.start()
        if self.stdin is not None and not self.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self.stdin.write(input or ("" if isinstance(self.stdin, io.TextIOBase) else b""))
                self.stdin.close()
        for reader in readers:
            reader.join(None if until is None else max(0.0, until - time.monotonic()))
            if reader.is_alive():
                raise TimeoutExpired([str(word) for word in self.args], timeout or 0.0)
        self.wait(None if until is None else max(0.0, until - time.monotonic()))
        self._close()
        return told.get("stdout"), told.get("stderr")

    def _close(self) -> None:
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def __enter__(self) -> Popen:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()
        self.wait()


def _enter(wanted: Any, text: bool, lent: contextlib.ExitStack) -> tuple[Any, int]:
    """Our end of its standard input, if we write to it, and the handle that it reads."""
    if wanted != PIPE:
        return None, _lend(wanted, 0, lent)
    theirs, ours = os.pipe()
    lent.callback(os.close, theirs)
    raw = os.fdopen(ours, "wb")
    return (io.TextIOWrapper(raw, write_through=True) if text else raw), theirs


def _leave(wanted: Any, number: int, text: bool, lent: contextlib.ExitStack) -> tuple[Any, int]:
    """Our end of a stream that it writes, if we read it, and the handle that it writes to."""
    if wanted != PIPE:
        return None, _lend(wanted, number, lent)
    ours, theirs = os.pipe()
    lent.callback(os.close, theirs)
    raw = os.fdopen(ours, "rb")
    return (io.TextIOWrapper(raw) if text else raw), theirs


def _lend(wanted: Any, number: int, lent: contextlib.ExitStack) -> int:
    if wanted is None:
        return number
    if wanted == DEVNULL:
        nothing = os.open(os.devnull, os.O_RDWR)
        lent.callback(os.close, nothing)
        return nothing
    return int(wanted if isinstance(wanted, int) else wanted.fileno())


def run(
    args: Sequence[str | Path],
    *,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **options: Any,
) -> CompletedProcess[Any]:
    """Run ``args`` to the end, as ``subprocess.run`` does."""
    if input is not None:
        options["stdin"] = PIPE
    if capture_output:
        options["stdout"] = options["stderr"] = PIPE
    with Popen(args, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = CompletedProcess([str(word) for word in args], process.wait(), out, err)
    if check:
        done.check_returncode()
    return done
