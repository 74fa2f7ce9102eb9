"""A process that has imported what commands need and forks for each: ``python nursery.py FD``, asked by ``warm.py``.

A fork is a process like any other: with its own id, signals, memory, streams and end. Only the seconds of importing are
spared. Nothing of ``imagewright.cli`` is imported beforehand, since that part looks at the terminal and at the words.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import termios
import threading
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEFOREHAND = (
    "imagewright.t2i_backends.execution.executor",
    "imagewright.t2i_backends.execution.readiness",
    "imagewright.t2i_backends.diffusers_local",
    "imagewright.t2i_backends.mini.detector",
    "imagewright.tools.detect",
    "imagewright.graph.runner",
    "imagewright.retrieval.index",
    "imagewright.agents.conversation.rules",
    "imagewright.agents.team",
    "imagewright.agents.llm.ask",
    "imagewright.api",
    "imagewright.serve.server",
    "imagewright.retrieval.retrieve",
    "imagewright.retrieval.minilm",
    "imagewright.agents.categorizer.rules",
    "imagewright.agents.selector.rules",
    "imagewright.agents.critic.detector",
    "diffusers.models.autoencoders",
    "diffusers.pipelines.pipeline_utils",
    "diffusers.pipelines.flux.pipeline_flux",
    "transformers.models.clip.modeling_clip",
    "transformers.models.t5.modeling_t5",
)


@dataclass(frozen=True, slots=True)
class Order:
    """What to run: the words after ``python``, where, and in which environment."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    session: bool


def take_orders(control: socket.socket) -> Order | None:
    """Fork for each order; the order in a fork, None in the nursery itself once nobody asks any more."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    reports: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([control, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            _report_ends(reports)
        if control in ready:
            text, handles, _, _ = socket.recv_fds(control, 1 << 20, 4)
            if not text:
                return None
            report = socket.socket(fileno=handles.pop())
            if (child := os.fork()) == 0:
                _leave([control, report, *reports.values()], [wake, waker])
                _take_streams(handles)
                return Order(**json.loads(text))
            for handle in handles:
                os.close(handle)
            report.send(struct.pack("i", child))
            reports[child] = report


def _report_ends(reports: dict[int, socket.socket]) -> None:
    for child in list(reports):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            with reports.pop(child) as report, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                report.send(struct.pack("i", os.waitstatus_to_exitcode(status)))


def _leave(sockets: list[socket.socket], handles: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for one in sockets:
        one.close()
    for handle in handles:
        os.close(handle)


def _take_streams(handles: list[int]) -> None:
    for number, handle in enumerate(handles):
        os.dup2(handle, number)
    for handle in handles:
        if handle > 2:
            os.close(handle)


def _open_streams() -> None:
    """Standard streams as a new process has them."""
    at_once = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(os.fdopen(0, "rb", closefd=False), encoding="utf-8")
    for name, number, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        raw = os.fdopen(number, "wb", 0 if at_once else -1, closefd=False)
        lines = number == 2 or os.isatty(number)
        stream = io.TextIOWrapper(raw, "utf-8", errors, line_buffering=lines, write_through=at_once)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def run(order: Order) -> None:
    """Be the process that ``python`` with these words would be."""
    if order.session:
        os.setsid()
        if os.isatty(0):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(order.environment)
    os.chdir(order.folder)
    _open_streams()
    kind, *rest = order.words
    if kind == "-m":
        sys.argv = rest
        sys.path.insert(0, order.folder)
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        _run_text(rest[0])
    else:
        sys.argv = order.words
        sys.path.insert(0, str(Path(kind).resolve().parent))
        runpy.run_path(kind, run_name="__main__")


def _run_text(text: str) -> None:
    place: Any = types.ModuleType("__main__")
    sys.modules["__main__"] = place
    exec(compile(text, "<string>", "exec"), place.__dict__)


def main() -> None:
    """Import, then serve until the other end is closed."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path.pop(0)  # this folder
    for name in BEFOREHAND:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a fork has but the thread that forks"
    gc.collect()
    gc.freeze()
    order = take_orders(control)
    if order is not None:
        run(order)


if __name__ == "__main__":
    main()
