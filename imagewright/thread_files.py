"""A conversation as files: written out whole, or deleted with all that it made."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright.errors import BadInput
from imagewright.trace import open_trace

if TYPE_CHECKING:
    from imagewright.container import Container

EXPORT_FORMAT = 1


def write_thread(container: Container, thread: str, folder: Path) -> int:
    """Write thread ``thread`` into ``folder``: ``thread.json``, and a PNG and a trace for each picture.

    Returns:
        How many pictures were written.

    Raises:
        BadInput: there is no such thread, or the folder is not empty or cannot be written.
    """
    from imagewright.memory.artifacts import write_whole

    container.threads.insist(thread)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is not an empty folder", "name a new one")
    turns = container.threads.turns(thread)
    made = [turn for turn in turns if turn.image and container.store.has(turn.image)]
    for number, turn in enumerate(made, 1):
        write_whole(folder / f"{number:03}.png", container.store.get(turn.image).read_bytes())
        trace = json.dumps(container.runs.show(turn.run), ensure_ascii=False, indent=1)
        write_whole(folder / f"{number:03}.json", trace.encode())
    said = [turn.model_dump(mode="json", exclude={"path"}) for turn in turns]
    whole = {"imagewright_thread": EXPORT_FORMAT, "thread": thread, "turns": said}
    write_whole(folder / "thread.json", json.dumps(whole, ensure_ascii=False, indent=1).encode())
    return len(made)


def delete_alone(container: Container, run: str) -> int:
    """Delete a run outside any conversation, in the same order; how many pictures of the store are gone.

    Raises:
        BadInput: there is no such run, it is being drawn, or it is a turn of a conversation, which others rest on.
    """
    from imagewright.memory.checkpoints import open_checkpoints

    row = container.runs.get(run)
    if row.request.thread is not None:
        raise BadInput(f"run {run} is a turn of a conversation", "delete the conversation: imagewright threads delete")
    with container.runs.working_on(run):
        if row.result is not None:
            _delete_delivered(run, row.result.path)
        if container.settings.checkpoints.exists():
            with open_checkpoints(container.settings.checkpoints) as saver:
                saver.setup()
                saver.delete_thread(row.thread)
        images = container.runs.images_only_of(run)
        container.store.forget(images)
        container.runs.erase(run)
        container.store.drop_previews(run)
    container.runs.forget(run)
    return len(images)


def delete(container: Container, thread: str) -> int:
    """Delete a thread: delivered files that are still its own, checkpoints, pictures in the store, then its rows.

    The rows go last, so that a kill in between leaves a thread that can be deleted again.

    Returns:
        How many pictures of the store are gone; those that another run made too are kept.
    """
    from imagewright.memory.checkpoints import open_checkpoints

    for turn in container.threads.turns(thread):
        _delete_delivered(turn.run, turn.path)
    if container.settings.checkpoints.exists():
        with open_checkpoints(container.settings.checkpoints) as saver:
            saver.setup()
            saver.delete_thread(f"thread {thread}")
    images = container.threads.images_only_of(thread)
    container.store.forget(images)
    for run in container.threads.delete(thread):
        container.store.drop_previews(run)
        container.runs.forget(run)
    return len(images)


def _delete_delivered(run: str, path: str) -> None:
    """Delete the PNG and the trace of a run where the trace beside the PNG says that they are its own."""
    if not path:
        return
    png = Path(path)
    trace = png.with_suffix(".json")
    with contextlib.suppress(OSError, BadInput):
        told = open_trace(trace)
        if told.run == run:
            for name in (png.name, *told.batch):
                png.with_name(Path(name).name).unlink(missing_ok=True)
            trace.unlink()
