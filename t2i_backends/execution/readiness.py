"""Whether a flow can run here, now: nodes, values, model files, family, memory. Loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from imagewright.errors import BadInput
from imagewright.flow_pictures import PICTURE_KINDS, STAND_IN, put_stand_ins
from imagewright.needs import NeededFile
from imagewright.schemas import Flow, Problem, Readiness, SlotName
from imagewright.t2i_backends.execution.control_check import find_control_problems
from imagewright.t2i_backends.execution.lora_check import find_lora_problems
from imagewright.t2i_backends.execution.parts_check import find_part_problems
from imagewright.t2i_backends.execution.program import Program, compile_flow
from imagewright.t2i_backends.families.table import known_families, list_titles
from imagewright.t2i_backends.models.devices import bytes_per_number, device_is_cuda, free_memory, runs_on_cpu
from imagewright.t2i_backends.models.header_file import find_fault
from imagewright.t2i_backends.models.memory import Footprint, Level, Room, choose, refusal
from imagewright.t2i_backends.models.model_faults import FOLDER_PARTS, find_faults
from imagewright.t2i_backends.models.model_files import (
    ModelFiles,
    ModelPart,
    ModelPath,
    architecture,
    control_family,
    family_of,
    is_special,
    look_at,
    parameter_count,
    part_weights,
    weight_files,
)

_FILES_ONLY = ("loras", "upscale_models", "input")
"""Kinds that are one file each, without a config."""
_ELSEWHERE = "run it in ComfyUI"


@dataclass(frozen=True)
class UsedFile:
    """A model that a flow names."""

    kind: str
    name: str
    found: ModelPath | None
    refused: str = ""
    """Why the name cannot be used at all."""
    eight_bit: bool = False
    """Whether the flow wants its weights kept in 8 bits."""


@dataclass(frozen=True)
class Looked:
    """What the model files that a flow names say of it."""

    foreign: tuple[Problem, ...]
    """That they are of no family that is drawn here, or of two; then nothing else is asked."""
    problems: tuple[Problem, ...] = ()
    weights: Footprint | None = None


def check_flow(
    flow: Flow,
    files: ModelFiles,
    device: str,
    loaded: int = 0,
    waiting: int = 0,
    look: Callable[[Program], Looked] | None = None,
) -> Readiness:
    """All that keeps ``flow`` from running here; nothing when it can.

    ``loaded`` and ``waiting`` are the bytes of this process's models, on the device and in RAM, that would make room.
    ``look`` says what the files say, where somebody remembers it (``look_into_files``).
    """
    look = look or (lambda program: look_into_files(program, files, device))
    try:
        program = compile_flow(put_stand_ins(flow)).asked
        of_kind = tuple(kind_problems(flow.card.kind))
        return Readiness(problems=(*of_kind, *_problems(program, look, device, loaded, waiting)))
    except BadInput as error:
        return Readiness(problems=(Problem(kind="node", name=flow.id, remedy=_line(str(error), error.remedy)),))


def _problems(
    program: Program, look: Callable[[Program], Looked], device: str, loaded: int, waiting: int
) -> Iterator[Problem]:
    looked = look(program)
    yield from looked.foreign
    if looked.weights is None:
        return
    yield from (Problem(kind="node", name=f.name, remedy=_line(f.message, f.remedy)) for f in program.flaws)
    yield from _slot_problems(program)
    yield from looked.problems
    yield from memory_problems(replace(looked.weights, pixels=program.pixels), room(device, loaded, waiting))


def look_into_files(program: Program, files: ModelFiles, device: str) -> Looked:
    """What the files of ``program`` say now: it takes milliseconds, for headers are read and layers compared."""
    used = _used_models(program, files)
    foreign = tuple(family_problems(program.family, used))
    if foreign:
        return Looked(foreign)
    looks = (find_lora_problems, find_control_problems, find_part_problems)
    misfits = (problem for look in looks for problem in look(program, files))
    return Looked((), (*missing_files(used, files), *misfits), weigh(used, device))


def kind_problems(kind: str) -> Iterator[Problem]:
    """What keeps a flow that makes ``kind`` from running here."""
    if kind in PICTURE_KINDS:
        mask = " --mask FILE" if kind == "inpaint" else ""
        yield Problem(kind="slot", name="input_image", remedy=f"needs a picture: --image FILE{mask}")
    elif kind != "text-to-image":
        yield Problem(kind="kind", name=kind, remedy=f"this flow makes {kind}, not text-to-image; {_ELSEWHERE}")


def placement(program: Program, files: ModelFiles, device: str, loaded: int, waiting: int) -> Level:
    """How the models of ``program`` are placed here; the leanest level where nothing fits (``check_flow`` says so)."""
    footprint = weigh(_used_models(program, files), device, program.pixels)
    return choose(footprint, room(device, loaded, waiting)) or "group"


def pipeline_folders(program: Program, files: ModelFiles) -> tuple[Path, ...]:
    """The folders of the models that ``program`` names and that are here."""
    used = _used_models(program, files)
    return tuple(model.found.config for model in used if model.found is not None and model.found.config is not None)


def slots_without_place(program: Program, values: Mapping[SlotName, object]) -> tuple[str, ...]:
    """The slots that have a value and no place in ``program``."""
    return tuple(name for name, value in values.items() if value is not None and name not in program.slots)


def _line(message: str, remedy: str) -> str:
    return f"{message}: {remedy}" if remedy else message


def _slot_problems(program: Program) -> Iterator[Problem]:
    if program.output is None:
        yield Problem(kind="slot", name="SaveImage", remedy="the flow has no SaveImage node: end it with one")
    if "positive" not in program.slots:
        yield Problem(
            kind="slot",
            name="positive",
            remedy="the flow has no place for a prompt: link a CLIPTextEncode to the KSampler",
        )


def _used_models(program: Program, files: ModelFiles) -> tuple[UsedFile, ...]:
    """Every model that ``program`` names, as it lies here now."""
    return tuple(look_up(files, named) for named in program.files)


def look_up(files: ModelFiles, named: NeededFile) -> UsedFile:
    """The model that a flow names, whether it is here or not."""
    try:
        return UsedFile(named.folder, named.name, files.find(named.folder, named.name), eight_bit=named.eight_bit)
    except BadInput as error:
        return UsedFile(named.folder, named.name, None, _line(str(error), error.remedy), named.eight_bit)


def family_problems(stated: str, used: tuple[UsedFile, ...]) -> Iterator[Problem]:
    """Models of a family that is not drawn here, or of two families; where files are missing, what the card states."""
    known = [(model, *_family(model.found)) for model in used if model.found is not None and model.kind in _DRAWN]
    for model, family, name in known:
        if name and family not in known_families():
            yield Problem(
                kind="family",
                name=name,
                remedy=f"{model.name} is a {name}; this backend draws {list_titles()}: {_ELSEWHERE}",
            )
    if stated not in ("", *known_families()) and not any(name for _, _, name in known):
        remedy = f"this backend draws {list_titles()}, not {stated}: {_ELSEWHERE}"
        yield Problem(kind="family", name=stated, remedy=remedy)


_DRAWN = ("checkpoints", "diffusion_models", "controlnet")


def _family(found: ModelPath) -> tuple[str, str]:
    """The family of a model, and the name to show for it; both empty when nothing tells."""
    family = family_of(found) or control_family(found)
    name = architecture(found) if found.config is not None and found.path.is_dir() else family
    return family, name or family


def missing_files(used: tuple[UsedFile, ...], files: ModelFiles) -> Iterator[Problem]:
    """The models that are not here, or not whole."""
    for model in used:
        remedy = model.refused if model.refused else _fault(model, files)
        if remedy:
            yield Problem(kind="model", name=model.name, remedy=remedy)
        elif model.found is not None and model.kind != "input":
            for part, fault in find_faults(model.kind, model.found):
                name = f"{model.name}/{part}" if part else model.name
                yield Problem(kind="model", name=name, remedy=f"{model.name} {fault}")


def _fault(model: UsedFile, files: ModelFiles) -> str:
    """What is wrong with the file that a flow names, in one line; empty when it is good."""
    found = model.found
    if model.kind == "input" and model.name == STAND_IN:
        return ""
    if found is None:
        return f"{model.name} is missing: put it at {files.place(model.kind, model.name)}"
    if model.kind in _FILES_ONLY and found.path.is_dir():
        return f"{model.name} is a folder: name the file in it"
    if model.kind == "input":
        return ""
    if found.path.is_file() and (fault := find_fault(found.path)):
        return f"{model.name} {fault}"
    if model.kind in ("checkpoints", "diffusion_models") and (said := is_special(found)):
        return _line(*said)
    if model.kind not in _FILES_ONLY and found.config is None:
        what = "holds no model known here" if look_at(found).kind == "unknown" else "has no diffusers config beside it"
        return f"{model.name} {what}: put its config folder at {found.path.with_suffix('')}/, or use another"
    if model.kind == "checkpoints" and look_at(found).kind == "net":
        return f"{model.name} holds no text encoders: load it with UNETLoader, and text encoders and VAE beside it"
    return ""


def weigh(used: tuple[UsedFile, ...], device: str, pixels: int = 0) -> Footprint:
    """The weights that a flow loads, in the number format of the device; a file that is whole counts once."""
    width = bytes_per_number(device)
    sums = {"net": 0, "text": 0, "vae": 0}
    seen: set[Path] = set()
    for model in used:
        for part in FOLDER_PARTS.get(model.kind, ("net",) if model.kind == "controlnet" else ()):
            for file in _weights(model, part):
                if file not in seen:
                    seen.add(file)
                    sums[part] += parameter_count(file) * (1 if model.eight_bit else width)
    return Footprint(**sums, pixels=pixels)


def _weights(model: UsedFile, part: ModelPart) -> tuple[Path, ...]:
    if model.found is None:
        return ()
    return weight_files(model.found.path) if model.kind == "controlnet" else part_weights(model.found, part)


def room(device: str, loaded: int, waiting: int = 0) -> Room:
    """The free memory, with what models of this process would make free."""
    free = free_memory(device)
    if runs_on_cpu(device):
        return Room(None if free is None else free + loaded)
    if not device_is_cuda(device):
        return Room(None if free is None else free + loaded)
    ram = free_memory("cpu")
    return Room(None if free is None else free + loaded, None if ram is None else ram + waiting, shared=False)


def memory_problems(footprint: Footprint, here: Room) -> Iterator[Problem]:
    """That the models do not fit, where they do not."""
    if choose(footprint, here) is None:
        yield Problem(kind="memory", name=f"{footprint.total / 1e9:.1f} GB", remedy=refusal(footprint, here))
