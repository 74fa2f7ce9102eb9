"""From files that people bring to flows with cards: everything a card says is read off the graph or the file's words.

Only the named files are opened; no path inside a file ever is. Titles, descriptions and prompts are data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from imagewright.errors import BadInput
from imagewright.flow_format import Graph, find_slots, parse_graph, read_json
from imagewright.schemas import Card, Flow, Kind, ModelFile

LOADERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "CheckpointLoaderSimple": (("ckpt_name", "checkpoints"),),
    "CheckpointLoader": (("ckpt_name", "checkpoints"),),
    "UNETLoader": (("unet_name", "diffusion_models"),),
    "UnetLoaderGGUF": (("unet_name", "diffusion_models"),),
    "CLIPLoader": (("clip_name", "text_encoders"),),
    "DualCLIPLoader": (("clip_name1", "text_encoders"), ("clip_name2", "text_encoders")),
    "TripleCLIPLoader": tuple((f"clip_name{number}", "text_encoders") for number in (1, 2, 3)),
    "VAELoader": (("vae_name", "vae"),),
    "LoraLoader": (("lora_name", "loras"),),
    "LoraLoaderModelOnly": (("lora_name", "loras"),),
    "ControlNetLoader": (("control_net_name", "controlnet"),),
    "UpscaleModelLoader": (("model_name", "upscale_models"),),
    "CLIPVisionLoader": (("clip_name", "clip_vision"),),
    "StyleModelLoader": (("style_model_name", "style_models"),),
    "GLIGENLoader": (("gligen_name", "gligen"),),
}
"""Loader nodes: the inputs that name a file, and ComfyUI's folder for it."""


class _Known(NamedTuple):
    pattern: str
    base_model: str
    family: str


_MODELS = (
    _Known(r"^mini$", "mini", "flux"),
    _Known(r"flux.?2", "FLUX.2", "flux2"),
    _Known(r"flux.*schnell", "FLUX.1-schnell", "flux"),
    _Known(r"flux.*kontext", "FLUX.1-Kontext", "flux"),
    _Known(r"flux.*krea", "FLUX.1-Krea", "flux"),
    _Known(r"flux", "FLUX.1-dev", "flux"),
    _Known(r"pony|illustrious|noobai|animagine", "", "sdxl"),
    _Known(r"sd_?xl|sd-xl", "SDXL 1.0", "sdxl"),
    _Known(r"sd_?3\.?5", "SD 3.5", "sd3"),
    _Known(r"sd_?3", "SD 3", "sd3"),
    _Known(r"qwen.?image", "Qwen-Image", "qwen-image"),
    _Known(r"z.?image", "Z-Image", "z-image"),
    _Known(r"hidream", "HiDream-I1", "hidream"),
    _Known(r"chroma", "Chroma", "chroma"),
    _Known(r"v2-1|sd_?2", "SD 2.1", "sd2"),
    _Known(r"v1-5|sd_?1\.?5|v1-4", "SD 1.5", "sd15"),
)
"""Model names by what their files are called; the first that matches counts."""

_OTHER_KINDS: tuple[tuple[Kind, str], ...] = (
    ("video", r"video|ltxv|svd_|^wan[A-Z]"),
    ("audio", r"audio"),
    ("3d", r"hunyuan3d|mesh|voxel|3d"),
)
_INPAINT = frozenset({"VAEEncodeForInpaint", "InpaintModelConditioning", "SetLatentNoiseMask"})
_OWN_WORDS = ("title", "description", "tags", "base_model", "family", "licence", "benchmarks", "cost", "source", "kind")
_MODEL_FOLDERS = ("checkpoints", "diffusion_models")


def read_flow_files(paths: Sequence[Path | str], taken: Sequence[str] = ()) -> list[Flow | tuple[Path, BadInput]]:
    """Each file as a flow, or with what is wrong with it; ids are unique among themselves and against ``taken``.

    Whether a flow draws the same as one that is already stored is said when it is stored (``FlowIndex.add``).
    """
    used = set(taken)
    found: list[Flow | tuple[Path, BadInput]] = []
    for path in map(Path, paths):
        try:
            flow = read_flow_file(path)
        except BadInput as error:
            found.append((path, error))
            continue
        flow = flow.model_copy(update={"id": _free(flow.id, used)})
        used.add(flow.id)
        found.append(flow)
    return found


def read_flow_file(path: Path) -> Flow:
    """A flow from one file: ``{"id", "card", "graph"}``, or a bare graph in ComfyUI's API format.

    Raises:
        BadInput: the file is not readable JSON, its graph is broken, or its card holds what a card does not.
    """
    data = read_json(path)
    name = path.stem
    if isinstance(data, dict) and "graph" in data and "class_type" not in data:
        return build_flow(parse_graph(data["graph"]), name, _own_card(data.get("card")), data.get("id"), path.name)
    return build_flow(parse_graph(data), name, {}, None, path.name)


def build_flow(graph: Graph, name: str, own: Mapping[str, Any], flow_id: object = None, source: str = "") -> Flow:
    """A flow from its graph, the name that it goes by, and the words of its author's card.

    Raises:
        BadInput: the author's card holds values of the wrong type.
    """
    facts = read_off(graph, name, source)
    models = _with_urls(facts["models"], own.get("models"))
    try:
        card = Card.model_validate({**facts, **own, "models": models})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"the card is wrong at {where}: {first['msg']}", "correct the card, or leave it out") from None
    return Flow(id=slug(flow_id if isinstance(flow_id, str) else name), graph=graph, card=card)


