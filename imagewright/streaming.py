"""Drawing without blocking: the events of a run as an asynchronous stream."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Unpack

from imagewright.draw_request import DrawOptions
from imagewright.schemas import DrawRequest, RunEvent, RunResult

if TYPE_CHECKING:
    from imagewright.api import Imagewright


async def astream(
    prompt: str | DrawRequest, *, engine: Imagewright | None = None, **options: Unpack[DrawOptions]
) -> AsyncIterator[RunEvent | RunResult]:
    """The events of drawing ``prompt`` as they happen, and the ``RunResult`` as the last item.

    The run has a thread of its own. Leaving the loop, or cancelling the task, stops the run between two steps; it can
    be resumed. ``options`` are fields of ``DrawRequest``; ``engine`` keeps its models loaded between calls.

    >>> async for event in astream("a red circle", seed=1):  # doctest: +SKIP
    ...     print(event)

    Raises:
        ImagewrightError: as ``Imagewright.draw``, out of the loop.
    """
    from imagewright.api import Imagewright

    loop, stop = asyncio.get_running_loop(), threading.Event()
    queue: asyncio.Queue[RunEvent | RunResult | BaseException] = asyncio.Queue()
    tool = engine or Imagewright()

    def tell(item: RunEvent | RunResult | BaseException) -> None:
        if not stop.is_set():
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def work() -> None:
        try:
            tell(tool.draw(prompt, on_event=tell, stop=stop, **options))
        except BaseException as error:  # noqa: BLE001 - the boundary of a thread: raised again in the loop
            tell(error)

    thread = threading.Thread(target=work, name="imagewright", daemon=True)
    thread.start()
    try:
        while True:
            item = await queue.get()
            if isinstance(item, BaseException):
                raise item
            yield item
            if isinstance(item, RunResult):
                return
    finally:
        stop.set()
