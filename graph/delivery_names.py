"""The names of a delivery's files: the run's own as they were reserved, or what is free beside what others took.

Apart from delivering, for who only brings files to their names must not wait until the agents are imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from imagewright.errors import BadInput
from imagewright.memory.reservations import claim_name, reserve_name
from imagewright.memory.runs import RunLog, RunRow
from imagewright.trace import open_trace


class Names(NamedTuple):
    """The files of one delivery."""

    picture: Path
    others: tuple[Path, ...]
    """The other pictures of a batch, in its order."""
    trace: Path


def name_delivery(runs: RunLog, row: RunRow, pictures: Sequence[bytes]) -> Names:
    """Names that are the run's of ``row``: as they were reserved where nobody else has them now.

    ``pictures`` are the files' bytes, the delivered one first. Where the run's name was taken, the log is told.
    """
    wanted, replaces = Path(row.out), row.request.taken == "replace"

    def claim(path: Path, data: bytes, *, counts: bool = False) -> Path:
        return claim_name(path, row.id, lambda name: replaces or _holds(name, data), counts=counts)

    picture = claim(wanted, pictures[0], counts=row.request.taken == "number")
    if picture != wanted:
        runs.move(row.id, picture)
    beside = [picture.with_name(f"{picture.stem}.batch-{n}{picture.suffix}") for n in range(2, len(pictures) + 1)]
    others = tuple(claim(path, data) for path, data in zip(beside, pictures[1:], strict=True))
    return Names(picture, others, _name_trace(picture, row.id, replaces))


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def _name_trace(picture: Path, run: str, replaces: bool) -> Path:
    """The trace's name, ``<picture>.json``; where a file has it that is none of this run's, another one."""

    def is_own(path: Path) -> bool:
        told = read_run_of(path)
        return told == run or (replaces and bool(told))

    plain = picture.with_suffix(".json")
    if reserve_name(plain, run) or is_own(plain):
        return plain
    return claim_name(picture.with_suffix(".trace.json"), run, is_own)


def read_run_of(trace: Path) -> str:
    """The run whose trace a file is; empty for any other file."""
    try:
        return open_trace(trace).run
    except BadInput:
        return ""


def say_names(wanted: Path, names: Names) -> Iterator[str]:
    """What is told of a delivery's names: that another has the one that was wanted, and what lies beside it."""
    if names.picture != wanted:
        yield f"{wanted.name} was taken meanwhile by another; the picture is {names.picture.name}"
    if names.others:
        beside = ", ".join(path.name for path in names.others)
        yield f"the flow draws {len(names.others) + 1} pictures at once; beside this one: {beside}"