def _own_card(value: object) -> dict[str, Any]:
    """What an author's card may say for itself; what the graph says better is read off the graph."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInput("the card is not a JSON object", 'a card is {"title": "...", "description": "...", ...}')
    unknown = sorted(set(value) - set(Card.model_fields))
    if unknown:
        raise BadInput(f"a card has no field {unknown[0][:60]!r}", f"its fields: {', '.join(Card.model_fields)}")
    own = {key: value[key] for key in (*_OWN_WORDS, "models") if key in value}
    return {key: plain(item, 2000) if isinstance(item, str) else item for key, item in own.items()}


def read_off(graph: Graph, name: str, source: str = "") -> dict[str, Any]:
    """The fields of a card that the graph itself tells, and a title made of the file's name."""
    models = tuple(_model_files(graph))
    base, family = _guess_model(graph, models)
    return {
        "title": plain(_title(graph, name), 200),
        "kind": _kind(graph),
        "base_model": base,
        "family": family,
        "models": models,
        "loras": tuple(model.name for model in models if model.folder == "loras"),
        "samplers": tuple(_samplers(graph)),
        "node_classes": tuple(sorted({node["class_type"] for node in graph.values()})),
        "slots": find_slots(graph),
        "source": plain(source, 200),
    }


def _model_files(graph: Graph) -> Iterator[ModelFile]:
    seen = set()
    for node in graph.values():
        for name, folder in LOADERS.get(node["class_type"], ()):
            value = node["inputs"].get(name)
            if isinstance(value, str) and value and (value, folder) not in seen:
                seen.add((value, folder))
                yield ModelFile(name=value, folder=folder)


def _with_urls(models: Sequence[ModelFile], own: object) -> tuple[ModelFile, ...]:
    """The files that the graph names, with the addresses that the author's card gives for them (https only)."""
    urls = {}
    for item in own if isinstance(own, list) else ():
        if isinstance(item, dict) and isinstance(item.get("url"), str) and item["url"].startswith("https://"):
            urls[item.get("name"), item.get("folder")] = plain(item["url"], 500)
    return tuple(model.model_copy(update={"url": urls.get((model.name, model.folder))}) for model in models)


def _guess_model(graph: Graph, models: Sequence[ModelFile]) -> tuple[str, str]:
    """The model and family by the file's name, else by the type that a text encoder loader states."""
    for model in models:
        if model.folder in _MODEL_FOLDERS:
            stem = re.split(r"[\\/]", model.name)[-1].rsplit(".safetensors", 1)[0]
            for known in _MODELS:
                if re.search(known.pattern, stem, re.IGNORECASE):
                    return known.base_model or plain(stem, 100), known.family
            return plain(stem, 100), _family_of_nodes(graph)
    return "", _family_of_nodes(graph)


def _family_of_nodes(graph: Graph) -> str:
    families = {"flux": "flux", "sdxl": "sdxl", "sd3": "sd3", "stable_diffusion": "sd15", "qwen_image": "qwen-image"}
    for node in graph.values():
        stated = node["inputs"].get("type")
        if "CLIPLoader" in node["class_type"] and isinstance(stated, str) and stated in families:
            return families[stated]
    return (
        "flux" if any(node["class_type"] in ("FluxGuidance", "CLIPTextEncodeFlux") for node in graph.values()) else ""
    )


def _samplers(graph: Graph) -> Iterator[str]:
    """``sampler/scheduler`` of each sampler node, in the graph's order, once each."""
    found: dict[str, None] = {}
    for node in graph.values():
        sampler, scheduler = node["inputs"].get("sampler_name"), node["inputs"].get("scheduler")
        if isinstance(sampler, str):
            found[f"{sampler}/{scheduler}" if isinstance(scheduler, str) else sampler] = None
    yield from found


def _kind(graph: Graph) -> Kind:
    """What a flow makes, of what, by its node classes and slots."""
    classes = {node["class_type"] for node in graph.values()}
    for kind, pattern in _OTHER_KINDS:
        if any(re.search(pattern, name, re.IGNORECASE) for name in classes):
            return kind
    reads_image = any(name.startswith("LoadImage") for name in classes)
    if reads_image and classes & _INPAINT:
        return "inpaint"
    slots = find_slots(graph)
    if reads_image and "UpscaleModelLoader" in classes and "positive" not in slots:
        return "upscale"
    if reads_image:
        return "image-to-image"
    return "text-to-image" if "positive" in slots else "other"


def _title(graph: Graph, name: str) -> str:
    """The file's name in words; where it says nothing, the title that the author gave the node that saves."""
    words = re.sub(r"[\W_]+", " ", name).strip()
    if re.fullmatch(r"(?i)(workflow|flow|untitled|graph|prompt|api|comfyui| |\d)*", words):
        for node in graph.values():
            title = node.get("_meta", {}).get("title", "")
            if node["class_type"] == "SaveImage" and title.strip() and title != "Save Image":
                return str(title)
    return words[:1].upper() + words[1:] or "Untitled flow"


def plain(text: str, length: int) -> str:
    """``text`` on one line without control characters, so that it can be shown in a terminal; at most ``length``."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:length]


def slug(text: str) -> str:
    """An id: lower-case letters, digits and hyphens, at most 60."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "flow"


def _free(wanted: str, used: set[str]) -> str:
    number, candidate = 1, wanted
    while candidate in used:
        number += 1
        candidate = f"{wanted}-{number}"
    return candidate
