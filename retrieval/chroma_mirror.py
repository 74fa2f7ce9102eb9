"""The vectors again in Chroma, derived from SQLite: opened only under a file lock, closed after the query.

Several processes that open one Chroma folder lose vectors, and a client that was opened earlier misses what another
process added. So there is a lock file; the folder is brought up to date with SQLite's generation when it is opened;
and who does not get the lock within a second is told to compute the answer exactly instead.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.locks import LockHeld, hold_lock
from imagewright.retrieval.embed import Vector
from imagewright.retrieval.sound import Damaged, insist_on_sound, insist_on_whole, write_manifest

Space = Literal["flows", "prompts"]
SPACES: tuple[Space, ...] = ("flows", "prompts")
LOCK_SECONDS = 1.0
_BATCH = 1000
REBUILD = "imagewright flows reindex"


class Truth(Protocol):
    """What the mirror is derived from."""

    def generation(self) -> int:
        """The number that every change of flows or evidence raises."""
        ...

    def ids(self, space: Space) -> Mapping[str, int]:
        """Every id of a space with the generation of its last change."""
        ...

    def vectors(self, space: Space, ids: Sequence[str]) -> Mapping[str, Vector]:
        """The unit vectors of ``ids``; ids that are gone meanwhile are left out."""
        ...


class MirrorBusy(Exception):
    """Another process holds the lock, or the folder is unusable; the reason is the text."""


@contextmanager
def lock_mirror(path: Path, seconds: float) -> Iterator[None]:
    """Hold the mirror's lock on ``path``.

    Raises:
        MirrorBusy: not free within ``seconds``, or it cannot be had here at all.
    """
    with ExitStack() as held:
        try:
            held.enter_context(hold_lock(path, seconds))
        except LockHeld:
            raise MirrorBusy("another process is using the vector index") from None
        except BadInput as error:
            raise MirrorBusy(f"{error}; {error.remedy}") from error
        yield


class ChromaMirror:
    """Two collections, ``flows`` and ``prompts``, with our own vectors under cosine distance.

    The folder holds ``lock``, ``current.json`` (which sub-folder is in use and up to which generation) and that
    sub-folder. A rebuild writes a new sub-folder and switches by renaming ``current.json`` into place.
    """

    def __init__(self, folder: Path, truth: Truth) -> None:
        self._folder = folder
        self._truth = truth

    def query(self, space: Space, vector: Sequence[float], k: int) -> list[str]:
        """The ids of the ``k`` nearest, nearest first, of all that SQLite holds now.

        Raises:
            MirrorBusy: the lock is not free, or Chroma cannot read its folder.
        """
        with self._open() as client:
            collection = open_collection(client, space)
            count = min(k, collection.count())
            if count == 0:
                return []
            found = collection.query(query_embeddings=[list(vector)], n_results=count, include=["distances"])
            return list(found["ids"][0])

    def ids(self, space: Space) -> set[str]:
        """Every id that the collection lists, after bringing it up to date."""
        with self._open() as client:
            return set(open_collection(client, space).get(include=[])["ids"])

    def rebuild(self, seconds: float = 30.0) -> None:
        """Build a new sub-folder from SQLite and switch to it.

        Raises:
            MirrorBusy: the lock is not free within ``seconds``.
        """
        with lock_mirror(self._folder / "lock", seconds):
            self._rebuild()

    def _rebuild(self) -> str:
        name = f"index-{uuid.uuid4().hex[:12]}"
        try:
            with self._kept(name) as client:
                generation = self._synchronise(client, since=-1)
            self._switch(name, generation)
        except BaseException:
            shutil.rmtree(self._folder / name, ignore_errors=True)
            raise
        for old in self._folder.glob("index-*"):
            if old.name != name:
                shutil.rmtree(old, ignore_errors=True)
                self._mark(old.name).unlink(missing_ok=True)
        return name

    @contextmanager
    def _open(self) -> Iterator[Any]:
        with lock_mirror(self._folder / "lock", LOCK_SECONDS), report_unusable():
            name, generation = self._current()
            if not name or not (self._folder / name).is_dir() or self._mark(name).exists():
                name, generation = self._rebuild(), self._current()[1]
            self._insist_on_whole(name)
            with self._kept(name) as client:
                if generation != self._truth.generation():
                    self._switch(name, self._synchronise(client, since=generation))
                yield client

    def _insist_on_whole(self, name: str) -> None:
        try:
            insist_on_whole(self._folder / name)
        except Damaged as error:
            raise MirrorBusy(say_damaged(error)) from error

    @contextmanager
    def _kept(self, name: str) -> Iterator[Any]:
        """The open client of a folder, which is listed again once it is closed.

        A mark stands beside the folder meanwhile: one that is left says that its writer was killed, and a new folder
        is built.
        """
        self._mark(name).touch()
        with _chroma(self._folder / name) as client:
            yield client
        write_manifest(self._folder / name)
        self._mark(name).unlink(missing_ok=True)

    def _mark(self, name: str) -> Path:
        return self._folder / f"open-{name}"

    def fault(self) -> str:
        """What is wrong with the folder, in one line; empty when it is whole, or not made yet."""
        name, _ = self._current()
        try:
            if name and not self._mark(name).exists():
                self._insist_on_whole(name)
                insist_on_sound(self._folder / name)
        except MirrorBusy as error:
            return str(error)
        except Damaged as error:
            return say_damaged(error)
        return ""

    def _current(self) -> tuple[str, int]:
        try:
            found = untrusted.load_object(self._folder / "current.json")
            name, generation = str(found["folder"]), int(found["generation"])
        except (BadInput, ValueError, KeyError, TypeError):
            return "", -1
        return (name, generation) if Path(name).name == name and name.startswith("index-") else ("", -1)

    def _switch(self, name: str, generation: int) -> None:
        temporary = self._folder / f"current-{uuid.uuid4().hex[:8]}.tmp"
        temporary.write_text(json.dumps({"folder": name, "generation": generation}), encoding="utf-8")
        temporary.replace(self._folder / "current.json")

    def _synchronise(self, client: Any, since: int) -> int:
        """Bring both collections to SQLite's state; the generation reached (read first, so never too new)."""
        generation = self._truth.generation()
        for space in SPACES:
            wanted = self._truth.ids(space)
            collection = open_collection(client, space)
            present = set(collection.get(include=[])["ids"])
            _in_batches(sorted(present - set(wanted)), lambda ids, c=collection: c.delete(ids=ids))  # type: ignore[misc]
            stale = sorted(key for key, changed in wanted.items() if key not in present or changed > since)
            for start in range(0, len(stale), _BATCH):
                vectors = self._truth.vectors(space, stale[start : start + _BATCH])
                if vectors:
                    collection.upsert(ids=list(vectors), embeddings=[v.tolist() for v in vectors.values()])
        return generation


