"""Node classes and pictures for the ComfyUI-shaped server: those of our own executor, told as ``/object_info`` does."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from imagewright.ports import Job
from imagewright.schemas import Card, Flow, SlotBinding
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.nodes.table import NODES
from imagewright.t2i_backends.values.node_inputs import Input

Graph = dict[str, dict[str, Any]]
_PLAIN = {"int": "INT", "float": "FLOAT", "bool": "BOOLEAN", "text": "STRING"}


def object_info(files: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The answer of a server that has these files, by folder."""
    found = {}
    for name, node in NODES.items():
        required = {key: _spec(wanted, files) for key, wanted in node.inputs.items() if not wanted.optional}
        optional = {key: _spec(wanted, files) for key, wanted in node.inputs.items() if wanted.optional}
        found[name] = {
            "input": {"required": required, "optional": optional}, "input_order": {"required": list(required)},
            "output": list(node.outputs), "output_is_list": [False] * len(node.outputs), "name": name,
            "display_name": name, "description": "", "python_module": "nodes", "category": "test",
            "output_node": name in ("SaveImage", "PreviewImage"),
        }  # fmt: skip
    return found


def _spec(wanted: Input, files: Mapping[str, Sequence[str]]) -> list[Any]:
    if wanted.kind == "file":
        return [list(files.get(wanted.folder, ())), {}]
    if wanted.kind == "choice":
        return [list(wanted.choices), {}]
    if wanted.kind in ("int", "float"):
        return [_PLAIN[wanted.kind], {"default": wanted.default or 0, "min": wanted.low, "max": wanted.high}]
    return [_PLAIN.get(wanted.kind, wanted.kind), {}]


def paint(graph: Graph, uploads: Mapping[str, bytes]) -> list[Image.Image]:
    """A picture of the graph's size in a colour that its inputs settle; as many as the batch says."""
    size = next((v["inputs"] for v in graph.values() if "batch_size" in v["inputs"]), {})
    inputs = {node: value["inputs"] for node, value in graph.items() if value["class_type"] != "SaveImage"}
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).digest()
    count = int(size.get("batch_size", 1))
    loaded = next((v["inputs"]["image"] for v in graph.values() if v["class_type"] == "LoadImage"), None)
    shape = (int(size.get("width", 32)), int(size.get("height", 32)))
    shape = Image.open(io.BytesIO(uploads[loaded])).size if loaded in uploads else shape
    return [Image.new("RGB", shape, (digest[0], digest[1], (digest[2] + n) % 256)) for n in range(count)]


def executor(root: Path) -> Callable[[Graph, Mapping[str, bytes]], list[Image.Image]]:
    """Draws with our own executor, on the models below ``root``; uploads are put into its ``input`` folder."""
    backend = DiffusersBackend([root], "cpu")

    def draw(graph: Graph, uploads: Mapping[str, bytes]) -> list[Image.Image]:
        for name, data in uploads.items():
            path = root / "input" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        node = next(n for n, v in graph.items() if isinstance(v["inputs"].get("text"), str))
        card = Card(title="as posted", slots={"positive": (SlotBinding(node=node, input="text"),)})
        seed = next((v["inputs"]["seed"] for v in graph.values() if "seed" in v["inputs"]), 0)
        job = Job(flow=Flow(id="posted", graph=graph, card=card), prompt=graph[node]["inputs"]["text"], seed=seed)
        drawn = backend.draw(job, lambda step: None, lambda: False)
        return [drawn.image, *drawn.more]

    return draw
