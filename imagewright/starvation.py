"""A machine that lacks memory, threads or file handles: recognised wherever it was noticed, and said in words."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator

from imagewright.errors import ImagewrightError, MachineTrouble

_MEMORY = (
    "allocate memory", "alloc failed", "not enough memory", "out of memory", "start new thread", "failed to map",
    "bad_alloc",
)  # fmt: skip
"""What libraries say that have no exception of their own for it."""
_HANDLES = ("too many open files",)
LEAST_MEMORY = 450_000_000
"""Bytes of address space below which libraries end the process before they can say why; drawing needs twice that."""
_DEEPEST = 20
"""How many causes are looked at."""


def explain_starvation(error: BaseException) -> MachineTrouble | None:
    """What the machine lacked where ``error``, or what led to it, came of that; None where it did not."""
    for cause in _causes(error):
        if isinstance(cause, MachineTrouble):
            return cause
        if _lacks_memory(cause):
            return MachineTrouble(
                "this machine has too little memory for that",
                "close other programs or raise the limit (ulimit -v); imagewright runs resume goes on with a run",
            )
        if _lacks_handles(cause):
            return MachineTrouble(
                f"this process may not open enough files{_limit()}",
                "raise the limit (ulimit -n 1024); imagewright runs resume goes on with a run",
            )
    return None


def insist_on_memory() -> None:
    """Refuse to begin where this process may use too little memory to say so later.

    Raises:
        MachineTrouble: its limit is below ``LEAST_MEMORY``.
    """
    limit = _memory_limit()
    if limit is not None and limit < LEAST_MEMORY:
        said = f"this process may use {limit / 1e6:.0f} MB of memory, and drawing needs about a gigabyte"
        raise MachineTrouble(said, "raise the limit: ulimit -v unlimited")


def _memory_limit() -> int | None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


@contextlib.contextmanager
def starvation_errors() -> Iterator[None]:
    """Tell starvation inside as what it is.

    Raises:
        MachineTrouble: the machine lacked memory or file handles.
    """
    try:
        yield
    except ImagewrightError:
        raise
    except Exception as error:
        if (known := explain_starvation(error)) is None:
            raise
        raise known from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    for _ in range(_DEEPEST):
        if at is None:
            return
        yield at
        at = at.__cause__ or at.__context__


def _lacks_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    told = isinstance(error, RuntimeError | ImportError) and not isinstance(error, RecursionError)
    return told and any(words in str(error).lower() for words in _MEMORY)


def _lacks_handles(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return True
    if isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CANTOPEN:
        return _all_open()
    told = isinstance(error, RuntimeError | ImportError | OSError)
    return told and any(words in str(error).lower() for words in _HANDLES)


def _all_open() -> bool:
    """Whether no further file can be opened now: SQLite does not say why it could not."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False


def _limit() -> str:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return ""
    return f" (at most {resource.getrlimit(resource.RLIMIT_NOFILE)[0]})"
