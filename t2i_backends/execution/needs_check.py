"""Which needs are met here, for many flows at once: asked of the disk once, and again when something there changed.

The answers are those of ``readiness.check_flow`` for what a need holds; what only a whole graph tells (a number out of
its range, a link to the wrong output) is left to ``check_flow``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagewright.needs import NamedValue, Need, NeededFile
from imagewright.schemas import Problem, Readiness
from imagewright.t2i_backends.execution.program import Program
from imagewright.t2i_backends.execution.readiness import (
    Looked,
    UsedFile,
    family_problems,
    kind_problems,
    look_into_files,
    look_up,
    memory_problems,
    missing_files,
    room,
    weigh,
)
from imagewright.t2i_backends.models.memory import Footprint, Room
from imagewright.t2i_backends.models.model_files import KIND_FOLDERS, ModelFiles, weight_files
from imagewright.t2i_backends.nodes.table import NODES, RESULTS
from imagewright.t2i_backends.values.node_inputs import refuse

_MOST_FOLDERS = 20_000
"""Below model folders that hold more folders than that, the others are not watched."""
_ROOM_SECONDS = 1.0
_STEP = 256_000_000
"""Free memory that moves by less than this many bytes asks no question anew."""
_ELSEWHERE = "run this flow in ComfyUI"
Stamp = tuple[object, ...]


@dataclass(frozen=True)
class _Answer:
    problems: tuple[Problem, ...]
    weights: Footprint | None
    """None where something else keeps the flow from running: then memory is not asked about."""


class NeedAnswers:
    """The answers of one process's backend."""

    def __init__(self, files: ModelFiles, device: str) -> None:
        self._files, self._device = files, device
        self._known: dict[Need, _Answer] = {}
        self._looked: dict[Hashable, Looked] = {}
        self._whole = False
        """Whether every folder below the model folders is watched."""
        self._folders: tuple[Path, ...] = ()
        self._watched: set[Path] = set()
        self._stamp: Stamp = ()
        self._measured: tuple[float, tuple[int, int], Room] | None = None
        self._room: tuple[int, ...] = ()
        self._asked: Sequence[Need] = ()
        self._given: tuple[Readiness, ...] = ()

    def missing(self, needs: Sequence[Need], loaded: int = 0, waiting: int = 0) -> tuple[Readiness, ...]:
        """For each need what is missing here; the very tuple of the last call as long as nothing changed.

        ``loaded`` and ``waiting`` are the bytes of this process's models that would make room.
        """
        stamp, free = self._look(), self._free(loaded, waiting)
        steps = tuple(-1 if part is None else part // _STEP for part in (free.device, free.ram))
        if needs is self._asked and stamp == self._stamp and steps == self._room:
            return self._given
        if stamp != self._stamp:
            self._forget()
        found = tuple(self._answer(need, free) for need in needs)
        same = needs is self._asked and stamp == self._stamp and found == self._given
        self._stamp, self._room, self._asked = self._look(), steps, needs
        if not same:
            self._given = found
        return self._given

    def look(self, program: Program) -> Looked:
        """``look_into_files``, asked once for flows that name the same files in the same places, until these change."""
        key, stamp = _by_files(program), self._look()
        if stamp != self._stamp:  # ``missing`` was not asked since; it forgets
            return look_into_files(program, self._files, self._device)
        known = self._looked.get(key)
        if known is None:
            known = look_into_files(program, self._files, self._device)
            watched = {file for named in program.files for file in _files_of(look_up(self._files, named))}
            if self._whole and watched <= self._watched and self._look() == stamp == self._stamp:
                self._looked[key] = known
        return known

    def _forget(self) -> None:
        """Something changed."""
        self._known.clear()
        self._looked.clear()
        self._watched.clear()
        self._folders = tuple(self._walk())

    def _free(self, loaded: int, waiting: int) -> Room:
        """The free memory, at most ``_ROOM_SECONDS`` old: it is not what is asked for at every prompt."""
        now = time.monotonic()
        if self._measured is None or now - self._measured[0] > _ROOM_SECONDS or self._measured[1] != (loaded, waiting):
            self._measured = (now, (loaded, waiting), room(self._device, loaded, waiting))
        return self._measured[2]

    def _answer(self, need: Need, free: Room) -> Readiness:
        known = self._known.get(need)
        if known is None:
            known = self._known[need] = self._ask(need)
        if known.weights is None:
            return Readiness(problems=known.problems)
        return Readiness(problems=(*known.problems, *memory_problems(known.weights, free)))

    def _ask(self, need: Need) -> _Answer:
        if need.broken:
            return _Answer((Problem(kind="node", name="graph", remedy=need.broken),), None)
        used = self._used(need)
        self._watched |= {file for model in used if model.found is not None for file in _files_of(model)}
        foreign = tuple(family_problems(need.family, used))
        if foreign:
            return _Answer((*kind_problems(need.kind), *foreign), None)
        problems = (*kind_problems(need.kind), *_flaws(need), *_slot_problems(need), *missing_files(used, self._files))
        return _Answer(problems, weigh(used, self._device, need.pixels))

    def _used(self, need: Need) -> tuple[UsedFile, ...]:
        found: dict[tuple[str, str], UsedFile] = {}
        for value in need.values:
            folder = _folder_of(value)
            if folder and value.drawn and value.value.strip():
                found[folder, value.value] = look_up(
                    self._files, NeededFile(folder=folder, name=value.value, eight_bit=value.eight_bit)
                )
        return tuple(found.values())

    # --- noticing changes -------------------------------------------------------------------

    def _look(self) -> Stamp:
        """What changes when a file is laid down, removed, renamed, or grows: times of folders, sizes of known files."""
        bases = tuple(base for kind in KIND_FOLDERS for base in self._files.bases(kind))
        folders = tuple(_folder_stamp(folder) for folder in (*bases, *self._folders))
        return (bases, folders, tuple(_file_stamp(file) for file in sorted(self._watched, key=str)))

    def _walk(self) -> Iterator[Path]:
        count, self._whole = 0, False
        for base in dict.fromkeys(base for kind in KIND_FOLDERS for base in self._files.bases(kind)):
            for folder, inside, _ in os.walk(base, followlinks=True):
                yield from (Path(folder, name) for name in inside)
                count += len(inside)
                if count > _MOST_FOLDERS:
                    return
        self._whole = True


def _files_of(model: UsedFile) -> Iterator[Path]:
    if model.found is not None:
        yield from weight_files(model.found.path)
        if model.found.config is not None:
            yield from sorted(model.found.config.rglob("*.json"))


def _by_files(program: Program) -> Hashable:
    """What flows must have in common for their files to say the same of both: names, links, and what is switched off.

    Numbers other than a LoRA's strength of zero play no part, nor do the texts of prompts.
    """
    nodes = tuple(
        (node, program.graph[node]["class_type"], *(
            (name, repr(value) if isinstance(value, (str, list)) else bool(value))
            for name, value in sorted(program.graph[node]["inputs"].items())
            if (isinstance(value, (str, list)) and name != "text") or name.startswith("strength")
        ))
        for node in sorted(program.graph)
    )  # fmt: skip
    return program.family, program.files, nodes


def _folder_stamp(folder: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _file_stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _folder_of(value: NamedValue) -> str:
    known = NODES.get(value.node_class)
    wanted = known.inputs.get(value.input) if known else None
    return wanted.folder if wanted is not None and wanted.kind == "file" else ""


def _flaws(need: Need) -> Iterator[Problem]:
    for name in need.classes:
        if name not in NODES:
            remedy = f"the diffusers backend has no node {name[:80]!r}: {_ELSEWHERE}"
            yield Problem(kind="node", name=name, remedy=remedy)
    for value in need.values:
        known = NODES.get(value.node_class)
        wanted = known.inputs.get(value.input) if known else None
        if wanted is not None and wanted.kind in ("choice", "file") and refuse(value.value, wanted) is not None:
            remedy = f"this backend has no {value.input} {value.value!r} for {value.node_class}: {_ELSEWHERE}"
            yield Problem(kind="node", name=value.value, remedy=remedy)


def _slot_problems(need: Need) -> Iterator[Problem]:
    if not set(RESULTS) & set(need.classes):
        yield Problem(kind="slot", name="SaveImage", remedy="the flow has no SaveImage node: end it with one")
    if "positive" not in need.slots:
        remedy = "the flow has no place for a prompt: link a CLIPTextEncode to the KSampler"
        yield Problem(kind="slot", name="positive", remedy=remedy)
