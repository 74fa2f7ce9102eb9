"""What a card says of a flow that came from ComfyUI, read off its graph and, where there is one, its workflow.

Titles, notes and addresses are data from strangers: cut to one line, bounded, never obeyed, never opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from imagewright.flow_format import Graph, Slots
from imagewright.retrieval.comfy.catalogue import Catalogue
from imagewright.retrieval.comfy.families import CLASS_FOLDERS, INPUT_FOLDERS, guess_model
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Kind, ModelFile

MAX_ROWS = 500
"""The most model files or packs that are kept of one workflow."""
_OUTPUTS = re.compile(r"^(Save|Preview)(?!.*Latent)|VideoCombine|Image Save|SaveImage")
"""Output nodes by their names, for classes that no catalogue knows."""
_INPAINT = frozenset({"VAEEncodeForInpaint", "InpaintModelConditioning", "SetLatentNoiseMask"})
_MADE: tuple[tuple[Kind, str], ...] = (
    ("video", r"^(Save|Preview|Create)(Video|WEBM|AnimatedWEBP|AnimatedPNG)|VideoCombine"),
    ("3d", r"^(Save|Preview)(GLB|3D)|Load3D|Hunyuan3D|Voxel|Mesh"),
    ("audio", r"^(Save|Preview)Audio|VAEDecodeAudio"),
)
_SERVICES = re.compile(
    r"^(Gemini|OpenAI|OpenRouter|Claude|Grok|Kling|Recraft|Ideogram(?!4)|Luma|Runway|Pika|Pixverse|MinimaxHailuo|Vidu|Bria|"
    r"ByteDance|Tripo(?!Spl|SG)|Meshy(?!Smooth)|Rodin3D|StabilityStable|FluxPro|FluxKontext(Pro|Max)|Flux[23](Max)?"
    r"(Image|Text|Video)\w*Node|Veo|Moonvalley|Topaz|Magnific|Wavespeed|HitPaw|ElevenLabs|FishAudio|HeyGen|Tencent|"
    r"HappyHorse|Higgsfield|Veed|Sync(LipSync|Talking)|Quiver|Pruna|Krea\d)|Api$"
)
"""Nodes that send their work to a paid service, by their names, where no catalogue knows them."""
_FILE = re.compile(r"(?i)\.(safetensors|sft|gguf|ckpt|pt|pth|bin|onnx)$")


class Described(NamedTuple):
    """The fields of a card that the graph and its workflow tell; ``packs`` are the node packs by class, where known."""

    slots: Slots
    kind: Kind
    base_model: str
    family: str
    models: tuple[ModelFile, ...]
    loras: tuple[str, ...]
    samplers: tuple[str, ...]
    node_classes: tuple[str, ...]
    packs: dict[str, str]
    title: str
    description: str


def describe_workflow(graph: Graph, workflow: Mapping[str, Any] | None, catalogue: Catalogue) -> Described:
    """All that the card needs. ``title`` is empty where the graph has none that tells more than a class name."""
    outputs = output_nodes(graph, catalogue)
    slots = find_slots(graph, outputs)
    classes = tuple(sorted({node["class_type"] for node in graph.values()}))
    raws = list(raw_nodes(workflow))
    models = model_files(graph, raws)
    stated = [str(node["inputs"]["type"]) for node in graph.values()
              if "CLIPLoader" in node["class_type"] and isinstance(node["inputs"].get("type"), str)]  # fmt: skip
    base, family = guess_model(models, classes, stated)
    return Described(
        slots=slots,
        kind=_kind_of(graph, catalogue, slots, outputs),
        base_model=shorten(base, 100),
        family=family,
        models=models,
        loras=tuple(dict.fromkeys(model.name for model in models if model.folder == "loras")),
        samplers=tuple(samplers_of(graph)),
        node_classes=classes,
        packs=packs_of(raws),
        title=_title(graph, workflow),
        description=_description(workflow),
    )


def output_nodes(graph: Graph, catalogue: Catalogue) -> list[str]:
    """The nodes that a server runs the graph for; those that save before those that only show."""
    found = []
    for node, value in graph.items():
        name = value["class_type"]
        if catalogue[name].is_output if name in catalogue else _OUTPUTS.search(name):
            found.append(node)
    saving = [node for node in found if graph[node]["class_type"].startswith("Save")]
    return saving or found


def _kind_of(graph: Graph, catalogue: Catalogue, slots: Slots, outputs: list[str]) -> Kind:
    """What the flow makes, and of what."""
    classes = {value["class_type"] for value in graph.values()}
    if any(_is_api(name, catalogue) for name in classes) or _drawn_elsewhere(graph, slots):
        return "api"
    ends = {graph[node]["class_type"] for node in outputs} or classes
    for kind, pattern in _MADE:
        if any(re.search(pattern, name) for name in ends):
            return kind
    if "positive" not in slots:
        return "upscale" if any("UpscaleModel" in name for name in classes) else "other"
    reads = "input_image" in slots or "mask" in slots
    if reads and (classes & _INPAINT or "mask" in slots):
        return "inpaint"
    return "image-to-image" if reads else "text-to-image"


def _is_api(name: str, catalogue: Catalogue) -> bool:
    spec = catalogue.get(name)
    if spec is None:
        return _SERVICES.search(name) is not None
    return spec.is_api or spec.category.lower().startswith(("api node", "partner"))


def _drawn_elsewhere(graph: Graph, slots: Slots) -> bool:
    """Whether a prompt goes in though no model is loaded and nothing is sampled here: a paid service draws it."""
    inputs = {name for value in graph.values() for name in value["inputs"]}
    return "positive" in slots and not inputs & {"sampler_name", "sampler", "ckpt_name", "unet_name", "model"}


def samplers_of(graph: Graph) -> Iterator[str]:
    """``sampler/scheduler`` of each sampler node, or of a custom sampler's parts, in the graph's order, once each."""
    found: dict[str, None] = {}
    schedulers = [v["inputs"].get("scheduler") for v in graph.values() if "sampler_name" not in v["inputs"]]
    beside = next((name for name in schedulers if isinstance(name, str)), None)
    for node in graph.values():
        sampler, scheduler = node["inputs"].get("sampler_name"), node["inputs"].get("scheduler", beside)
        if isinstance(sampler, str):
            found[shorten(f"{sampler}/{scheduler}" if isinstance(scheduler, str) else sampler, 80)] = None
    yield from found


# --- files and packs ------------------------------------------------------------------------


def model_files(graph: Graph, raws: list[Mapping[str, Any]]) -> tuple[ModelFile, ...]:
    """The files that the graph names, each with its folder and the address that the workflow gives for it."""
    told = {model.name: model for raw in raws for model in _told(raw)}
    found: dict[tuple[str, str], ModelFile] = {}
    for node in graph.values():
        for name, value in node["inputs"].items():
            folder = CLASS_FOLDERS.get((node["class_type"], name)) or INPUT_FOLDERS.get(name)
            if not isinstance(value, str) or not value or not (folder or (value in told and _FILE.search(value))):
                continue
            known = told.get(value)
            folder = known.folder if known else str(folder)
            if folder and len(found) < MAX_ROWS:
                found[value, folder] = ModelFile(
                    name=shorten(value, 300), folder=folder, url=known.url if known else None
                )
    return tuple(found.values())


def _told(raw: Mapping[str, Any]) -> Iterator[ModelFile]:
    """The files that a node of the workflow lists for itself; only https addresses and plain folder names."""
    properties = raw.get("properties")
    rows = properties.get("models") if isinstance(properties, dict) else None
    for row in rows[:MAX_ROWS] if isinstance(rows, list) else ():
        if not isinstance(row, dict):
            continue
        name, folder, url = row.get("name"), row.get("directory"), row.get("url")
        if (
            isinstance(name, str)
            and isinstance(folder, str)
            and re.fullmatch(r"[\w-]{1,60}(/[\w-]{1,60}){0,3}", folder)
        ):
            https = isinstance(url, str) and url.startswith("https://")
            yield ModelFile(name=name[:300], folder=folder, url=shorten(str(url), 500) if https else None)


def raw_nodes(workflow: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """Every node of a workflow as its file has it, in subgraphs too."""
    if workflow is None:
        return
    definitions = workflow.get("definitions")
    inner = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    for scope in [workflow, *(inner if isinstance(inner, list) else [])]:
        nodes = scope.get("nodes") if isinstance(scope, dict) else None
        rows = nodes.values() if isinstance(nodes, dict) else nodes if isinstance(nodes, list) else ()
        yield from (row for row in rows if isinstance(row, dict))


def packs_of(raws: list[Mapping[str, Any]]) -> dict[str, str]:
    """The pack that each node class comes from, by its registry name or GitHub repository; the core's are left out."""
    found: dict[str, str] = {}
    for raw in raws:
        properties = raw.get("properties")
        name = raw.get("type")
        if isinstance(properties, dict) and isinstance(name, str) and len(found) < MAX_ROWS:
            pack = properties.get("cnr_id") or properties.get("aux_id")
            if isinstance(pack, str) and pack != "comfy-core":
                found[shorten(name, 100)] = shorten(pack, 100)
    return found


