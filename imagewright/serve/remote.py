"""The terminal's side: an engine whose runs are done by the server of its home, which has its models loaded already.

Both share the queue, so what a command orders needs no route and may be anything that the engine can do. What happens
is heard over HTTP, and how it ended is read from the queue. A server that goes away takes nothing along: then this
process goes on with its run, from the last checkpoint.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from imagewright.errors import BadInput, Fault
from imagewright.intents import Question
from imagewright.schemas import DrawRequest, RunEvent
from imagewright.serve.address import ServerAddress
from imagewright.serve.clients import HOME_OWNER
from imagewright.serve.jobs import Accepted, Full, JobBook, Reserve
from imagewright.serve.listening import EventListener, Heard
from imagewright.serve.orders import Ending, JobOrder
from imagewright.stopping import hear_interrupts
from imagewright.trace import Replay

if TYPE_CHECKING:
    from imagewright.api import Imagewright, OnEvent, Reply, RunRow
    from imagewright.serve.rescue import Rescue

MOST_OPEN = 100_000
"""Orders of the owner's at once: the terminal gives one at a time, and the server's own bound is for its clients."""
_LOOK = 0.1
"""Seconds between two looks at whether the person wants to stop."""
_PATIENCE = 2.0
"""Seconds after which it is said that other orders come first."""


class ServerPlace:
    """The workplace ``imagewright.run_work.Workplace`` at a server; ``here`` is an engine of this process, its help."""

    def __init__(self, here: Imagewright, address: ServerAddress, say: Callable[[str], None]) -> None:
        self._here, self._address, self._say = here, address, say
        self._book = JobBook(here.settings.database, most=MOST_OPEN)

    def begin(
        self,
        request: DrawRequest,
        on_event: OnEvent | None,
        *,
        seed: int | None,
        asks: bool,
        stop: threading.Event | None = None,
        run: str | None = None,
    ) -> Reply:
        """As ``Workplace``: the server draws, and the picture is brought to where the request wants it.

        Raises:
            ImagewrightError: as the engine in this process.
        """
        from imagewright.api import Reply

        run = run or self._here.name_run()
        with self._here.await_picture(request, run) as awaited:
            talks = asks and request.thread is not None
            wanted = awaited.order.revise(seed=seed)
            order = JobOrder(kind="say" if talks else "draw", request=wanted, asks=asks and not talks)
            last = _Last(on_event)
            made = self._reply(self._do(run, order, last.hear, stop))
            if made.result is not None:
                result = awaited.bring(made.result)
                last.tell(result.path)
                return Reply(run=made.run, text=result.path, result=result)
            return made.model_copy(update={"text": awaited.bring_copies(made.run, made.text)})

    def go_on(
        self,
        row: RunRow,
        on_event: OnEvent | None,
        *,
        asks: bool,
        reply: str | None = None,
        stop: threading.Event | None = None,
    ) -> Reply:
        """As ``Workplace``; the picture goes to where the run's row says.

        Raises:
            ImagewrightError: as the engine in this process.
        """
        order = JobOrder(kind="resume", request=row.request, target=row.id, reply=reply, asks=asks)
        return self._reply(self._do(self._here.name_run(), order, on_event or _ignore, stop))

    def replay(self, row: RunRow, on_event: OnEvent | None, *, stop: threading.Event | None = None) -> Replay:
        """As ``Workplace``; what differs is said of the server's process.

        Raises:
            ImagewrightError: as the engine in this process.
        """
        recorded = self._here.runs.trace(row.id).image
        order = JobOrder(kind="replay", request=row.request, target=row.id)
        ending = self._do(self._here.name_run(), order, on_event or _ignore, stop)
        if ending.trouble is not None:
            raise ending.trouble.to_error()
        told = {name: getattr(ending, name) for name in ("run", "image", "mean_difference", "differences")}
        return Replay(**told, recorded=recorded, same=bool(ending.same))

    # --- how --------------------------------------------------------------------------------

    def _do(self, job: str, order: JobOrder, on_event: OnEvent, stop: threading.Event | None) -> Ending:
        """Order, and tell what happens until it is over."""
        reserve = Reserve(order.request.max_images, order.request.max_money or 0.0)
        try:
            self._book.accept(HOME_OWNER, "", [Accepted(job, order, reserve)], MOST_OPEN)
        except Full as full:
            raise BadInput(f"the server's queue is full: {full}", "or draw without it: --no-server") from None
        stop = stop or threading.Event()
        with hear_interrupts(stop):
            return _Wait(self, job, on_event, stop).until_over()

    def _reply(self, ending: Ending) -> Reply:
        from imagewright.api import Reply

        if ending.trouble is not None:
            raise ending.trouble.to_error()
        if ending.asked:
            return Reply(run=ending.run, text=ending.text, question=Question(text=ending.text, choices=ending.choices))
        result = self._here.runs.get(ending.run).result if ending.image else None
        return Reply(run=ending.run, text=result.path if result else ending.text, result=result)

    def listen(self, job: str, heard: Heard) -> None:
        """Have what happens to ``job`` put into ``heard``."""
        EventListener(self._address, job, heard).start()

    def rescue(self, job: str, heard: Heard) -> Rescue:
        """Go on with ``job`` in this process as soon as no server has it."""
        from imagewright.serve.rescue import Rescue

        self._say("the server went away; this process goes on with what it had begun")
        return Rescue(self._here, self._book, job, heard)

    @property
    def book(self) -> JobBook:
        """The queue."""
        return self._book

    def say_waiting(self, job: str) -> None:
        """Say how many orders come first, where any do."""
        found, waiting = self._book.get(job), self._book.count()
        if found is not None and found.status == "queued" and (before := sum(map(waiting.get, _OPEN, (0, 0))) - 1) > 0:
            self._say(f"the server is busy: {before} other order{'s' * (before > 1)} in its queue")


_OPEN = ("queued", "running")


class _Wait:
    """One order until it is over."""

    def __init__(self, place: ServerPlace, job: str, on_event: OnEvent, stop: threading.Event) -> None:
        self._place, self._job, self._on_event, self._stop = place, job, on_event, stop
        self._heard: Heard = Heard()
        self._rescue: Rescue | None = None
        self._listening, self._asked = True, False

    def until_over(self) -> Ending:
        self._place.listen(self._job, self._heard)
        begun, said = time.monotonic(), False
        try:
            while True:
                if self._hear():
                    said = True
                elif not self._listening and (ending := self._ending()) is not None:
                    return ending
                if not said and time.monotonic() - begun > _PATIENCE:
                    said = True
                    self._place.say_waiting(self._job)
                self._pass_the_stop_on()
        finally:
            if self._rescue is not None:
                self._rescue.end()

    def _hear(self) -> bool:
        """Tell one event; whether there was one."""
        try:
            event = self._heard.get(timeout=_LOOK)
        except queue.Empty:
            return False
        if event is not None:
            self._on_event(event)
            return True
        self._listening = False
        if self._ending() is None:
            self._rescue = self._place.rescue(self._job, self._heard)
        return False

    def _ending(self) -> Ending | None:
        found = self._place.book.get(self._job)
        if found is None:
            raise Fault(f"the order {self._job} is gone from the queue")
        return found.outcome

    def _pass_the_stop_on(self) -> None:
        if self._stop.is_set() and not self._asked:
            self._asked = True
            self._place.book.ask_to_stop(self._job)


class _Last:
    """Tells events on, and keeps back the one that says where the picture is until it is where it was wanted."""

    def __init__(self, on_event: OnEvent | None) -> None:
        self._on_event = on_event or _ignore
        self._kept: RunEvent | None = None

    def hear(self, event: RunEvent) -> None:
        if event.kind == "delivered":
            self._kept = event
        else:
            self._on_event(event)

    def tell(self, path: str) -> None:
        if self._kept is not None:
            self._on_event(self._kept.model_copy(update={"text": path}))


def _ignore(event: RunEvent) -> None:
    pass
