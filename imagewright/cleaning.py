"""What grows in a home, and keeping it within bounds: leftovers go, and where asked what is old or too much.

Delivered pictures in people's folders are never touched, nor runs that are alive, nor the pictures of conversations.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from imagewright.deletion import Belongings, delete_runs
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.container import Container
    from imagewright.memory.runs import RunOutline

_FRESH = 3600.0
"""Seconds: what nothing names yet may be a file that a run has just written."""


class Growth(NamedTuple):
    """One kind of thing that a home gathers."""

    what: str
    number: int
    size: int
    """Bytes."""
    removed: int
    """How many went; with ``dry_run`` would go."""
    freed: int
    """The bytes of those."""
    when: str
    """What makes them go: ``always``, or the options."""


class _Item(NamedTuple):
    """One thing that can go."""

    size: int
    changed: float
    """Seconds since the epoch."""
    remove: Callable[[], object]


def clean_home(
    container: Container, *, older_than: timedelta | None = None, keep_size: int | None = None, dry_run: bool = False
) -> tuple[Growth, ...]:
    """Delete what nothing needs any more, and what is older than ``older_than`` or beyond ``keep_size``.

    Of a run that has ended its checkpoints, locks, sidecars and previews go, and names that killed runs reserved in
    people's folders. Where asked, oldest first: runs that delivered nothing, pictures that were rejected, and copies of
    delivered pictures whose file is still where it was delivered. ``keep_size`` bounds the store of pictures, in bytes.

    Raises:
        BadInput: the home cannot be read or written.
    """
    from imagewright.memory.checkpoints import shrink_file

    home = _Home(container)
    cutoff = None if older_than is None else time.time() - older_than.total_seconds()
    told = [_sweep(what, items, lambda item: True, "always", dry_run) for what, items in home.list_leftovers()]
    kinds = [(what, list(items)) for what, items in home.list_bounded()]
    going = _beyond(kinds, cutoff, keep_size, _size_of(container.settings.artifacts))
    told += [_sweep(what, items, lambda item: id(item) in going, _OPTIONS, dry_run) for what, items in kinds]
    old_logs = [_file(path) for path in (container.settings.data_dir / "logs").glob("*.log")]
    told.append(_sweep("logs of faults", old_logs, lambda item: _is_old(item, cutoff), "--older-than", dry_run))
    if not dry_run and any(kind.removed for kind in told):
        shrink_file(container.settings.checkpoints)
    return tuple(told)


_OPTIONS = "--older-than, --keep-size"


def _beyond(kinds: list[tuple[str, list[_Item]]], cutoff: float | None, keep: int | None, size: int) -> set[int]:
    """Which items are too old, and the oldest of the others as far as the store is larger than ``keep`` bytes."""
    every = sorted((item for _, items in kinds for item in items), key=lambda item: item.changed)
    going = {id(item) for item in every if _is_old(item, cutoff)}
    size -= sum(item.size for item in every if id(item) in going)
    for item in every:
        if keep is not None and size > keep and id(item) not in going:
            going.add(id(item))
            size -= item.size
    return going


def _is_old(item: _Item, cutoff: float | None) -> bool:
    return cutoff is not None and item.changed < cutoff


def _sweep(what: str, items: Iterable[_Item], goes: Callable[[_Item], bool], when: str, dry_run: bool) -> Growth:
    number = size = removed = freed = 0
    for item in items:
        number, size = number + 1, size + item.size
        if not goes(item):
            continue
        removed, freed = removed + 1, freed + item.size
        if not dry_run:
            item.remove()
    return Growth(what, number, size, removed, freed, when)


class _Home:
    """What lies in a home, and which run each thing is of."""

    def __init__(self, container: Container) -> None:
        from imagewright.memory.checkpoints import measure_threads

        self._container, self._store = container, container.store
        self._checkpoints = measure_threads(container.settings.checkpoints)
        self._rows = {row.id: row for row in container.runs.outline()}
        self._known = Belongings(container, list(self._rows.values()))

    # --- what nothing needs -----------------------------------------------------------------

    def list_leftovers(self) -> Iterator[tuple[str, Iterator[_Item]]]:
        """Kinds of things that nothing needs any more."""
        yield "checkpoints of runs that are over", self._old_checkpoints()
        yield "locks of runs that are over", self._locks()
        yield "previews", self._previews()
        yield "sidecars of runs that are over", self._sidecars()
        yield "pictures of no run", self._orphans()
        yield "thumbnails of pictures that are gone", self._thumbnails()
        yield "files that were being written", self._parts()
        yield "names that killed runs reserved", self._reserved()

    def _is_over(self, run: str) -> bool:
        row = self._rows.get(run)
        return row is None or row.over

    def _old_checkpoints(self) -> Iterator[_Item]:
        from imagewright.memory.checkpoints import drop_threads

        path = self._container.settings.checkpoints
        for thread, size in self._checkpoints.items():
            kind, _, name = thread.partition(" ")
            if kind == "run" and self._is_over(name):
                yield _Item(size, 0.0, partial(drop_threads, path, [thread]))

    def _locks(self) -> Iterator[_Item]:
        from imagewright.memory.runs import is_run_id

        runs = self._container.runs
        for run in {path.stem for path in _files_in(runs.locks)}:
            files = [path for path in runs.locks.glob(f"{run}*") if path.stem == run]
            if is_run_id(run) and self._is_over(run) and all(map(_is_settled, files)):
                yield _Item(sum(path.stat().st_size for path in files), 0.0, partial(runs.forget, run))

    def _previews(self) -> Iterator[_Item]:
        for folder in self._store.root.glob("previews/*"):
            row = self._rows.get(folder.name)
            if not (row and row.alive) and _is_settled(folder):
                yield _Item(_size_of(folder), 0.0, partial(self._store.drop_previews, folder.name))

    def _sidecars(self) -> Iterator[_Item]:
        delivered = {image for row in self._rows.values() for image in row.images}
        for path, made in self._store.sidecars():
            # Those of earlier releases name no run.
            over = self._is_over(made.run) if made.run else made.image in delivered
            if over and _is_settled(path):
                yield _file(path)

    def _orphans(self) -> Iterator[_Item]:
        for image, path in self._store.pictures():
            if not self._known.has(image) and _is_settled(path):
                yield _file(path)

    def _thumbnails(self) -> Iterator[_Item]:
        for image, path in self._store.thumbnails():
            if not self._store.has(image):
                yield _file(path)

    def _parts(self) -> Iterator[_Item]:
        for path in self._store.root.rglob(".*.part"):
            if _is_settled(path):
                yield _file(path)
        for row in self._rows.values():
            part = _part(row)
            if not row.alive and part.is_file():
                yield _file(part)

    def _reserved(self) -> Iterator[_Item]:
        from imagewright.memory.reservations import LONGEST_MARK, free_name, holder_of

        dead = {row.id: row for row in self._rows.values() if not row.alive}
        for folder in {row.out.parent for row in dead.values() if row.path == ""}:
            for path in _files_in(folder):
                if path.stat().st_size <= LONGEST_MARK and (run := holder_of(path)) in dead:
                    yield _Item(path.stat().st_size, 0.0, partial(free_name, path, run))

    # --- what goes where it is asked for ----------------------------------------------------

    def list_bounded(self) -> Iterator[tuple[str, Iterator[_Item]]]:
        """Kinds of things that go by age or size."""
        yield "runs that delivered nothing", self._undelivered()
        yield "pictures that were rejected", self._rejected()
        yield "copies of delivered pictures", self._copies()

    def _undelivered(self) -> Iterator[_Item]:
        for row in list(self._rows.values()):
            if not row.over and not row.alive and row.thread.startswith("run "):
                images = self._known.images.get(row.id, set())
                size = sum(self._size(image) for image in images) + self._checkpoints.get(row.thread, 0)
                changed = datetime.fromisoformat(row.created).replace(tzinfo=UTC).timestamp()
                yield _Item(size, changed, partial(self._delete, row))

    def _delete(self, row: RunOutline) -> None:
        # One that somebody has gone on with in the meantime is alive, and stays.
        with contextlib.suppress(BadInput), self._container.runs.working_on(row.id):
            delete_runs(self._container, [row], self._known)

    def _rejected(self) -> Iterator[_Item]:
        kept = {image for row in self._rows.values() for image in (row.image, *row.sources)} | self._spoken_of()
        rejected = {image for row in self._rows.values() if row.path for image in row.images} - kept
        yield from (_file(path) for image, path in self._store.pictures() if image in rejected)

    def _copies(self) -> Iterator[_Item]:
        there = {row.image for row in self._rows.values() if row.path and Path(row.path).is_file()}
        gone = {row.image for row in self._rows.values() if row.path and not Path(row.path).is_file()}
        sources = {image for row in self._rows.values() for image in row.sources}
        free = there - gone - sources - self._spoken_of()
        yield from (_file(path) for image, path in self._store.pictures() if image in free)

    def _spoken_of(self) -> set[str]:
        """The pictures of conversations and of runs that may still go on."""
        rows = [row for row in self._rows.values() if row.thread.startswith("thread ") or not row.over]
        return {image for row in rows for image in self._known.images.get(row.id, set())}

    def _size(self, image: str) -> int:
        return self._store.get(image).stat().st_size if self._store.has(image) else 0


def _part(row: RunOutline) -> Path:
    from imagewright.memory.reservations import part_of

    return part_of(row.out, row.id)


def _files_in(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []


def _file(path: Path) -> _Item:
    about = path.stat()
    return _Item(about.st_size, about.st_mtime, lambda: path.unlink(missing_ok=True))


def _is_settled(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _FRESH
    except OSError:
        return False


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
