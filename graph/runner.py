"""Running the graph for one request: begin or go on, forward the events, stop when asked, and log how it went."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, cast

from langchain_core.runnables import RunnableConfig

from imagewright.errors import BadInput, Cancelled, Fault, ImagewrightError
from imagewright.graph.build import build
from imagewright.graph.parts import Parts
from imagewright.graph.state import OWN_TYPES, fresh
from imagewright.memory.checkpoints import open_checkpoints
from imagewright.memory.runs import RunRow
from imagewright.schemas import DrawRequest, RunEvent, RunResult

OnEvent = Callable[[RunEvent], None]
RUN_MARK = "imagewright_run"
"""The key under which each checkpoint's metadata names its run."""
NODES_A_ROUND = 3


def begin(parts: Parts, checkpoints: Path, row: RunRow, on_event: OnEvent) -> RunResult:
    """Do a new run from its prompt to its picture.

    Raises:
        Cancelled: the person stopped it; it can be resumed.
        ImagewrightError: anything else that we foresaw; the log says so.
    """
    with parts.runs.working_on(row.id):
        parts.runs.start(row.id, row.thread, row.request, row.seed, Path(row.out))
        return _work(parts, checkpoints, row, on_event, resuming=False)


def resume(parts: Parts, checkpoints: Path, row: RunRow, on_event: OnEvent) -> RunResult:
    """Go on with a run from its last checkpoint; a delivered one is not delivered again.

    Raises:
        BadInput: another process is working on it.
        Cancelled, ImagewrightError: as ``begin``.
    """
    with parts.runs.working_on(row.id):
        if (delivered := parts.runs.delivered(row.id)) is not None:
            on_event(RunEvent(kind="note", run=row.id, text="it was delivered before; nothing is drawn"))
            return delivered
        parts.runs.mark(row.id, "running")
        return _work(parts, checkpoints, row, on_event, resuming=True)


def _work(parts: Parts, checkpoints: Path, row: RunRow, on_event: OnEvent, resuming: bool) -> RunResult:
    with _logged(parts, row.id), _stoppable(parts.stop), open_checkpoints(checkpoints, OWN_TYPES) as saver:
        graph = build().compile(checkpointer=saver)
        config = _config(row)
        values: Any = fresh(row.id, row.request, row.seed, row.out)
        if resuming and (found := _last_checkpoint(graph, config, row.id)) is not None:
            config["configurable"], values = found, None
        for event in graph.stream(values, config, context=parts, stream_mode="custom", durability="sync"):
            on_event(cast(RunEvent, event))
        result = parts.runs.delivered(row.id)
        if result is None:
            raise Fault(f"run {row.id} ended without a picture")
        if row.request.thread is None:
            saver.delete_thread(row.thread)
        return result


def _config(row: RunRow) -> RunnableConfig:
    """What LangGraph needs to know: the thread, the run, and more steps than the budget can use."""
    return {
        "configurable": {"thread_id": row.thread},
        "metadata": {RUN_MARK: row.id},
        "recursion_limit": 20 + NODES_A_ROUND * row.request.max_images,
    }


def thread_id(run: str, request: DrawRequest) -> str:
    """The checkpoints' thread: the conversation's, or one of its own for a run outside any."""
    return f"run {run}" if request.thread is None else f"thread {request.thread.strip()}"


def _last_checkpoint(graph: Any, config: RunnableConfig, run: str) -> dict[str, Any] | None:
    """Where ``run`` stands in its thread; None when it was stopped before its first node."""
    for snapshot in graph.get_state_history(config, filter={RUN_MARK: run}, limit=1):
        if snapshot.next and snapshot.next != ("__start__",):
            return dict(snapshot.config["configurable"])
    return None


@contextlib.contextmanager
def _logged(parts: Parts, run: str) -> Iterator[None]:
    """Write into the log how the run ended, when it did not end well."""
    try:
        yield
    except (Cancelled, KeyboardInterrupt):
        _mark(parts, run, "cancelled", "stopped by the person")
        raise Cancelled("the run was stopped", f"go on with: imagewright runs resume {run}") from None
    except ImagewrightError as error:
        _mark(parts, run, "failed", str(error))
        raise
    except BaseException as error:
        _mark(parts, run, "failed", f"{type(error).__name__}: {error}"[:500])
        raise


def _mark(parts: Parts, run: str, status: Any, text: str) -> None:
    # A log that cannot be written must not hide the error that is on its way.
    with contextlib.suppress(BadInput):
        parts.runs.mark(run, status, text)


@contextlib.contextmanager
def _stoppable(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C stop the run between two steps; a second one interrupts as usual.

    Only the main thread hears Ctrl-C; elsewhere whoever holds ``stop`` sets it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
