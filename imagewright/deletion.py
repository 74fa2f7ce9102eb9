"""Runs deleted with all that they made: files, checkpoints, pictures in the store, previews, locks, rows."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright.errors import BadInput
from imagewright.trace import Trace, open_trace

if TYPE_CHECKING:
    from imagewright.container import Container
    from imagewright.memory.runs import RunOutline


class Belongings:
    """Which pictures of the store are which run's, by the deliveries and by the sidecars."""

    def __init__(self, container: Container, rows: Sequence[RunOutline]) -> None:
        self.images: dict[str, set[str]] = {row.id: set(row.images | row.sources) for row in rows}
        self._made_by_somebody = set[str]()
        for _, made in container.store.sidecars():
            own = self.images.setdefault(made.run, set()) if made.run else self._made_by_somebody
            own.update((made.image, *made.more))
        self._counts = Counter(image for images in self.images.values() for image in images)

    def take(self, runs: Sequence[str], more: frozenset[str] = frozenset()) -> set[str]:
        """The pictures that only ``runs`` have; from then on they are nobody's. ``more`` are further ones of theirs."""
        own = [self.images.pop(run, set()) for run in runs]
        self._counts.subtract(image for images in own for image in images)
        return {image for image in more.union(*own) if self._counts[image] <= 0}

    def has(self, image: str) -> bool:
        """Whether the picture is some run's, or of one whose sidecar names none: earlier releases wrote such."""
        return self._counts[image] > 0 or image in self._made_by_somebody


def delete_runs(container: Container, rows: Sequence[RunOutline], known: Belongings | None = None) -> int:
    """Delete runs with their pictures, also where they were delivered to and are still their own.

    The rows go last, so that a kill in between leaves runs that can be deleted again. ``known`` saves looking again
    at every run for each one.

    Returns:
        How many pictures of the store are gone; those that another run made too are kept.

    Raises:
        BadInput: one of them is being drawn.
    """
    from imagewright.graph.lines import list_drawn
    from imagewright.memory.checkpoints import drop_threads

    if alive := next((row.id for row in rows if row.alive), ""):
        raise BadInput(f"run {alive} is being drawn by another process", "wait for it, or end that process")
    known = known or Belongings(container, list(container.runs.outline()))
    checkpoints, threads = container.settings.checkpoints, {row.thread for row in rows}
    drawn = frozenset[str]().union(*(list_drawn(checkpoints, thread) for thread in threads))
    for row in rows:
        delete_files(row)
        container.store.drop_previews(row.id)
    drop_threads(checkpoints, threads)
    runs = [row.id for row in rows]
    images = [image for image in known.take(runs, drawn) if container.store.has(image)]
    container.store.forget(images, runs)
    container.runs.erase(runs)
    return len(images)


def delete_files(row: RunOutline) -> None:
    """Delete what a run has in a person's folder: its picture and trace where the trace says that they are its own,
    a name that is reserved for it, and a file that was being written."""
    from imagewright.memory.reservations import free_names, part_of

    with contextlib.suppress(OSError, BadInput):
        free_names(row.out, row.id)
        part_of(row.out, row.id).unlink(missing_ok=True)
    if row.path:
        with contextlib.suppress(OSError, BadInput):
            png = Path(row.path)
            trace, told = _find_trace(png, row.id)
            for name in (png.name, *told.batch):
                png.with_name(Path(name).name).unlink(missing_ok=True)
            trace.unlink()


def _find_trace(png: Path, run: str) -> tuple[Path, Trace]:
    """The trace of ``run`` beside its picture.

    Raises:
        BadInput: there is none.
    """
    for path in (png.with_suffix(".json"), *png.parent.glob(f"{_escape(png.stem)}.trace*.json")):
        with contextlib.suppress(BadInput):
            told = open_trace(path)
            if told.run == run:
                return path, told
    raise BadInput(f"there is no trace of run {run} beside {png}", "")


def _escape(stem: str) -> str:
    import glob

    return glob.escape(stem)
