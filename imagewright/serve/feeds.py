"""What happens to a job, live: workers tell it from their threads, and any number of requests follow it."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from imagewright.schemas import RunEvent

MOST_EVENTS = 1000
"""Events of one job that are kept for those who come later; a long run loses its oldest steps."""
MOST_OVER = 64
"""Feeds of jobs that are over which are kept."""

_Ear = tuple[asyncio.AbstractEventLoop, asyncio.Event]


@dataclass(frozen=True)
class Numbered:
    """One event with its number, from 1, and the PNG that came with a preview."""

    number: int
    event: RunEvent
    png: bytes = b""


class Feed:
    """The events of one job. Only the newest preview keeps its pixels."""

    def __init__(self) -> None:
        self._told: list[Numbered] = []
        self._lock = threading.Lock()
        self._heard: set[_Ear] = set()
        self._awaited: set[_Ear] = set()
        """Who waits for the end alone: an event does not wake them, for there may be hundreds, each of another job."""
        self._count = 0
        self.over = False

    @property
    def followed(self) -> bool:
        """Whether anybody wants each event."""
        return bool(self._heard)

    @property
    def wanted(self) -> bool:
        """Whether anybody wants the events or the end."""
        return bool(self._heard or self._awaited)

    def put(self, event: RunEvent, png: bytes = b"") -> None:
        """Tell an event; from any thread."""
        with self._lock:
            self._count += 1
            if png:
                self._told = [Numbered(t.number, t.event) if t.png else t for t in self._told]
            self._told.append(Numbered(self._count, event, png))
            del self._told[:-MOST_EVENTS]
            heard = list(self._heard)
        _wake(heard)

    def close(self) -> None:
        """Nothing more will come; from any thread."""
        self.over = True
        with self._lock:
            waiting = [*self._heard, *self._awaited]
        _wake(waiting)

    async def follow(self, after: int = 0) -> AsyncIterator[Numbered]:
        """The events behind number ``after``, those that were and those that come, until the job is over.

        A number that was not reached here was told by a process that is gone: then all of them.
        """
        mine = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._heard.add(mine)
            after = after if after <= self._count else 0
        try:
            while True:
                mine[1].clear()
                over = self.over
                for told in self._since(after):
                    after = told.number
                    yield told
                if over:
                    return
                await mine[1].wait()
        finally:
            with self._lock:
                self._heard.discard(mine)

    def _since(self, after: int) -> list[Numbered]:
        with self._lock:
            return [told for told in self._told if told.number > after]

    async def wait(self) -> None:
        """Until the job is over."""
        mine = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._awaited.add(mine)
        try:
            if not self.over:  # what closes it from now on sees who waits
                await mine[1].wait()
        finally:
            with self._lock:
                self._awaited.discard(mine)


def _wake(waiting: Iterable[_Ear]) -> None:
    for loop, event in waiting:
        if not loop.is_closed():
            loop.call_soon_threadsafe(event.set)


class Feeds:
    """The feeds of this process's jobs; those of the longest over go first."""

    def __init__(self) -> None:
        self._feeds: OrderedDict[str, Feed] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, job: str) -> Feed:
        """The feed of a job; a new one where there is none."""
        with self._lock:
            feed = self._feeds.setdefault(job, Feed())
            over = [name for name, other in self._feeds.items() if other.over and name != job]
            for name in over[: max(0, len(over) - MOST_OVER)]:
                del self._feeds[name]
            return feed

    def find_open(self) -> dict[str, Feed]:
        """The feeds that somebody follows or whose end somebody waits for, and that are not over."""
        with self._lock:
            return {name: feed for name, feed in self._feeds.items() if feed.wanted and not feed.over}
