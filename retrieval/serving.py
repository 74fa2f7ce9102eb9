"""Near neighbours of a large index from a Chroma folder that nobody writes: it serves the state of one generation.

A process opens the folder once and keeps it open. What changed since its generation is searched exactly by who asks.
A new folder is built beside the requests, by a process of its own under a lock, and takes the place of the old one by
the rename of ``serving.json``; the folder before it stays until the next one, for those who have it open.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.retrieval.chroma_mirror import (
    SPACES,
    MirrorBusy,
    Space,
    Truth,
    lock_mirror,
    open_client,
    open_collection,
    report_unusable,
    say_damaged,
)
from imagewright.retrieval.sound import Damaged, insist_on_sound, insist_on_whole, write_manifest

_BATCH = 5000


@dataclass(frozen=True)
class Served:
    """The nearest of the state of a generation."""

    ids: Sequence[str]
    generation: int


class Serving:
    """What one process has open of the folder that serves; safe to share between threads."""

    def __init__(self, folder: Path, truth: Truth) -> None:
        self._folder, self._truth = folder, truth
        self._lock = threading.Lock()
        self._open: tuple[str, int, dict[Space, Any]] | None = None
        self._refused = ""
        self._seen: tuple[tuple[int, int], tuple[str, int]] | None = None
        self._building: subprocess.Popen[bytes] | None = None

    def nearest(self, space: Space, vector: Sequence[float], k: int) -> Served | None:
        """The ids of the ``k`` nearest, nearest first; None while there is no folder to ask.

        Raises:
            MirrorBusy: the folder is damaged or Chroma cannot read it; told once for each folder.
        """
        with self._lock:
            opened = self._opened()
            if opened is None:
                return None
            _, generation, collections = opened
            with self._refusing(opened[0]):
                found = collections[space].query(query_embeddings=[vector], n_results=k, include=["distances"])
            return Served(found["ids"][0], generation)

    def _opened(self) -> tuple[str, int, dict[Space, Any]] | None:
        name, generation = self._current()
        if not name or name == self._refused:
            return None
        if self._open is None or self._open[0] != name:
            with self._refusing(name):
                insist_on_whole(self._folder / name)
                client = open_client(self._folder / name)
                self._open = (name, generation, {space: open_collection(client, space) for space in SPACES})
        return self._open

    def _current(self) -> tuple[str, int]:
        """``read_current``, read anew where the file is another one than before."""
        try:
            facts = (self._folder / "serving.json").stat()
        except OSError:
            return "", -1
        stamp = facts.st_ino, facts.st_mtime_ns
        if self._seen is None or self._seen[0] != stamp:
            self._seen = stamp, read_current(self._folder)
        name, generation = self._seen[1]
        return (name, generation) if name and (self._folder / name).is_dir() else ("", -1)

    @contextmanager
    def _refusing(self, name: str) -> Iterator[None]:
        """Ask a folder no more that could not answer."""
        try:
            with report_unusable():
                yield
        except (Damaged, MirrorBusy) as error:
            self._refused, self._open = name, None
            raise error if isinstance(error, MirrorBusy) else MirrorBusy(say_damaged(error)) from error

    def fault(self) -> str:
        """What is wrong with the folder that serves, in one line; empty when it is whole, or there is none."""
        name, _ = read_current(self._folder)
        try:
            if name:
                insist_on_whole(self._folder / name)
                insist_on_sound(self._folder / name)
        except Damaged as error:
            return say_damaged(error)
        return ""

    def generation(self) -> int:
        """The generation that is served; -1 for none."""
        return read_current(self._folder)[1]

    def start_building(self, database: Path) -> None:
        """Let a process of its own build the folder of today, unless this one started one that still works."""
        if self._building is not None and self._building.poll() is None:
            return
        command = [sys.executable, "-m", "imagewright.retrieval.build_serving", str(database), str(self._folder)]
        self._building = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def build(self) -> None:
        """Build a folder of the index as it is, and let it serve.

        Raises:
            MirrorBusy: another process builds one.
            OSError: the folder cannot be written.
        """
        with lock_mirror(self._folder / "serving.lock", 0.0):
            before, _ = read_current(self._folder)
            for left in self._folder.glob("serving-*"):
                if left.is_dir() and left.name != before:
                    shutil.rmtree(left, ignore_errors=True)
            name = f"serving-{uuid.uuid4().hex[:12]}"
            generation = self._truth.generation()
            self._fill(self._folder / name)
            write_manifest(self._folder / name)
            temporary = self._folder / f"serving-{uuid.uuid4().hex[:8]}.tmp"
            temporary.write_text(json.dumps({"folder": name, "generation": generation}), encoding="utf-8")
            temporary.replace(self._folder / "serving.json")

    def _fill(self, folder: Path) -> None:
        with open_client(folder) as client:
            for space in SPACES:
                ids = sorted(self._truth.ids(space))
                for start in range(0, len(ids), _BATCH):
                    vectors = self._truth.vectors(space, ids[start : start + _BATCH])
                    if vectors:
                        open_collection(client, space).upsert(ids=list(vectors), embeddings=list(vectors.values()))


def read_current(folder: Path) -> tuple[str, int]:
    """The folder that serves and its generation; an empty name and -1 for none."""
    try:
        found = untrusted.load_object(folder / "serving.json")
        name, generation = str(found["folder"]), int(found["generation"])
    except (BadInput, ValueError, KeyError, TypeError):
        return "", -1
    whole = Path(name).name == name and name.startswith("serving-") and (folder / name).is_dir()
    return (name, generation) if whole else ("", -1)
