"""Workers: one a device. Each claims a job, does it with its engine, and writes how it ended, once."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from imagewright.errors import BadInput, Cancelled, Fault, ImagewrightError
from imagewright.schemas import RunEvent
from imagewright.serve.feeds import Feed, Feeds
from imagewright.serve.jobs import JobBook, Reserve
from imagewright.serve.orders import Ending, EndStatus, QueuedJob, Trouble
from imagewright.serve.work import do_order, is_held_elsewhere

if TYPE_CHECKING:
    from imagewright.api import Imagewright

_LOG = logging.getLogger(__name__)
_IDLE = 0.5
"""Seconds between two looks at the queue where nobody rings: other processes may put something there."""
EngineFor = Callable[[str], "Imagewright"]
"""The engine for a job of the owner of that name."""


class Worker(threading.Thread):
    """One device's worker. ``ring`` wakes it; ``leave`` ends it when its job is done, or at once with ``now``.

    With ``only`` it takes that job and no other.
    """

    def __init__(self, engine_for: EngineFor, book: JobBook, feeds: Feeds, number: int = 0, *, only: str = "") -> None:
        super().__init__(name=f"imagewright-worker-{number}", daemon=True)
        self.label = f"{socket.gethostname()}:{os.getpid()}:{number}:{time.time_ns():x}"
        self._engine_for, self._book, self._feeds, self._only = engine_for, book, feeds, only
        self._bell, self._leaving = threading.Event(), threading.Event()
        self._halt: threading.Event | None = None
        self.own_seconds: list[float] = []
        """Of the last jobs: seconds from claim to end."""

    def ring(self) -> None:
        """Look at the queue now."""
        self._bell.set()

    def leave(self, *, now: bool = False) -> None:
        """Claim no further job; with ``now`` the present one stops between two steps and is left for later."""
        self._leaving.set()
        self._bell.set()
        if now and self._halt is not None:
            self._halt.set()

    def run(self) -> None:
        """Work until ``leave``."""
        while not self._leaving.is_set():
            try:
                job = self._book.claim(self.label, self._only)
            except ImagewrightError as error:
                _LOG.warning("the queue cannot be read: %s", error)
                job = None
            if job is not None:
                self._do(job)
                continue
            self._bell.wait(_IDLE)
            self._bell.clear()

    def renew(self) -> None:
        """Prolong the lease of the present job, and stop it where that was asked for or the lease is lost."""
        stop = self._halt
        if stop is None:
            return
        held, asked = self._book.renew(self.label)
        if (asked or not held) and self._halt is stop:
            stop.set()

    # --- one job ----------------------------------------------------------------------------

    def _do(self, job: QueuedJob) -> None:
        stop = self._halt = threading.Event()
        if job.stop:
            stop.set()
        feed, counted, begun = self._feeds.of(job.id), _Counted(), time.monotonic()
        try:
            engine = self._engine_for(job.owner)
            if is_held_elsewhere(engine, job):
                self._book.put_back(self.label, job, 1.0)
                return
            outcome = do_order(engine, job, lambda event: _tell(engine, feed, counted, event), stop)
        except BaseException as error:  # noqa: BLE001 - the boundary of a thread: every job ends
            self._fail(job, feed, error, counted)
        else:
            self._end(job, feed, "done", outcome, counted.used(engine, outcome))
        finally:
            self._halt = None
            self.own_seconds = [*self.own_seconds[-999:], time.monotonic() - begun]

    def _fail(self, job: QueuedJob, feed: Feed, error: BaseException, counted: _Counted) -> None:
        if isinstance(error, Cancelled) and self._leaving.is_set():
            self._book.put_back(self.label, job)
            feed.close()
            return
        known = error if isinstance(error, ImagewrightError) else Fault(f"a bug of ours: {type(error).__name__}")
        if known is not error:
            _LOG.error("job %s", job.id, exc_info=error)
        outcome = Ending(run=job.order.target or job.id, trouble=Trouble.of(known))
        status: EndStatus = "cancelled" if isinstance(error, Cancelled) else "failed"
        self._end(job, feed, status, outcome, Reserve(counted.images, self._money_at_most(job)))

    def _money_at_most(self, job: QueuedJob) -> float:
        """What a run without a picture may have spent: there is no trace that says it, so all that it was allowed."""
        language_model = self._engine_for(job.owner).settings.llm
        return (job.order.request.max_money or 0.0) if language_model else 0.0

    def _end(self, job: QueuedJob, feed: Feed, status: EndStatus, outcome: Ending, used: Reserve) -> None:
        for patience in (0.0, 1.0, 5.0):
            time.sleep(patience)
            try:
                self._book.end(self.label, job, status, outcome, used)
                break
            except BadInput as error:  # a disk that is full or locked: the lease ends it later if need be
                _LOG.warning("job %s cannot be ended: %s", job.id, error)
        feed.close()


class _Counted:
    """What a job has made, for its owner's budget."""

    def __init__(self) -> None:
        self.images = 0

    def used(self, engine: Imagewright, outcome: Ending) -> Reserve:
        """Pictures drawn, and US dollars by the trace."""
        if not outcome.image:
            return Reserve(self.images, 0.0)
        spent = engine.runs.spent_by(outcome.run)
        money = spent.get("money", 0.0)
        return Reserve(self.images, float(money if isinstance(money, int | float) else spent.get("money_at_least", 0)))


def _tell(engine: Imagewright, feed: Feed, counted: _Counted, event: RunEvent) -> None:
    """Pass an event on; a preview's pixels are read while they are there."""
    counted.images += event.kind == "image"
    png = b""
    if event.kind == "preview" and event.image and feed.followed:
        path = engine.store.preview(event.run, event.image)
        png = path.read_bytes() if path.is_file() else b""
    feed.put(event, png)


class Heart(threading.Thread):
    """Renews the leases of this process's workers, and closes feeds whose job another process has ended."""

    def __init__(self, book: JobBook, feeds: Feeds, workers: list[Worker]) -> None:
        super().__init__(name="imagewright-heart", daemon=True)
        self._book, self._feeds, self._workers = book, feeds, workers
        self._done = threading.Event()

    def end(self) -> None:
        """Stop beating."""
        self._done.set()

    def run(self) -> None:
        """Beat a few times a lease."""
        beats = 0
        while not self._done.wait(min(0.5, self._book.lease / 4)):
            beats += 1
            try:
                for worker in self._workers:
                    worker.renew()
                self._close_ended()
                if beats % 7200 == 1:
                    self._book.prune()
            except ImagewrightError as error:
                _LOG.warning("the queue cannot be used: %s", error)

    def _close_ended(self) -> None:
        followed = self._feeds.find_open()
        for job in self._book.find_ended(followed) if followed else ():
            followed[job].close()