# --- words ----------------------------------------------------------------------------------


def _title(graph: Graph, workflow: Mapping[str, Any] | None) -> str:
    """The name that the author gave the workflow, or the node that saves its picture."""
    extra = workflow.get("extra") if workflow else None
    info = extra.get("info") if isinstance(extra, dict) else None
    stated = info.get("name") if isinstance(info, dict) else None
    if isinstance(stated, str) and stated.strip():
        return shorten(stated, 200)
    for node in graph.values():
        title = node.get("_meta", {}).get("title", "")
        if node["class_type"] == "SaveImage" and title not in ("", "SaveImage", "Save Image"):
            return shorten(title, 200)
    return ""


def _description(workflow: Mapping[str, Any] | None) -> str:
    """The description that the author left, else that of the outermost subgraph."""
    extra = workflow.get("extra") if workflow else None
    info = extra.get("info") if isinstance(extra, dict) else None
    definitions = workflow.get("definitions") if workflow else None
    inner = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    sources = [info, *(inner if isinstance(inner, list) else [])]
    texts = [source.get("description") for source in sources if isinstance(source, dict)]
    return shorten(next((text for text in texts if isinstance(text, str) and text.strip()), ""), 2000)


def shorten(text: str, length: int) -> str:
    """``text`` on one line without control characters; at most ``length``."""
    return " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * length]).split())[:length]
