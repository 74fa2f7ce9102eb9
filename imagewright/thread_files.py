"""A conversation as files: written out whole, or deleted with all that it made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright.deletion import delete_runs
from imagewright.errors import BadInput

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
    for turn in made:
        write_whole(folder / f"{turn.picture:03}.png", container.store.get(turn.image).read_bytes())
        trace = json.dumps(container.runs.show(turn.run), ensure_ascii=False, indent=1)
        write_whole(folder / f"{turn.picture:03}.json", trace.encode())
    said = [turn.model_dump(mode="json", exclude={"path"}) for turn in turns]
    whole = {"imagewright_thread": EXPORT_FORMAT, "thread": thread, "turns": said}
    write_whole(folder / "thread.json", json.dumps(whole, ensure_ascii=False, indent=1).encode())
    return len(made)


def delete(container: Container, thread: str) -> int:
    """Delete a thread: delivered files that are still its own, checkpoints, pictures in the store, then its rows.

    The pictures of turns that were killed, stopped or failed go, too. The rows go last, so that a kill in between
    leaves a thread that can be deleted again.

    Returns:
        How many pictures of the store are gone; those that another run made too are kept.

    Raises:
        BadInput: a picture of it is being drawn.
    """
    name = f"thread {thread}"
    count = delete_runs(container, [row for row in container.runs.outline() if row.thread == name])
    container.threads.delete(thread)
    return count
