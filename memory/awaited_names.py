"""Names in people's folders that a command reserved for a picture which a server draws: freed where it was killed.

The command holds a lease while it waits. One that ends, however it ends, frees its name; of one that was killed the
lease is left behind, and by that a later command can tell for sure that nobody will fill the name. A name without such
a lease is left alone: it may be a run's that can be gone on with, or another home's.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from imagewright.memory.leases import AWAITED, LeaseHeld, Leases
from imagewright.memory.reservations import free_names, holder_of


def hold_awaited(database: Path, run: str) -> contextlib.AbstractContextManager[None]:
    """Say, while the block runs, that a command waits for the picture of ``run`` to bring it to its name.

    Raises:
        BadInput: the database cannot be written.
    """
    return Leases(database).hold([_lease(run)], 0.0)


def free_abandoned(path: Path, database: Path) -> None:
    """Free ``path`` and its trace's name where a command reserved them that was killed while it waited.

    Raises:
        BadInput: the database cannot be written.
    """
    leases, run = Leases(database), holder_of(path)
    if not run or not leases.is_left_behind(_lease(run)):
        return
    # Whoever frees it holds the lease meanwhile, so that no other frees what a third has reserved by then.
    with contextlib.suppress(LeaseHeld), leases.hold([_lease(run)], 0.0):
        free_names(path, run)


def _lease(run: str) -> str:
    return f"{AWAITED} {run}"
