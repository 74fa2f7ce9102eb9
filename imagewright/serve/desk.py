"""The desk: what every door of the server does. It accepts orders, watches them, and keeps clients apart."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from imagewright.errors import BadInput, ImagewrightError
from imagewright.schemas import DrawRequest
from imagewright.serve.clients import HOME_OWNER, ClientAccount
from imagewright.serve.faults import Denied, deny
from imagewright.serve.feeds import Feed, Feeds
from imagewright.serve.jobs import LEASE_SECONDS, Accepted, Full, JobBook, Reserve
from imagewright.serve.orders import Ending, JobOrder, QueuedJob
from imagewright.serve.worker import Heart, Worker

if TYPE_CHECKING:
    from imagewright.api import Imagewright

Done = TypeVar("Done")
_SHARE_OF_A_DAY = 10
"""A job that names no sum may spend this part of its client's daily money."""
NO_JOB = "no run is called {!r}"


@dataclass(frozen=True)
class QueueLimits:
    """How much waits at once."""

    most: int = 256
    """Jobs that wait or are drawn, of all clients."""
    most_own: int = 256
    """Those of one client."""
    lease: float = LEASE_SECONDS


class Desk:
    """One queue before the engines of one home, one engine a device."""

    def __init__(self, engines: Sequence[Imagewright], limits: QueueLimits = QueueLimits()) -> None:
        self.engine, self.limits = engines[0], limits
        self.book = JobBook(self.engine.settings.database, most=limits.most, lease=limits.lease)
        self.feeds = Feeds()
        self._engines: dict[tuple[int, str], Imagewright] = {}
        self._lock = threading.Lock()
        self.workers = [
            Worker(self._engine_maker(number, engine), self.book, self.feeds, number)
            for number, engine in enumerate(engines)
        ]
        self._heart = Heart(self.book, self.feeds, self.workers)
        self.leaving = False

    def _engine_maker(self, number: int, engine: Imagewright) -> Callable[[str], Imagewright]:
        def make(owner: str) -> Imagewright:
            with self._lock:
                if (number, owner) not in self._engines:
                    theirs = engine if owner == "owner" else engine.for_client(owner)
                    self._engines[number, owner] = theirs
                return self._engines[number, owner]

        return make

    def start(self, *, working: bool = True) -> None:
        """Begin to work on what waits; without ``working``, only watch what others make of it."""
        for owner, runs in self.book.list_owners().items():
            self._assign(owner, runs)  # of a process that was killed before it could, or an earlier release
        if not working:
            self.workers.clear()
        for thread in (*self.workers, self._heart):
            thread.start()

    def stop(self, grace: float) -> None:
        """Claim no more; what is drawn may be finished within ``grace`` seconds, then it is left for the next start."""
        self.leaving = True
        for worker in self.workers:
            worker.leave()
        for worker in self.workers:
            worker.join(grace)
        for worker in self.workers:
            worker.leave(now=True)
        for worker in self.workers:
            worker.join(30.0)
        self._heart.end()
        for feed in self.feeds.find_open().values():
            feed.close()

    # --- accepting --------------------------------------------------------------------------

    def place_of(self, client: ClientAccount) -> Path:
        """The folder of the pictures that the client's runs deliver."""
        return self.engine.settings.data_dir / "served" / client.name

    def accept(
        self, client: ClientAccount, orders: Sequence[JobOrder], *, user: str = "", key: str = "", digest: str = ""
    ) -> tuple[str, ...]:
        """Take all of ``orders`` or none; the ids of their jobs, which are the ids of the runs they begin.

        ``key`` names the request: the same one again gives the same jobs.

        Raises:
            Denied: there is no room, the client's budget is spent, the key stands for another request, or the server
                is about to stop.
        """
        if self.leaving:
            raise Denied("stopping", "the server is about to stop", "ask again when it runs", wait=5)
        ids = tuple(self.engine.name_run() for _ in orders)
        if key:
            known, jobs = self.book.remember_key(client.name, key, digest, ids)
            if known != digest:
                raise Denied("key_reused", "this Idempotency-Key was used for another request", "use a new one")
            if jobs != ids:
                return jobs
        try:
            entries = [Accepted(job, *self._bound(client, order)) for job, order in zip(ids, orders, strict=True)]
            self.book.accept(client.name, user, entries, self.limits.most_own)
            self._assign(client.name, ids)
        except (Full, Denied, ImagewrightError) as error:
            if key:
                self.book.forget_key(client.name, key)
            raise error if isinstance(error, Denied) else deny(error) from None
        self._ring()
        return ids

    def _ring(self) -> None:
        for worker in self.workers:
            worker.ring()

    def _assign(self, owner: str, runs: Sequence[str]) -> None:
        """Note in the log of runs whose they are, which it knows longer than the queue."""
        if owner != HOME_OWNER:
            self.engine.pictures.assign(owner, runs)

    def _bound(self, client: ClientAccount, order: JobOrder) -> tuple[JobOrder, Reserve]:
        """The order within what its client may still use, and what is kept aside for it."""
        images, money, request = order.request.max_images, order.request.max_money, order.request
        if client.images_a_day is None and client.money_a_day is None:
            return order, Reserve(images, money or 0.0)
        used = self.book.used_today(client.name)
        if client.images_a_day is not None:
            images = min(images, client.images_a_day - used.images)
            if images <= 0:
                raise Denied("budget_spent", "today's pictures are used up", "ask again tomorrow, or the owner")
        if client.money_a_day is not None:
            left = client.money_a_day - used.money
            if left <= 0 < client.money_a_day:
                raise Denied("budget_spent", "today's money is used up", "ask again tomorrow, or the owner")
            money = min(left, client.money_a_day / _SHARE_OF_A_DAY if money is None else money)
        bounded = request.revise(max_images=images, max_money=money)
        return order.model_copy(update={"request": bounded}), Reserve(images, money or 0.0)

    # --- watching ---------------------------------------------------------------------------

    def job(self, client: ClientAccount, job: str) -> QueuedJob:
        """A job of the client's.

        Raises:
            Denied: there is none of that id; another client's is none.
        """
        found = self.book.get(job, None if client.owns_home else client.name)
        if found is None:
            raise Denied("not_found", NO_JOB.format(job[:60]), "GET /v1/runs lists them")
        return found

    def feed(self, job: QueuedJob) -> Feed:
        """What happens to the job. One that waits may have been put into the queue by another process of the home."""
        feed = self.feeds.of(job.id)
        if job.over:
            feed.close()
        elif job.status == "queued":
            self._ring()
        return feed

    async def outcome_of(self, client: ClientAccount, job: str) -> Ending:
        """What a job comes to, once it is over.

        Raises:
            Denied: there is no such job, or the server stops before.
        """
        found = await in_thread(self.job, client, job)
        if not found.over:
            await self.feed(found).wait()
            found = await in_thread(self.job, client, job)
        if found.outcome is None:
            raise Denied("stopping", "the server stops; the run goes on at its next start", wait=5, run=job)
        return found.outcome

    def cancel(self, client: ClientAccount, job: str) -> QueuedJob:
        """Ask a job to end; what is over stays as it is.

        Raises:
            Denied: there is none of that id.
        """
        self.job(client, job)
        self.book.ask_to_stop(job)
        for worker in self.workers:
            worker.renew()
        found = self.job(client, job)
        self.feed(found)
        return found

    # --- whose --------------------------------------------------------------------------------

    def insist_on_flow(self, request: DrawRequest) -> None:
        """Refuse a flow that there is not before anything is queued.

        Raises:
            Denied: there is none of that name.
        """
        if request.flow is not None:
            try:
                self.engine.index.get(request.flow)
            except BadInput as error:
                raise Denied("bad_input", str(error), "GET /v1/flows lists them", param="flow") from None

    def insist_on_picture(self, client: ClientAccount, image: str) -> Path:
        """The PNG of a picture that the client may see: as it was delivered, without metadata.

        Raises:
            Denied: there is none, or it is another client's.
        """
        mine = client.owns_home or self.book.has_picture(client.name, image)
        if not mine or not self.engine.store.has(image):
            raise Denied("not_found", "there is no such picture", "GET /v1/pictures lists them")
        return self.engine.store.get(image)


async def in_thread(work: Callable[..., Done], *arguments: object) -> Done:
    """Do ``work`` beside the event loop; what we foresaw becomes an answer."""
    try:
        return await asyncio.to_thread(work, *arguments)
    except (ImagewrightError, Full) as error:
        raise deny(error) from error
