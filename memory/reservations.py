"""Names of pictures in people's folders: reserved by exclusive creation, filled by a rename, never taken from another.

A reserved name is a small file that says which run it waits for. A run that ends without a picture frees its names; of
one that was killed they wait for ``resume``, and ``imagewright clean`` or a day later the next run frees them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from imagewright.database import storage_errors
from imagewright.errors import BadInput
from imagewright.memory.artifacts import write_whole

_MARK = "imagewright: this name is reserved for the picture of run {run}\n"
_MARKED = re.compile(re.escape(_MARK).replace(r"\{run\}", "([0-9A-Za-z-]{1,64})"))
LONGEST_MARK = 200
"""Bytes of a file that are read to see whether it is a reserved name."""


def reserve_name(path: Path, run: str) -> bool:
    """Whether ``path`` is ``run``'s now: nothing was there, or it was reserved for it before.

    Raises:
        BadInput: the folder cannot be written, or the disk is full.
    """
    with storage_errors(path):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return holder_of(path) == run
        try:
            os.write(handle, _MARK.format(run=run).encode())
        finally:
            os.close(handle)
    return True


def holder_of(path: Path) -> str:
    """The run that ``path`` is reserved for; empty where there is no file, or one that is no reserved name."""
    try:
        with path.open("rb") as file:
            found = _MARKED.fullmatch(file.read(LONGEST_MARK).decode("ascii"))
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1] if found else ""


def free_name(path: Path, run: str) -> bool:
    """Take the reservation of ``path`` away, where it is ``run``'s; whether it was."""
    if holder_of(path) != run:
        return False
    path.unlink(missing_ok=True)
    return True


def free_names(out: Path, run: str) -> None:
    """Free the names of ``run``'s picture and of the trace beside it."""
    for path in (out, out.with_suffix(".json")):
        free_name(path, run)


def claim_name(path: Path, run: str, is_own: Callable[[Path], bool], *, counts: bool = False) -> Path:
    """``path``, or the first name of ``list_names`` that is ``run``'s: reserved for it, new, or filled by it before.

    ``is_own`` says of a file that is no reservation whether the run may write over it.
    """
    for name in list_names(path, counts=counts):
        if reserve_name(name, run) or is_own(name):
            return name
    raise AssertionError("there is always another number")


def list_names(path: Path, *, counts: bool) -> Iterator[Path]:
    """``path`` and then the same with a number, from 2; with ``counts`` a number that it ends with is counted on."""
    yield path
    ends = re.fullmatch(r"(.*)-([0-9]{1,6})", path.stem) if counts else None
    stem, number, digits = (ends[1], int(ends[2]), len(ends[2])) if ends else (path.stem, 1, 1)
    while True:
        number += 1
        yield path.with_name(f"{stem}-{number:0{digits}}{path.suffix}")


def fill_name(path: Path, run: str, data: bytes) -> None:
    """Put ``data`` under a claimed name, whole or not at all; a kill leaves at most one file, which the next try uses.

    Raises:
        BadInput: the disk is full, or the folder cannot be written.
    """
    write_whole(path, data, temporary=part_of(path, run))


def part_of(path: Path, run: str) -> Path:
    """The file beside ``path`` that ``run`` writes before it has its name."""
    return path.with_name(f".imagewright-{run}.part")


def say_taken(path: Path) -> BadInput:
    """What is said where ``path`` is another's."""
    remedy = "name another --out, or replace it with --force (from Python: taken='replace')"
    if not (run := holder_of(path)):
        return BadInput(f"{path} is there already", remedy)
    return BadInput(
        f"{path} is reserved for run {run}, which has not delivered yet",
        f"name another --out; if that run was killed, go on with it: imagewright runs resume {run}",
    )
