"""Locks between processes on files, by filelock: the system frees one however its process ends.

A file system that knows no locks is told of in words: going on there would let two processes draw one run.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from imagewright.database import storage_errors
from imagewright.errors import BadInput

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_POLL = 0.02
"""Seconds between two tries."""


class LockHeld(Exception):
    """Another process, or another thread of this one, holds the lock."""


@contextmanager
def hold_lock(path: Path, seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock on ``path``, a file that is made when absent and stays; waits ``seconds`` for it at most.

    Raises:
        LockHeld: it was not free within ``seconds``.
        BadInput: the folder cannot be written, the disk is full, or its file system knows no locks.
    """
    lock = FileLock(
        path, timeout=max(seconds, 0.0), mode=0o600, thread_local=False, poll_interval=_POLL, fallback_to_soft=False
    )
    _acquire(lock, path)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, path: Path) -> None:
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise LockHeld(str(path)) from None
        except NotImplementedError as error:
            raise _no_locks(path) from error
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise _no_locks(path) from error
            raise


def _no_locks(path: Path) -> BadInput:
    return BadInput(
        f"the file system of {path.parent} knows no locks", "set IMAGEWRIGHT_HOME to a folder on a disk of this machine"
    )
