"""Several jobs at once, in step: each runs its own graph, and their passes through one model become one batch.

A small model leaves a processor idle between its many little operations, and a large GPU model its lanes; drawn
together, pictures cost a fraction of what they cost one by one. Samplers, regions and seeds need to know nothing of it:
every job is a thread that has the turn alone until it calls a model, then waits there for the others. When all wait,
the calls that fit together (the same model, shapes and plain values) go through the model as one batch.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from imagewright.errors import Cancelled
from imagewright.t2i_backends.families.table import known_families

SHARED = frozenset[str]().union(*(family.unbatched for family in known_families().values()))
"""Tensors without a batch dimension: one serves the whole batch, so they must be equal."""


@dataclass(eq=False)
class _Call:
    """One waiting pass through ``run``, a model or a method of one."""

    run: Callable[..., Any]
    arguments: Mapping[str, Any]
    result: Any = None
    error: BaseException | None = None


@dataclass(eq=False)
class _Change:
    """What a model wears for some jobs, and how to undo it."""

    what: object
    undo: contextlib.ExitStack
    users: int = 0


@dataclass(eq=False)
class _Task:
    """A job's thread. It runs only while ``turn`` is its own; it hands the turn back through ``paused``."""

    work: Callable[[], Any]
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    paused: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    waits: _Call | Callable[[], bool] | None = None
    """A call, or what must hold before it goes on."""
    result: Any = None
    error: BaseException | None = None
    running: bool = False
    ended: bool = False


