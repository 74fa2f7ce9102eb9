"""Whether a Chroma folder is whole, told before it is opened: a damaged HNSW file ends the process that loads it.

What Chroma wrote is listed with size and SHA-256 when a folder is closed; a folder that does not fit its list is not
opened. SQLite's own file changes with every opening and reports its damage itself: only its first bytes are looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

from imagewright import untrusted
from imagewright.errors import BadInput

_MANIFEST = "manifest.json"
_DATABASE, _MAGIC = "chroma.sqlite3", b"SQLite format 3\0"


class Damaged(Exception):
    """A folder that must not be opened; the text says what is wrong."""


def write_manifest(folder: Path) -> None:
    """List what lies in ``folder`` now, on top of an earlier list."""
    temporary = folder / f"{_MANIFEST}-{uuid.uuid4().hex[:8]}.tmp"
    temporary.write_text(json.dumps(_listed(folder), sort_keys=True), encoding="utf-8")
    temporary.replace(folder / _MANIFEST)


def insist_on_whole(folder: Path) -> None:
    """Check ``folder`` against its list.

    Raises:
        Damaged: a file is missing, added, or not what was written; or there is no list.
    """
    try:
        with (folder / _DATABASE).open("rb") as file:
            whole = file.read(len(_MAGIC)) == _MAGIC
        wanted = untrusted.load_object(folder / _MANIFEST)
        found = _listed(folder)
    except (BadInput, OSError, ValueError) as error:
        raise Damaged(f"{folder.name} cannot be read: {error}") from error
    if not whole:
        raise Damaged(f"{folder.name}/{_DATABASE} is no database")
    wrong = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if wrong:
        raise Damaged(f"{folder.name}/{wrong[0]} is not what was written")


def insist_on_sound(folder: Path) -> None:
    """Let SQLite check its own file in ``folder``, which takes a second for a hundred megabytes.

    Raises:
        Damaged: it finds something.
    """
    address = f"{(folder / _DATABASE).absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as db:
            said = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        said = str(error)
    if said != "ok":
        raise Damaged(f"{folder.name}/{_DATABASE}: {' '.join(said.split())}")


def _listed(folder: Path) -> dict[str, list[int | str]]:
    """Every file of the segments, with its size and SHA-256."""
    found: dict[str, list[int | str]] = {}
    for file in sorted(folder.glob("*/*")):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        found[file.relative_to(folder).as_posix()] = [os.stat(file).st_size, digest]
    return found