def _in_batches(ids: Sequence[str], act: Callable[[list[str]], object]) -> None:
    for start in range(0, len(ids), _BATCH):
        act(list(ids[start : start + _BATCH]))


def open_collection(client: Any, space: Space) -> Any:
    """The collection of a space, made where it is not there."""
    configuration = {"hnsw": {"space": "cosine"}}
    return client.get_or_create_collection(space, embedding_function=None, configuration=configuration)


@contextmanager
def _chroma(folder: Path) -> Iterator[Any]:
    """An open Chroma client on ``folder``, without telemetry; the folder is always one that we made."""
    with open_client(folder) as client:
        yield client


def open_client(folder: Path) -> Any:
    """An open client; a context manager that closes it."""
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(path=str(folder), settings=Settings(anonymized_telemetry=False))


@contextmanager
def report_unusable() -> Iterator[None]:
    """Report Chroma's own failures as ``MirrorBusy``: it is derived, so the exact answer stands in for it.

    A damaged database of its own can make its compiled part panic, which is no ``Exception``.
    """
    from chromadb.errors import ChromaError

    try:
        yield
    except (ChromaError, sqlite3.Error, OSError, ValueError, RuntimeError) as error:
        raise _unusable(error) from error
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise _unusable(error) from error


def say_damaged(error: Damaged) -> str:
    """What is wrong, and the remedy."""
    return f"the vector index is damaged ({error}); rebuild it with: {REBUILD}"


def _unusable(error: BaseException) -> MirrorBusy:
    return MirrorBusy(f"the vector index is unusable ({error}); rebuild it with: {REBUILD}")
