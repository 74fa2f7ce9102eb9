"""Going on in this process with an order whose server went away: a worker that takes this one job and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagewright.schemas import RunEvent
from imagewright.serve.feeds import Feed, Feeds
from imagewright.serve.jobs import JobBook
from imagewright.serve.listening import Heard
from imagewright.serve.worker import Heart, Worker

if TYPE_CHECKING:
    from imagewright.api import Imagewright


class Rescue:
    """Waits until the job is free: at once where the server let go of it, else when its lease runs out.

    Where another server of the home takes it first, that one does it. Either way the queue says how it ended.
    """

    def __init__(self, here: Imagewright, book: JobBook, job: str, heard: Heard) -> None:
        feeds = _ToPerson(heard)
        self._worker = Worker(lambda owner: here, book, feeds, only=job)
        self._heart = Heart(book, feeds, [self._worker])
        self._worker.start()
        self._heart.start()

    def end(self) -> None:
        """The job is over, or nobody waits any more: then it is left for a later server."""
        self._worker.leave(now=True)
        self._worker.join(30.0)
        self._heart.end()


class _ToPerson(Feeds):
    """Feeds that pass what happens on to who waits."""

    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self._heard = heard

    def of(self, job: str) -> Feed:
        return _PassedOn(self._heard)


class _PassedOn(Feed):
    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self._passed = heard

    def put(self, event: RunEvent, png: bytes = b"") -> None:
        self._passed.put(event)