class Lockstep:
    """Runs jobs in step. Used by one thread at a time; the jobs' threads are its own."""

    def __init__(self) -> None:
        self._now: _Task | None = None
        """The job that has the turn, or had it last."""
        self._stopped = False
        self._most = sys.maxsize
        """How many calls memory is known to hold at once."""
        self._worn: dict[int, _Change] = {}

    def run(self, works: Sequence[Callable[[], Any]]) -> list[Any | BaseException]:
        """The result of each of ``works``, or the error that it ended with, in order.

        Interrupted (Ctrl-C), it lets every job end with ``Cancelled`` first, so that each undoes what it changed.
        """
        tasks = [_Task(work) for work in works]
        for task in tasks:
            threading.Thread(target=self._live, args=(task,), daemon=True).start()
        try:
            while live := [task for task in tasks if not task.ended]:
                self._advance(live)
        except BaseException:
            self._stop(tasks)
            raise
        return [task.result if task.error is None else task.error for task in tasks]

    def _advance(self, live: Sequence[_Task]) -> None:
        """Give the turn to all jobs that can use it; where there is none, answer the calls that they wait for."""
        ready = [task for task in live if not isinstance(task.waits, _Call) and self._may_go_on(task)]
        for task in ready:
            self._give_turn(task)
        if not ready:
            self._answer([task for task in live if isinstance(task.waits, _Call)])

    def _stop(self, tasks: Sequence[_Task]) -> None:
        self._stopped = True
        if self._now is not None and self._now.running:
            self._now.paused.acquire()
            self._now.running = False
        for task in tasks:
            while not task.ended:
                self._give_turn(task)

    def call(self, run: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """What ``run(**arguments)`` gives this job; inside a job only. Batched with the other jobs' calls."""
        call = _Call(run, arguments)
        self._wait(call)
        if call.error is not None:
            raise call.error
        return call.result

    @contextlib.contextmanager
    def together(self, model: object, what: object, enter: Callable[[], Any]) -> Iterator[None]:
        """A change to ``model`` (its LoRAs) that jobs share: the first one makes it, the last one undoes it.

        A job that wants another change waits until those who use this one have left.
        """
        key = id(model)
        # Several jobs may wait for the same end, and the first of them to wake brings another change.
        while key in self._worn and self._worn[key].what != what:
            self._wait(lambda: key not in self._worn)
        if key not in self._worn:
            undo = contextlib.ExitStack()
            undo.enter_context(enter())
            self._worn[key] = _Change(what, undo)
        change = self._worn[key]
        change.users += 1
        try:
            yield
        finally:
            change.users -= 1
            if not change.users:
                del self._worn[key]
                change.undo.close()

    # --- turns ------------------------------------------------------------------------------

    def _live(self, task: _Task) -> None:
        task.turn.acquire()
        try:
            task.result = task.work()
        except BaseException as error:  # noqa: BLE001 - a job's error belongs to that job; run() hands it on
            task.error = error
        task.ended = True
        task.paused.release()

    def _give_turn(self, task: _Task) -> None:
        self._now, task.waits, task.running = task, None, True
        task.turn.release()
        task.paused.acquire()
        task.running = False

    def _wait(self, reason: _Call | Callable[[], bool]) -> None:
        task = self._now
        if task is None:
            raise RuntimeError("only a job of this lockstep can wait in it")
        task.waits = reason
        task.paused.release()
        task.turn.acquire()
        if self._stopped:
            raise Cancelled("the drawing was stopped")

    def _may_go_on(self, task: _Task) -> bool:
        return not callable(task.waits) or task.waits()

    def _answer(self, waiting: Sequence[_Task]) -> None:
        groups: dict[object, list[_Call]] = {}
        for task in waiting:
            if isinstance(task.waits, _Call):
                groups.setdefault((task.waits.run, _likeness(task.waits.arguments)), []).append(task.waits)
        for calls in groups.values():
            self._answer_group(calls)
        for task in waiting:
            self._give_turn(task)

    def _answer_group(self, calls: Sequence[_Call]) -> None:
        """Run alike calls as one; where memory is short, as two halves, and no more than those from then on."""
        if len(calls) > self._most:
            for first in range(0, len(calls), self._most):
                self._answer_group(calls[first : first + self._most])
            return
        try:
            with torch.inference_mode():
                found = calls[0].run(**_joined([call.arguments for call in calls]))
            first = 0
            for call in calls:
                count = _rows(call.arguments)
                call.result = _cut(found, first, first + count)
                first += count
        except torch.OutOfMemoryError as error:
            if len(calls) == 1:
                calls[0].error = error
                return
            self._most = len(calls) // 2
            self._answer_group(calls)
        except Exception as error:  # noqa: BLE001 - raised again in every job of the batch
            for call in calls:
                call.error = error


# --- batches --------------------------------------------------------------------------------


def _likeness(value: Any, name: str = "") -> object:
    """What must be equal for two calls to go together: shapes but for the batch, types and plain values."""
    if isinstance(value, torch.Tensor):
        if name in SHARED or value.ndim == 0:
            data = value.detach().to("cpu", torch.float32).numpy().tobytes()
            return ("shared", tuple(value.shape), str(value.dtype), hashlib.sha256(data).digest())
        return ("rows", tuple(value.shape[1:]), str(value.dtype), str(value.device))
    if isinstance(value, Mapping):
        return tuple((key, _likeness(value[key], key)) for key in sorted(value))
    if isinstance(value, (list, tuple)):
        return tuple(_likeness(item) for item in value)
    return repr(value)


def _joined(values: Sequence[Any], name: str = "") -> Any:
    first = values[0]
    if len(values) == 1:
        return first
    if isinstance(first, torch.Tensor):
        return first if name in SHARED or first.ndim == 0 else torch.cat(list(values))
    if isinstance(first, Mapping):
        return {key: _joined([value[key] for value in values], key) for key in first}
    if isinstance(first, (list, tuple)):
        return type(first)(_joined(items) for items in zip(*values, strict=True))
    return first


def _rows(arguments: Mapping[str, Any]) -> int:
    """How many rows a call adds to the batch: those of its first batched tensor."""
    return next(
        int(value.shape[0])
        for name, value in arguments.items()
        if isinstance(value, torch.Tensor) and value.ndim and name not in SHARED
    )


def _cut(value: Any, first: int, last: int) -> Any:
    if isinstance(value, torch.Tensor):
        return value[first:last]
    return type(value)(_cut(item, first, last) for item in value)


class Joined:
    """A model whose passes are batched with those of the other jobs; all else is the model's own."""

    def __init__(self, model: Any, lockstep: Lockstep) -> None:
        self.bare, self._lockstep = model, lockstep

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bare, name)

    def __call__(self, **arguments: Any) -> Any:
        return self._lockstep.call(self.bare, arguments)

    def decode(self, z: torch.Tensor, return_dict: bool = False) -> Any:
        """An autoencoder's decoding of latents ``(rows, C, h, w)``."""
        return self._lockstep.call(self.bare.decode, {"z": z, "return_dict": return_dict})
