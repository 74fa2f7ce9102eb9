"""The person's servers: what each has, whether it answers, how long its queue is, and which of them draws a job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from imagewright.t2i_backends.comfyui.client import Client
from imagewright.t2i_backends.comfyui.facts import FactStore, ServerFacts, ask_all, ask_stamp
from imagewright.t2i_backends.comfyui.faults import ServerFault

LOOK_SECONDS = 10.0
"""How long an answer about a server's files is taken for true."""
SURE_SECONDS = 60.0
"""How long a server that answered is sent jobs without being asked again what it has."""
FACTS_SECONDS = 600.0
"""How long its list of nodes is; sooner where its files or its version change, or it refuses a job."""
FIRST_REST, LONGEST_REST = 20.0, 600.0
"""Seconds for which a server is left alone after a failure, and at most, doubled with each that follows."""
LOADED = 1
"""Jobs by which another server's queue must be shorter than that of one which has the models loaded."""


class Server:
    """One server and what is known of it now. Threads may share it."""

    def __init__(self, client: Client, store: FactStore, clock: Callable[[], float] = time.monotonic) -> None:
        self.client, self.name = client, client.name
        self.facts: ServerFacts | None = None
        self.fault: ServerFault | None = None
        """Why it cannot be asked now; None when it answers."""
        self.loaded: frozenset[str] = frozenset()
        """The model files of the last job that ran there."""
        self.ours = 0
        """Our jobs there."""
        self._store, self._clock = store, clock
        self._lock = threading.RLock()
        self._looked, self._asked, self._failures, self._rests_until = -1e9, -1e9, 0, -1e9

    # --- what it has --------------------------------------------------------------------------

    def look(self, *, anew: bool = False) -> None:
        """Learn what changed there, where that was not asked a moment ago; one that rests is left alone."""
        with self._lock:
            now = self._clock()
            if self.facts is None:
                self.facts = self._store.find(self.name, self.client.server.url)
            if not anew and (self.is_resting or now - self._looked < LOOK_SECONDS):
                return
            self._looked = now
            try:
                self._refresh(now, anew)
            except ServerFault as fault:
                self.fail(fault)
            else:
                self.recover()

    def _refresh(self, now: float, anew: bool) -> None:
        stamp = ask_stamp(self.client)
        old = self.facts
        fresh = old is not None and old.stamp == stamp.stamp and now - self._asked < FACTS_SECONDS
        if fresh and not anew:
            return
        found = ask_all(self.client, stamp)
        self._asked = now
        if old is not None and (old.rows, old.stamp) == (found.rows, found.stamp):
            found = ServerFacts(old.rows, old.models, old.version, found.at)
        self.facts = found
        self._store.put(self.name, self.client.server.url, found)

    def doubt(self) -> None:
        """It has refused what it seemed to have: it is asked anew next time."""
        with self._lock:
            self._looked = self._asked = -1e9

    @property
    def is_sure(self) -> bool:
        """Whether it answered a moment ago, and nothing since has put that in doubt."""
        return self.facts is not None and self.fault is None and self._clock() - self._looked < SURE_SECONDS

    @property
    def answer_stamp(self) -> tuple[object, ...]:
        """What changes when an answer about it may."""
        return (id(self.facts.rows) if self.facts else 0, self.facts.stamp if self.facts else (), str(self.fault or ""))

    # --- whether it is left alone ---------------------------------------------------------------

    @property
    def is_resting(self) -> bool:
        """Whether it failed a moment ago."""
        return self._clock() < self._rests_until

    def fail(self, fault: ServerFault) -> None:
        """Leave it alone for a while, for longer each time."""
        with self._lock:
            self.fault = fault
            rest = min(FIRST_REST * 2**self._failures, LONGEST_REST)
            self._failures, self._rests_until = self._failures + 1, self._clock() + rest

    def recover(self) -> None:
        """It works."""
        with self._lock:
            self.fault, self._failures, self._rests_until = None, 0, -1e9

    # --- its queue ------------------------------------------------------------------------------

    def take(self) -> None:
        """One more job of ours is about to be there; ``busy_with`` is how it ends."""
        with self._lock:
            self.ours += 1

    @contextmanager
    def busy_with(self, models: frozenset[str]) -> Iterator[None]:
        """A job of ours is there."""
        try:
            yield
        finally:
            with self._lock:
                self.ours -= 1
                self.loaded = models

    def count_waiting(self) -> int:
        """Jobs that are before one that is sent now, ours that were not sent yet included.

        Raises:
            ServerFault: it does not answer.
        """
        return max(self.client.waiting(), self.ours)


class Pool:
    """Several servers; one is picked at a time, and counted before another thread picks."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = tuple(servers)
        self._picking = threading.Lock()

    def find(self, name: str) -> Server | None:
        """The server of that name."""
        return next((server for server in self.servers if server.name == name), None)

    def pick(self, able: Sequence[Server], models: frozenset[str]) -> Server:
        """Of the servers that can run a job the one with the shortest queue; it counts as busy from here on.

        A server that ran the same models last is preferred as long as its queue is not longer by more than ``LOADED``.

        Raises:
            ServerFault: none of them answers, or their queues are full.
        """
        with self._picking:
            awake = [server for server in able if not server.is_resting] or list(able)
            counted: list[tuple[int, int, Server]] = []
            fault: ServerFault | None = None
            for place, server in enumerate(awake):
                try:
                    waiting = server.count_waiting()
                except ServerFault as found:
                    server.fail(found)
                    fault = found
                    continue
                if waiting >= server.client.server.max_queue:
                    fault = _full(server, waiting)
                    continue
                counted.append((waiting - LOADED * (bool(models) and server.loaded == models), place, server))
            if not counted:
                raise fault or ServerFault("unreachable", "no ComfyUI server can run it", "imagewright doctor says why")
            chosen = min(counted, key=lambda each: each[:2])[2]
            chosen.take()
            return chosen


def _full(server: Server, waiting: int) -> ServerFault:
    message = f"the queue of server {server.name} is full: {waiting} jobs"
    return ServerFault("queue-full", message, "wait until it is shorter, or raise max_queue in the settings")
