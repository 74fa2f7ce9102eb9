"""Doing one order with an engine; what a killed process has begun is gone on with, and what it ended is only told."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright.errors import BadInput, Cancelled, NeedsAnswer
from imagewright.serve.orders import Ending, QueuedJob

if TYPE_CHECKING:
    from imagewright.api import Imagewright, OnEvent, Reply
    from imagewright.schemas import RunResult
    from imagewright.trace import Replay


def do_order(engine: Imagewright, job: QueuedJob, tell: OnEvent, stop: threading.Event) -> Ending:
    """What comes of ``job``. Done again after a kill at any point, it gives one picture and one delivery.

    Raises:
        ImagewrightError: it cannot be done, or ``stop`` was set.
    """
    order = job.order
    if order.kind == "say":
        return _say(engine, job, tell, stop)
    try:
        if order.kind == "draw":
            return _delivered(_draw(engine, job, tell, stop))
        if order.kind == "resume":
            if order.asks:
                return _replied(engine.go_on(order.target, tell, ask=True, reply=order.reply, stop=stop))
            return _delivered(engine.resume(order.target, tell, reply=order.reply, stop=stop))
    except NeedsAnswer as asked:
        return Ending(run=asked.run, text=str(asked), asked=True, choices=asked.choices)
    return _drawn_again(engine.workplace.replay(engine.runs.get(order.target), tell, stop=stop))


def _drawn_again(replay: Replay) -> Ending:
    differs = replay.differences
    return Ending(
        run=replay.run,
        image=replay.image,
        same=replay.same,
        mean_difference=replay.mean_difference,
        differences=differs,
        text="; ".join(differs),
    )


def is_held_elsewhere(engine: Imagewright, job: QueuedJob) -> bool:
    """Whether another process works on the run, whose lease on the job ran out, or talks in its conversation."""
    thread = job.order.request.thread
    if thread is not None and engine.runs.is_busy(f"thread {thread.strip()}"):
        return True
    return job.tries > 1 and engine.runs.is_alive(job.id)


def _draw(engine: Imagewright, job: QueuedJob, tell: OnEvent, stop: threading.Event) -> RunResult:
    if _was_begun(engine, job.id):
        return engine.resume(job.id, tell, stop=stop)
    request = job.order.request
    Path(request.out or ".").mkdir(parents=True, exist_ok=True)
    return engine.draw(request, on_event=tell, stop=stop, ask=job.order.asks, run=job.id)


def _was_begun(engine: Imagewright, run: str) -> bool:
    with contextlib.suppress(BadInput):
        engine.runs.get(run)
        return True
    return False


def _say(engine: Imagewright, job: QueuedJob, tell: OnEvent, stop: threading.Event) -> Ending:
    order = job.order
    options = order.request.model_dump(exclude={"prompt", "thread", "boxes"})
    chat = engine.chat(order.request.thread or "", **options)
    if _was_begun(engine, job.id):
        return _replied(_finish(engine, job, chat.resume(tell, stop=stop)))
    if order.follows and chat.question is not None:
        raise Cancelled("something is asked first", "answer it; then ask for more")
    if order.target:
        chat.return_to(order.target)
    return _replied(chat.say(order.request.prompt, tell, stop=stop, run=job.id, boxes=order.request.boxes))


def _finish(engine: Imagewright, job: QueuedJob, reply: Reply | None) -> Reply:
    """What the turn came to that a killed process has begun; where it was over already, what it said."""
    from imagewright.api import Reply

    if reply is not None and reply.run == job.id:
        return reply
    row = engine.runs.get(job.id)
    if row.result is not None:
        return Reply(run=row.id, text=row.result.path, result=row.result)
    return Reply(run=row.id, text=engine.runs.answered(row.id) or row.error)


def _replied(reply: Reply) -> Ending:
    if reply.result is not None:
        return _delivered(reply.result)
    choices = reply.question.choices if reply.question else ()
    return Ending(run=reply.run, text=reply.text, asked=reply.question is not None, choices=choices)


def _delivered(result: RunResult) -> Ending:
    return Ending(run=result.run, image=result.image)
