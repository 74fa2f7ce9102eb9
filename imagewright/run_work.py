"""A run as it is handed to the graph: begun and gone on with by one code for pictures, talk and batches."""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from imagewright.intents import Question
from imagewright.schemas import DrawRequest, RunEvent, RunResult, Value

if TYPE_CHECKING:
    from imagewright.container import Container
    from imagewright.graph.parts import Parts
    from imagewright.graph.runner import Outcome
    from imagewright.memory.runs import RunRow
    from imagewright.trace import Replay

OnEvent = Callable[[RunEvent], None]


def ignore_event(event: RunEvent) -> None:
    """The listener of those who do not listen."""


class Reply(Value):
    """What came of one run: a picture, an answer, or a question that the next saying answers."""

    run: str
    text: str
    """The answer, the question, or the delivered picture's path."""
    result: RunResult | None = None
    question: Question | None = None
    others: tuple[RunResult, ...] = ()
    """The pictures before ``result``, where several were asked for at once."""
    contact_sheet: str = ""
    """The path of all of them small on one page; empty where there is one."""

    def _repr_png_(self) -> bytes | None:
        """The picture, for a notebook; None where there is none."""
        return None if self.result is None else self.result._repr_png_()


class Workplace(Protocol):
    """Where an engine's runs are done: in this process, or by a server of the same home."""

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
        """Do a new run; the parameters are those of ``begin_work``.

        Raises:
            ImagewrightError: it cannot be done, or ``stop`` or Ctrl-C ended it.
        """
        ...

    def go_on(
        self,
        row: RunRow,
        on_event: OnEvent | None,
        *,
        asks: bool,
        reply: str | None = None,
        stop: threading.Event | None = None,
    ) -> Reply:
        """Go on with a run that was killed, stopped or failed, or that waits for ``reply``; raises as ``begin``."""
        ...

    def replay(self, row: RunRow, on_event: OnEvent | None, *, stop: threading.Event | None = None) -> Replay:
        """Draw the picture of a run again from its trace; raises as ``Imagewright.replay``."""
        ...


class OwnProcess:
    """The workplace of who has no other: this process, with the container's models."""

    def __init__(self, container: Container) -> None:
        self._container = container

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
        """As ``Workplace``."""
        from imagewright.graph.runner import begin_turn

        work = begin_work(self._container, request, on_event, seed=seed, stop=stop, asks=asks, run=run)
        return _reply(begin_turn(*work))

    def go_on(
        self,
        row: RunRow,
        on_event: OnEvent | None,
        *,
        asks: bool,
        reply: str | None = None,
        stop: threading.Event | None = None,
    ) -> Reply:
        """As ``Workplace``."""
        from imagewright.graph.runner import resume_turn

        return _reply(resume_turn(*reopen_work(self._container, row, on_event, asks=asks, stop=stop), reply))

    def replay(self, row: RunRow, on_event: OnEvent | None, *, stop: threading.Event | None = None) -> Replay:
        """As ``Workplace``."""
        from imagewright.graph.replay import replay

        parts = self._container.parts(row.request, stop)
        return replay(parts, self._container.runs.trace(row.id), on_event or ignore_event)


def _reply(outcome: Outcome) -> Reply:
    if outcome.result is not None:
        return Reply(run=outcome.run, text=outcome.result.path, result=outcome.result)
    if outcome.question is not None:
        return Reply(run=outcome.run, text=outcome.question.text, question=outcome.question)
    return Reply(run=outcome.run, text=outcome.answer.text if outcome.answer else "")


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
    from imagewright.memory.awaited_names import free_abandoned
    from imagewright.memory.reservations import free_names
    from imagewright.memory.runs import RunRow, new_run_id

    request, chosen = unpack_request(request, lambda: secrets.randbits(32) if seed is None else seed)
    chosen = chosen if seed is None else seed
    request = take_pictures(request, container.store)
    for killed, name in container.runs.retire():
        free_names(name, killed)
    run = run or new_run_id()
    out = out_path(request, run, Path.cwd(), lambda path: free_abandoned(path, container.settings.database))
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
