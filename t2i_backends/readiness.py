"""Whether a flow can run here, now: nodes, values, model files, family, memory. Loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import BadInput
from imagewright.flow_format import Graph, bind, order, parse_graph
from imagewright.schemas import Flow, Problem, Readiness, SlotName
from imagewright.t2i_backends.devices import bytes_per_number, free_memory
from imagewright.t2i_backends.graph_check import find_flaws, needed, output_node
from imagewright.t2i_backends.model_files import (
    ModelFiles,
    ModelPath,
    Part,
    architecture,
    component,
    foreign_parts,
    parameter_count,
    part_weights,
)
from imagewright.t2i_backends.nodes import NODES

FAMILY = "flux"
_PARTS: dict[str, tuple[Part, ...]] = {
    "checkpoints": ("transformer", "vae", "text"),
    "diffusion_models": ("transformer",),
    "text_encoders": ("text",),
    "vae": ("vae",),
    "loras": (),
}
_ENCODERS = frozenset({"CLIPTextModel", "CLIPTextModelWithProjection", "T5EncoderModel", "T5Model"})
_CLASSES: dict[str, frozenset[str]] = {
    "checkpoints": frozenset({"FluxPipeline"}),
    "diffusion_models": frozenset({"FluxPipeline", "FluxTransformer2DModel"}),
    "text_encoders": frozenset({"FluxPipeline"}) | _ENCODERS,
    "vae": frozenset({"FluxPipeline", "AutoencoderKL", "AutoencoderTiny"}),
}
_ELSEWHERE = "run it on a ComfyUI server"


@dataclass(frozen=True)
class Used:
    """A model that a flow names."""

    kind: str
    name: str
    found: ModelPath | None
    refused: str = ""
    """Why the name cannot be used at all."""


def check(flow: Flow, files: ModelFiles, device: str, loaded: int = 0) -> Readiness:
    """All that keeps ``flow`` from running here; nothing when it can.

    ``loaded`` is the memory of models in this process that would make room, in bytes.
    """
    try:
        return Readiness(problems=tuple(_problems(flow, files, device, loaded)))
    except BadInput as error:
        return Readiness(problems=(Problem(kind="node", name=flow.id, remedy=_line(str(error), error.remedy)),))


def _problems(flow: Flow, files: ModelFiles, device: str, loaded: int) -> Iterator[Problem]:
    parsed = flow.model_copy(update={"graph": parse_graph(flow.graph)})
    graph = bind(parsed, {"positive": "", "seed": 0})
    if flow.card.kind != "text-to-image":
        yield Problem(
            kind="kind",
            name=flow.card.kind,
            remedy=f"this flow makes {flow.card.kind}, not text-to-image; {_ELSEWHERE}",
        )
    used = _used_models(graph, files)
    foreign = tuple(_family_problems(flow, used))
    yield from foreign
    yield from (Problem(kind="node", name=f.name, remedy=_line(f.message, f.remedy)) for f in find_flaws(graph))
    yield from _slot_problems(graph, flow)
    if not foreign:
        yield from _missing(used, files)
        yield from _memory_problems(used, device, loaded)


def pipeline_folders(flow: Flow, files: ModelFiles) -> tuple[Path, ...]:
    """The folders of the models that ``flow`` names and that are here."""
    used = _used_models(parse_graph(flow.graph), files)
    return tuple(model.found.config for model in used if model.found is not None and model.found.config is not None)


def unfilled(flow: Flow, values: Mapping[SlotName, object]) -> tuple[str, ...]:
    """The slots that have a value and no place in ``flow``."""
    return tuple(name for name, value in values.items() if value is not None and name not in flow.card.slots)


def _line(message: str, remedy: str) -> str:
    return f"{message}: {remedy}" if remedy else message


def _slot_problems(graph: Graph, flow: Flow) -> Iterator[Problem]:
    if output_node(graph) is None:
        yield Problem(kind="slot", name="SaveImage", remedy="the flow has no SaveImage node: end it with one")
    if "positive" not in flow.card.slots:
        yield Problem(
            kind="slot",
            name="positive",
            remedy="the flow has no place for a prompt: link a CLIPTextEncode to the KSampler",
        )


def _used_models(graph: Graph, files: ModelFiles) -> tuple[Used, ...]:
    """Every model that the needed nodes of known classes name."""
    output = output_node(graph)
    nodes = needed(graph, output) if output else order(graph)
    found: dict[tuple[str, str], Used] = {}
    for node in nodes:
        known = NODES.get(graph[node]["class_type"])
        for name, wanted in known.inputs.items() if known else ():
            value = graph[node]["inputs"].get(name)
            if wanted.kind == "file" and isinstance(value, str) and value.strip():
                found[wanted.folder, value] = _look_up(files, wanted.folder, value)
    return tuple(found.values())


def _look_up(files: ModelFiles, kind: str, name: str) -> Used:
    try:
        return Used(kind, name, files.find(kind, name))
    except BadInput as error:
        return Used(kind, name, None, _line(str(error), error.remedy))


def _family_problems(flow: Flow, used: tuple[Used, ...]) -> Iterator[Problem]:
    """The family that the files are of; where they are missing, the one that the card states."""
    known = [(model, architecture(model.found)) for model in used if model.found is not None and model.kind in _CLASSES]
    for model, name in known:
        if name and name not in _CLASSES[model.kind]:
            yield Problem(
                kind="family",
                name=name,
                remedy=f"{model.name} is a {name}; this backend draws the FLUX family so far: {_ELSEWHERE}",
            )
    family = flow.card.family
    if family not in ("", FAMILY) and not any(name for _, name in known):
        yield Problem(
            kind="family", name=family, remedy=f"this backend draws the FLUX family so far, not {family}: {_ELSEWHERE}"
        )


def _missing(used: tuple[Used, ...], files: ModelFiles) -> Iterator[Problem]:
    for model in used:
        if model.refused:
            yield Problem(kind="model", name=model.name, remedy=model.refused)
        elif model.found is None:
            place = files.place(model.kind, model.name)
            yield Problem(kind="model", name=model.name, remedy=f"{model.name} is missing: put it at {place}")
        elif model.kind == "loras" and model.found.path.is_dir():
            yield Problem(
                kind="model", name=model.name, remedy=f"{model.name} is a folder: name the .safetensors file in it"
            )
        elif model.kind != "loras" and model.found.config is None:
            place = f"{model.found.path.with_suffix('')}/"
            remedy = f"{model.name} has no diffusers config beside it: put its config folder at {place}"
            yield Problem(kind="model", name=model.name, remedy=remedy)
        else:
            yield from _incomplete(model, model.found)


def _incomplete(model: Used, found: ModelPath) -> Iterator[Problem]:
    """Parts of a folder that hold no safetensors weights, or that bring code of their own."""
    for name in foreign_parts(found):
        remedy = f"{model.name} brings code of its own for {name}, which is never run: use another model"
        yield Problem(kind="model", name=f"{model.name}/{name}", remedy=remedy)
    if found.path.is_file():
        return
    for part in _PARTS[model.kind]:
        for folder in component(found, part):
            if not any(folder.glob("*.safetensors")):
                remedy = f"{model.name} holds no safetensors weights in {folder}: download them there"
                yield Problem(kind="model", name=f"{model.name}/{folder.name}", remedy=remedy)


def _memory_problems(used: tuple[Used, ...], device: str, loaded: int) -> Iterator[Problem]:
    weights = {
        file
        for model in used
        if model.found is not None
        for part in _PARTS[model.kind]
        for file in part_weights(model.found, part)
    }
    need = sum(parameter_count(file) for file in weights) * bytes_per_number(device)
    free = free_memory(device)
    if free is not None and need > free + loaded:
        room = (free + loaded) / 1e9
        remedy = (
            f"the models take {need / 1e9:.1f} GB and {room:.1f} GB are free: use a larger machine or a ComfyUI server"
        )
        yield Problem(kind="memory", name=f"{need / 1e9:.1f} GB", remedy=remedy)
