"""Files, folders and pictures into the index: each on its own, so that one that is no flow stops no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagewright.errors import BadInput
from imagewright.retrieval import flow_facts, store
from imagewright.retrieval.card_edit import change_card
from imagewright.retrieval.intake import Brought, read_flow_file, read_sent_flow
from imagewright.schemas import Flow

if TYPE_CHECKING:
    from imagewright.retrieval.comfy.catalogue import Catalogue
    from imagewright.retrieval.index import FlowIndex

BATCH = 128
"""How many flows are embedded and stored at once."""
SUFFIXES = (".json", ".png", ".webp")
"""The files of a folder that are looked into."""


@dataclass(frozen=True)
class Added:
    """A flow as it was stored, the file that it came from, and what its conversion had to say."""

    path: Path
    flow: Flow
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlreadyThere:
    """A flow that was in the index already, with the same graph and card: nothing was added."""

    path: Path
    flow: Flow


@dataclass(frozen=True)
class Refused:
    """A file that is no flow, and why; ``reasons`` has a line for each node in the way."""

    path: Path
    error: BadInput

    @property
    def reasons(self) -> tuple[str, ...]:
        """One line for each node in the way; the error itself where no node is."""
        return tuple(getattr(self.error, "reasons", [str(self.error)]))


@dataclass(frozen=True)
class PreviewedFlow:
    """What a workflow would become, and what the index has of it; nothing is stored."""

    flow: Flow
    """With the id that it would be stored under."""
    known: str
    """The flow that it is already, with the same graph and card; empty for none."""
    twin: str
    """A flow that draws the same pictures; empty for none."""
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def files_below(paths: Sequence[Path]) -> list[Path]:
    """The files that ``paths`` name: a folder stands for the JSON, PNG and WebP files below it, sorted; each file once.

    Raises:
        BadInput: a folder holds none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        inside = [path] if not path.is_dir() else sorted(f for f in path.rglob("*") if _looks_like_one(f))
        if not inside:
            raise BadInput(
                f"no .json or .png file, nor a .webp, is in {path}", "name a folder with workflows of ComfyUI"
            )
        found |= dict.fromkeys(inside)
    return list(found)


def _looks_like_one(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()


def add_files(
    index: FlowIndex, files: Sequence[Path], catalogue: Catalogue, replace: bool = False
) -> Iterator[Added | AlreadyThere | Refused]:
    """Read and store ``files``, ``BATCH`` at a time, and tell of each; what is told is stored.

    A batch is stored whole or not at all, and what is stored already is told and not stored again: the same call goes
    on where one that was killed stopped.

    Raises:
        BadInput: the database cannot be written.
    """
    for start in range(0, len(files), BATCH):
        group = files[start : start + BATCH]
        read = [_read(path, catalogue) for path in group]
        flows = [item.flow for item in read if isinstance(item, Brought)]
        stored = iter(_store(index, flows, replace))
        for path, item in zip(group, read, strict=True):
            yield _tell(path, item, *next(stored)) if isinstance(item, Brought) else Refused(path, item)


def _store(index: FlowIndex, flows: Sequence[Flow], replace: bool) -> list[tuple[Flow, bool]]:
    """Each flow as it is stored, and whether that is new."""
    if replace and flows:
        return [(flow, True) for flow in index.add_many(flows, replace=True)]
    return index.add_new(flows)


def _tell(path: Path, brought: Brought, flow: Flow, new: bool) -> Added | AlreadyThere:
    return Added(path, flow, tuple(brought.skipped), tuple(brought.notes)) if new else AlreadyThere(path, flow)


def preview_sent(index: FlowIndex, data: bytes, name: str, catalogue: Catalogue) -> PreviewedFlow:
    """What the bytes of a file called ``name`` would become.

    Raises:
        BadInput: they are no flow; ``Unconvertible`` where nodes are in the way.
    """
    brought = read_sent_flow(data, name, catalogue)
    flow = brought.flow
    with index.reading() as db:
        flow_facts.bring_up(db)
        known, twin = store.find_same(db, flow) or "", store.same_shape(db, flow.model_copy(update={"id": ""})) or ""
        free = flow.model_copy(update={"id": known or store.free_id(db, flow.id)})
    return PreviewedFlow(free, known, twin, tuple(brought.skipped), tuple(brought.notes))


def add_sent(
    index: FlowIndex, data: bytes, name: str, catalogue: Catalogue, card: Mapping[str, Any], replace: bool
) -> Added | AlreadyThere:
    """Store what the bytes of a file called ``name`` become, with the fields of ``card`` in place of those read off.

    Raises:
        BadInput: they are no flow, a field cannot be set or used, or the database cannot be written.
    """
    brought = read_sent_flow(data, name, catalogue)
    flow = brought.flow.model_copy(update={"card": change_card(brought.flow, card)}) if card else brought.flow
    [(stored, new)] = _store(index, [flow], replace)
    return _tell(Path(name), Brought(flow, brought.skipped, brought.notes), stored, new)


def _read(path: Path, catalogue: Catalogue) -> Brought | BadInput:
    try:
        return read_flow_file(path, catalogue)
    except BadInput as error:
        return error
