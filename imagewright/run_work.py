"""A run as it is handed to the graph: begun and gone on with by one code for pictures, talk and batches."""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from imagewright.schemas import DrawRequest, RunEvent

if TYPE_CHECKING:
    from imagewright.container import Container
    from imagewright.graph.parts import Parts
    from imagewright.memory.runs import RunRow

OnEvent = Callable[[RunEvent], None]


def ignore_event(event: RunEvent) -> None:
    """The listener of those who do not listen."""


class RunWork(NamedTuple):
    """What ``graph.runner`` takes, in its order."""

    parts: Parts
    checkpoints: Path
    row: RunRow
    on_event: OnEvent


def begin_work(
    container: Container,
    request: DrawRequest,
    on_event: OnEvent | None,
    *,
    seed: int | None,
    stop: threading.Event | None = None,
    asks: bool = False,
    run: str | None = None,
) -> RunWork:
    """A new run of ``request``: checked, with an id, a seed (one by chance for None) and a place for its picture.

    ``asks`` says whether the person can be asked back; ``run`` is an id of ``new_run_id`` that nobody has used. The
    listener hears the run's id; nothing is written yet.

    Raises:
        BadInput: the request, a setting or the disk cannot be used.
    """
    from imagewright.graph.own_picture import take_pictures
    from imagewright.graph.request import out_path, unpack_request
    from imagewright.graph.runner import thread_id
    from imagewright.memory.reservations import free_names
    from imagewright.memory.runs import RunRow, new_run_id

    request, chosen = unpack_request(request, lambda: secrets.randbits(32) if seed is None else seed)
    chosen = chosen if seed is None else seed
    request = take_pictures(request, container.store)
    for killed, name in container.runs.retire():
        free_names(name, killed)
    run = run or new_run_id()
    out = out_path(request, run, Path.cwd())
    parts = dataclasses.replace(container.parts(request, stop), asks=asks)
    row = RunRow.new(run, thread_id(run, request), request, chosen, out)
    return RunWork(parts, container.settings.checkpoints, row, _announce(row, on_event))


def reopen_work(
    container: Container,
    row: RunRow,
    on_event: OnEvent | None,
    *,
    asks: bool = False,
    stop: threading.Event | None = None,
) -> RunWork:
    """The run of ``row`` once more, to go on with. The listener hears its id."""
    listen = _announce(row, on_event)
    parts = dataclasses.replace(container.parts(row.request, stop), asks=asks)
    return RunWork(parts, container.settings.checkpoints, row, listen)


def _announce(row: RunRow, on_event: OnEvent | None) -> OnEvent:
    listen = on_event or ignore_event
    listen(RunEvent(kind="run", run=row.id, text=f"run {row.id}, seed {row.seed}"))
    return listen
