"""Leases: who works on a run or talks in a conversation, as rows of the database that their holder renews.

Where processes share a home over a network, or run on several machines, locks on files are no locks; rows are seen by
all. A holder on this machine is asked after: it holds as long as its process lives, stopped or not, and lets go the
moment that it is killed. One elsewhere holds until its time runs out, a few seconds after it was last heard of, so
machines that share a home need clocks that agree to a second or two.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from imagewright.database import database, transaction
from imagewright.errors import BadInput, ImagewrightError

LEASE_TABLES = (
    """
    CREATE TABLE leases (
        name TEXT PRIMARY KEY, token TEXT NOT NULL, machine TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL,
        until REAL NOT NULL
    );
    """,
)
LEASE_SECONDS = 8.0
"""How long a holder on another machine is waited for after it was last heard of."""
_BEAT = 1.0
"""Seconds between two renewals."""
_POLL = 0.03
_FORGOTTEN = 86_400.0
"""Seconds after which a lease that ran out is no longer kept."""
AWAITED = "picture"
"""What the names of leases begin with that are kept however old they are: by them names of files are freed."""
_FORGET = f"DELETE FROM leases WHERE until < ? AND name NOT LIKE '{AWAITED} %'"


class Holder(NamedTuple):
    """Who holds a lease."""

    name: str
    token: str
    machine: str
    pid: int
    born: str
    until: float

    @property
    def lives(self) -> bool:
        """Whether it still holds: this process by what it holds, one beside it by its life, others by their time."""
        if self.machine != this_machine() or os.name == "nt":
            return self.until > time.time()
        if self.pid == os.getpid() and self.born == _born(self.pid):
            return self.token in _heart.held
        return _born(self.pid) == self.born

    def __str__(self) -> str:
        return f"process {self.pid} on {self.machine.split(' ')[0]}"


class LeaseHeld(Exception):
    """Somebody else holds it."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(f"{holder.name} is held by {holder}")
        self.holder = holder


class Leases:
    """The leases in the database at ``path``."""

    def __init__(self, path: Path, seconds: float = LEASE_SECONDS) -> None:
        self.path, self.seconds = path, seconds

    @contextlib.contextmanager
    def hold(self, names: Sequence[str], patience: float, stop: threading.Event | None = None) -> Iterator[None]:
        """Hold all of ``names`` or none, and renew them until the end; waits ``patience`` seconds for them at most.

        Where another machine took one over, because this one was not heard of for too long, ``stop`` is set.

        Raises:
            LeaseHeld: one was not free in time.
            BadInput: the database cannot be written.
        """
        token, deadline = secrets.token_hex(8), time.monotonic() + patience
        with _heart.keep(token, self, stop) as kept:
            while (holder := self._take(names, token)) is not None:
                if time.monotonic() >= deadline:
                    raise LeaseHeld(holder)
                time.sleep(_POLL)
            kept.taken = True
            try:
                yield
            finally:
                kept.taken = False
                # What cannot be let go of must not hide an error that is on its way: it is not held, for the token is.
                with contextlib.suppress(BadInput), database(self.path, "leases", LEASE_TABLES) as connection:
                    connection.execute("DELETE FROM leases WHERE token = ?", (token,))

    def holder_of(self, name: str) -> Holder | None:
        """Who holds ``name`` now."""
        with database(self.path, "leases", LEASE_TABLES) as connection:
            row = connection.execute("SELECT * FROM leases WHERE name = ?", (name,)).fetchone()
        return holder if row is not None and (holder := Holder(*row)).lives else None

    def is_left_behind(self, name: str) -> bool:
        """Whether somebody held ``name``, never let go of it, and does not live any more."""
        with database(self.path, "leases", LEASE_TABLES) as connection:
            row = connection.execute("SELECT * FROM leases WHERE name = ?", (name,)).fetchone()
        return row is not None and not Holder(*row).lives

    def _take(self, names: Sequence[str], token: str) -> Holder | None:
        """Take all of ``names``; who holds one of them, where somebody does."""
        marks, now = ",".join("?" * len(names)), time.time()
        mine = (token, this_machine(), os.getpid(), _born(os.getpid()) or "", now + self.seconds)
        with database(self.path, "leases", LEASE_TABLES) as connection, transaction(connection):
            for row in connection.execute(f"SELECT * FROM leases WHERE name IN ({marks})", tuple(names)).fetchall():
                if (holder := Holder(*row)).lives:
                    return holder
            connection.execute(_FORGET, (now - _FORGOTTEN,))
            rows = [(name, *mine) for name in names]
            connection.executemany("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)", rows)
        return None

    def renew(self, token: str) -> bool:
        """Prolong what ``token`` holds; False where it holds nothing any more."""
        with database(self.path, "leases", LEASE_TABLES) as connection:
            asked = (time.time() + self.seconds, token)
            return connection.execute("UPDATE leases SET until = ? WHERE token = ?", asked).rowcount > 0


@dataclass
class _Kept:
    leases: Leases
    stop: threading.Event | None
    taken: bool = False
    """Whether its rows are there: not yet while it is waited for, no more while it is let go of."""


class _Heart:
    """Renews what this process holds, in one thread that ends when nothing is held."""

    def __init__(self) -> None:
        self.held: dict[str, _Kept] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def keep(self, token: str, leases: Leases, stop: threading.Event | None) -> Iterator[_Kept]:
        kept = _Kept(leases, stop)
        with self._lock:
            self.held[token] = kept
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="imagewright-leases", daemon=True)
                self._thread.start()
        try:
            yield kept
        finally:
            with self._lock:
                self.held.pop(token, None)

    def _beat(self) -> None:
        while True:
            time.sleep(_BEAT)
            with self._lock:
                if not self.held:
                    self._thread = None
                    return
                held = dict(self.held)
            for token, kept in held.items():
                self._renew(token, kept)

    def forget(self) -> None:
        """Hold nothing, in a child made by fork: it is another process, and its parent still does."""
        self.held, self._lock, self._thread = {}, threading.Lock(), None

    def _renew(self, token: str, kept: _Kept) -> None:
        if not kept.taken:
            return
        try:
            lost = not kept.leases.renew(token)
        except ImagewrightError:  # a database that is locked or full: the next beat tries again
            return
        if lost and kept.taken and kept.stop is not None:
            kept.stop.set()


_heart = _Heart()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_heart.forget)


@functools.cache
def this_machine() -> str:
    """This machine until it starts anew, and what of it has process numbers of its own: a name, then marks."""
    marks = (_read("/proc/sys/kernel/random/boot_id")[:13], _link("/proc/self/ns/pid"))
    return " ".join(mark for mark in (socket.gethostname().replace(" ", "-") or "here", *marks) if mark)


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _born(pid: int) -> str | None:
    """When a process of this machine began, as far as the system tells it; None where it is no more."""
    if Path("/proc/self/stat").exists():
        state, *fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split() or ("X",)
        return None if state in "ZX" else fields[18]
    try:
        os.kill(pid, 0)
    except PermissionError:
        return ""
    except OSError:
        return None
    return ""
