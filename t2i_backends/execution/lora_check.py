"""Whether the LoRAs of a flow fit the models that they are put on, by headers alone."""

from __future__ import annotations

from collections.abc import Iterator

from imagewright.errors import BadInput
from imagewright.flow_format import Graph
from imagewright.schemas import Problem
from imagewright.t2i_backends.execution.program import Program
from imagewright.t2i_backends.families import table
from imagewright.t2i_backends.families.base import Shapes
from imagewright.t2i_backends.models.folders import find_weights
from imagewright.t2i_backends.models.header_file import read_header
from imagewright.t2i_backends.models.lora_names import (
    TEXT_ALONE,
    find_misfit,
    find_text_misfit,
    find_unread,
    read_lora_names,
)
from imagewright.t2i_backends.models.model_files import ModelFiles, ModelPath, component, family_of, look_at
from imagewright.t2i_backends.models.wholeness import list_layers, list_text_layers

_LOADERS = {"ckpt_name": "checkpoints", "unet_name": "diffusion_models"}
_LORA_NODES = ("LoraLoader", "LoraLoaderModelOnly")
_REMEDY = "use a LoRA of this base model"


def find_lora_problems(program: Program, files: ModelFiles) -> Iterator[Problem]:
    """The LoRAs that are whole by themselves and do not go with their node or their model."""
    for node in program.nodes:
        inputs = program.graph[node]["inputs"]
        kind, name = program.graph[node]["class_type"], inputs.get("lora_name")
        if kind not in _LORA_NODES or not isinstance(name, str):
            continue
        if kind == "LoraLoader" and (said := _find_text_problem(program.graph, node, files, name)):
            yield Problem(kind="model", name=name, remedy=f"{name} {said}")
            continue
        if not inputs.get("strength_model"):
            continue
        lora, base = find_named(files, "loras", name), follow_model(program.graph, node, files)
        if lora is None or base is None or not lora.path.is_file() or look_at(lora).refused:
            continue
        if said := describe_misfit(lora, base, kind == "LoraLoaderModelOnly"):
            yield Problem(kind="model", name=name, remedy=f"{name} {said}")


def _find_text_problem(graph: Graph, node: str, files: ModelFiles, name: str) -> str:
    """What in the LoRA of a LoraLoader fits no layer of the text encoders that it is put on."""
    lora = find_named(files, "loras", name)
    if (
        lora is None
        or not lora.path.is_file()
        or look_at(lora).refused
        or not graph[node]["inputs"].get("strength_clip")
    ):
        return ""
    sources, kind = follow_clip(graph, node, files)
    family = table.find_by_clip_type(kind) if kind else table.find_family(family_of(sources[0])) if sources else None
    if family is None or not sources:
        return ""
    shapes = {role: shape for source in sources for role, shape in list_text_layers(source, family).items()}
    return find_text_misfit(read_lora_names(lora.path), family, shapes)


def follow_clip(graph: Graph, node: str, files: ModelFiles) -> tuple[list[ModelPath], str]:
    """The files of the text encoders that a node's ``clip`` input comes from, and the type that their loader states."""
    for _ in range(len(graph)):
        link = graph[node]["inputs"].get("clip")
        if not isinstance(link, list) or link[0] not in graph:
            break
        node = link[0]
    inputs = graph[node]["inputs"]
    named = [("checkpoints", inputs.get("ckpt_name"))]
    named += [("text_encoders", value) for key, value in inputs.items() if key.startswith("clip_name")]
    found = [find_named(files, kind, value) for kind, value in named if isinstance(value, str)]
    kind = inputs.get("type") or ("sd3" if "clip_name3" in inputs else "")
    return [each for each in found if each is not None], kind if isinstance(kind, str) else ""


def describe_misfit(lora: ModelPath, base: ModelPath, model_only: bool) -> str:
    """Why a LoRA cannot be put on ``base``; empty when it can. The rest of a line that begins with its name."""
    names = read_lora_names(lora.path)
    if not names.net:
        return ": ".join(TEXT_ALONE) if model_only and names.text else ""
    mine, its = table.find_family(look_at(lora).family), table.find_family(family_of(base))
    if mine is not None and its is not None and mine.net_class != its.net_class:
        return f"is a LoRA of {mine.title}, and {base.path.name} is {its.title}: {_REMEDY}"
    if its is not None and (said := find_unread(names, its)):
        return said
    known, first = list_layers(base)
    return find_misfit(names, known or _shapes(base), first or None)


def _shapes(base: ModelPath) -> Shapes:
    """The tensors of a model's net in its folder; empty for a lone file, whose names may be others."""
    folders = () if base.path.is_file() else component(base, "net")
    headers = [read_header(file) for folder in folders for file in find_weights(folder).files]
    return {name: shape for header in headers if header is not None for name, shape in header.shapes.items()}


def follow_model(graph: Graph, node: str, files: ModelFiles) -> ModelPath | None:
    """The file of the model that a node's ``model`` input comes from."""
    for _ in range(len(graph)):
        inputs = graph[node]["inputs"]
        for key, kind in _LOADERS.items():
            if isinstance(inputs.get(key), str):
                return find_named(files, kind, inputs[key])
        link = inputs.get("model")
        if not isinstance(link, list) or link[0] not in graph:
            return None
        node = link[0]
    return None


def find_named(files: ModelFiles, kind: str, name: str) -> ModelPath | None:
    """The model of that name; None where it is not there, or may not be used."""
    try:
        return files.find(kind, name)
    except BadInput:
        return None
