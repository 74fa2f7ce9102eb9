"""Running the graph for one request: begin or go on, forward the events, stop when asked, and log how it went."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from imagewright.endings import require_picture
from imagewright.errors import BadInput, Cancelled, CannotDraw, Fault, ImagewrightError, MachineTrouble
from imagewright.graph import lines
from imagewright.graph.parts import Parts
from imagewright.graph.state import OWN_TYPES, fresh
from imagewright.intents import Answer, Question
from imagewright.memory.checkpoints import open_checkpoints, secure
from imagewright.memory.reservations import claim_name, free_names, reserve_name, say_taken
from imagewright.memory.runs import RunRow, RunStatus
from imagewright.schemas import DrawRequest, RunEvent, RunResult, Value
from imagewright.stopping import hear_interrupts

_OnEvent = Callable[[RunEvent], None]
NODES_A_ROUND = 3


class Outcome(Value):
    """How a run ended: with a picture, with an answer, or with a question to the person."""

    run: str
    result: RunResult | None = None
    answer: Answer | None = None
    question: Question | None = None


def begin(parts: Parts, checkpoints: Path, row: RunRow, on_event: _OnEvent) -> RunResult:
    """Do a new run from its prompt to its picture.

    Raises:
        NeedsAnswer: the parts let it ask, and it must; ``resume`` takes the reply.
        Cancelled: the person stopped it; it can be resumed.
        ImagewrightError: anything else that we foresaw; the log says so.
    """
    return _picture(begin_turn(parts, checkpoints, row, on_event))


def begin_turn(parts: Parts, checkpoints: Path, row: RunRow, on_event: _OnEvent) -> Outcome:
    """Do a new run of a conversation; raises as ``begin``."""
    with parts.runs.working_on(row.id, row.thread, parts.stop):
        parts.runs.start(row.id, row.thread, row.request, row.seed, Path(row.out))
        with _logged(parts, row.id) as log, _keeping_name(parts, row):
            row = _reserve(parts, row)
            return _work(parts, checkpoints, row, log.tell(on_event))


def resume(parts: Parts, checkpoints: Path, row: RunRow, on_event: _OnEvent, reply: str | None = None) -> RunResult:
    """Go on with a run from its last checkpoint; a delivered one is not delivered again.

    ``reply`` answers the question that it waits with.

    Raises:
        BadInput: another process is working on it, or it is part of a conversation and makes no picture.
        NeedsAnswer: it waits for an answer, still or again.
        Cancelled, ImagewrightError: as ``begin``.
    """
    return _picture(resume_turn(parts, checkpoints, row, on_event, reply))


def resume_turn(parts: Parts, checkpoints: Path, row: RunRow, on_event: _OnEvent, reply: str | None = None) -> Outcome:
    """Go on with a run of a conversation; ``reply`` answers the question that it waits with. Raises as ``resume``."""
    with parts.runs.working_on(row.id, row.thread, parts.stop):
        delivered = parts.runs.result_of(row.id)
        if delivered is not None:
            on_event(RunEvent(kind="note", run=row.id, text="it was delivered before; nothing is drawn"))
            if row.request.thread is None:
                return Outcome(run=row.id, result=delivered)
        parts.runs.mark(row.id, "running")
        with _logged(parts, row.id) as log, _keeping_name(parts, row):
            if delivered is None:  # a name that another has now is seen to when the picture is delivered
                reserve_name(Path(row.out), row.id)
            return _work(parts, checkpoints, row, log.tell(on_event), resuming=True, reply=reply)


def _reserve(parts: Parts, row: RunRow) -> RunRow:
    """Reserve the name of the picture, or where the request lets it count the first number that is free.

    Raises:
        BadInput: the name is another's.
    """
    wanted, taken = Path(row.out), row.request.taken
    if taken == "number":
        path = claim_name(wanted, row.id, lambda name: False, counts=row.request.thread is None)
    elif reserve_name(wanted, row.id) or taken == "replace":
        return row
    else:
        raise say_taken(wanted)
    if path != wanted:
        parts.runs.move(row.id, path)
    return row.model_copy(update={"out": str(path)})


@contextlib.contextmanager
def _keeping_name(parts: Parts, row: RunRow) -> Iterator[None]:
    """Free the name of the picture in the end where none was delivered; it is reserved again when the run goes on."""
    try:
        yield
    finally:
        # What cannot be freed must not hide the error that is on its way; `imagewright clean` frees it later.
        with contextlib.suppress(BadInput, OSError):
            free_names(Path(parts.runs.get(row.id).out), row.id)


def _picture(outcome: Outcome) -> RunResult:
    return require_picture(outcome.run, outcome.result, outcome.question)


def _work(
    parts: Parts, checkpoints: Path, row: RunRow, on_event: _OnEvent, resuming: bool = False, reply: str | None = None
) -> Outcome:
    with hear_interrupts(parts.stop), open_checkpoints(checkpoints, OWN_TYPES) as saver:
        graph = lines.compile_with(saver)
        config, values = _config(row), cast(Any, fresh(row.id, row.request, row.seed, row.out))
        found = lines.last_of(graph, config, row.id) if resuming else None
        if found is not None:
            config["configurable"] = dict(found.config["configurable"])
            values = None if reply is None else Command(resume=reply)
        if found is None or lines.is_open(found):
            for event in graph.stream(values, config, context=parts, stream_mode="custom", durability="sync"):
                on_event(cast(RunEvent, event))
        outcome = _outcome(parts, graph, row)
        if row.request.thread is None and outcome.question is None:
            saver.delete_thread(row.thread)
        else:
            secure(saver)
        return outcome


def _outcome(parts: Parts, graph: lines.CompiledGraph, row: RunRow) -> Outcome:
    """What the run came to; an answer is recorded, and the conversation goes back where it says so."""
    last = lines.last_of(graph, _config(row), row.id)
    if last is not None and (asked := lines.question_of(last)) is not None:
        parts.runs.mark(row.id, "asked", asked.text)
        return Outcome(run=row.id, question=asked)
    answer = last.values.get("answer") if last is not None else None
    if isinstance(answer, Answer):
        if answer.back_to:
            lines.go_back(graph, row.thread, row.id, answer.back_to)
        parts.runs.answer(row.id, answer.text)
        return Outcome(run=row.id, answer=answer)
    result = parts.runs.result_of(row.id)
    if result is None:
        raise Fault(f"run {row.id} ended without a picture")
    return Outcome(run=row.id, result=result)


def _config(row: RunRow) -> RunnableConfig:
    """What LangGraph needs to know: the thread, the run, and more steps than the budget can use."""
    return {
        "configurable": {"thread_id": row.thread},
        "metadata": {lines.RUN_MARK: row.id},
        "recursion_limit": 20 + NODES_A_ROUND * row.request.max_images,
    }


def thread_id(run: str, request: DrawRequest) -> str:
    """The checkpoints' thread: the conversation's, or one of its own for a run outside any."""
    return f"run {run}" if request.thread is None else f"thread {request.thread.strip()}"


class _Progress:
    """How far a run has come."""

    drew = False

    def tell(self, on_event: _OnEvent) -> _OnEvent:
        """``on_event``, with each event noted here."""

        def hear(event: RunEvent) -> None:
            self.drew = self.drew or (event.kind, event.text) == ("node", "generate")
            on_event(event)

        return hear

    def end_by(self, error: ImagewrightError) -> RunStatus:
        """How a run stands that ``error`` ended: what was refused before anything was drawn did not fail."""
        asked_wrong = isinstance(error, CannotDraw | BadInput) and not isinstance(error, MachineTrouble)
        return "refused" if asked_wrong and not self.drew else "failed"


@contextlib.contextmanager
def _logged(parts: Parts, run: str) -> Iterator[_Progress]:
    """Write into the log how the run ended, when it did not end well."""
    progress = _Progress()
    try:
        yield progress
    except (Cancelled, KeyboardInterrupt):
        _mark(parts, run, "cancelled", "stopped by the person")
        raise Cancelled("the run was stopped", f"go on with: imagewright runs resume {run}") from None
    except ImagewrightError as error:
        _mark(parts, run, progress.end_by(error), str(error))
        raise
    except BaseException as error:
        _mark(parts, run, "failed", f"{type(error).__name__}: {error}"[:500])
        raise


def _mark(parts: Parts, run: str, status: RunStatus, text: str) -> None:
    # A log that cannot be written must not hide the error that is on its way.
    with contextlib.suppress(BadInput):
        parts.runs.mark(run, status, text)
