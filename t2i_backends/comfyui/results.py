"""What a job has saved: which picture is delivered, fetched whole, decoded within bounds, and hashed.

Of the nodes that save into the output folder, the delivered picture is that of the last SaveImage in running order,
else of the last node that saved at all; the other pictures of that node follow it, then those of the other nodes.
Temporary pictures (PreviewImage) count only for a flow that saves nothing. Names that the server gives are sent back
to it, and used for nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from imagewright.errors import BadInput
from imagewright.flow_format import Graph, order
from imagewright.t2i_backends.comfyui.client import Client
from imagewright.t2i_backends.comfyui.faults import ServerFault, tidy
from imagewright.t2i_backends.pictures.inputs import decode_picture

MOST_PICTURES = 64
"""The most pictures of one job."""


@dataclass(frozen=True)
class SavedFile:
    """One file as the server names it."""

    node: str
    filename: str
    subfolder: str
    kind: str
    """``output`` or ``temp``."""


@dataclass(frozen=True)
class Fetched:
    """The pictures of a job, the delivered one first, and the SHA-256 of each file."""

    images: tuple[Image.Image, ...]
    digests: tuple[str, ...]
    node: str


def list_saved(row: Mapping[str, Any], graph: Graph, server: str) -> list[SavedFile]:
    """The files of an ended job, the delivered one first.

    Raises:
        ServerFault: it saved no picture.
    """
    outputs = row.get("outputs")
    told_of = outputs if isinstance(outputs, dict) else {}
    found = [file for node, told in told_of.items() for file in _files(str(node), told)]
    kept = [f for f in found if f.kind == "output"] or [f for f in found if f.kind == "temp"]
    if not kept:
        message = f"the flow saved no picture on server {server}"
        raise ServerFault("no-picture", message, "end it with a SaveImage node")
    place = {node: number for number, node in enumerate(order(graph))}
    rank = {f.node: (_class_of(graph, f.node) == "SaveImage", place.get(f.node, -1)) for f in kept}
    return sorted(kept, key=lambda f: tuple(-part for part in rank[f.node]))[:MOST_PICTURES]


def fetch_pictures(client: Client, row: Mapping[str, Any], graph: Graph) -> Fetched:
    """Fetch what an ended job has saved.

    Raises:
        ServerFault: it saved nothing, a file is gone, or is no whole picture within the bounds.
    """
    images, digests = [], []
    saved = list_saved(row, graph, client.name)
    for file in saved:
        data = client.view(file.filename, file.subfolder, file.kind)
        if data is None:
            message = f"server {client.name} says that it drew the picture, but its file is gone"
            raise ServerFault("file-gone", message, "it is drawn anew; do not empty the output folder meanwhile")
        images.append(_decode(data, client.name))
        digests.append(hashlib.sha256(data).hexdigest())
    return Fetched(tuple(images), tuple(digests), saved[0].node)


def _decode(data: bytes, server: str) -> Image.Image:
    try:
        return decode_picture(data, f"the picture of server {server}").convert("RGB")
    except BadInput as error:
        raise ServerFault("bad-file", tidy(error), "look at what the flow saves, in ComfyUI") from None


def _files(node: str, told: object) -> list[SavedFile]:
    rows = told.get("images") if isinstance(told, dict) else None
    found = []
    for row in rows if isinstance(rows, list) else ():
        names = [row.get(name) for name in ("filename", "subfolder", "type")] if isinstance(row, dict) else [None]
        if all(isinstance(name, str) and len(name) <= 4096 for name in names) and names[2] in ("output", "temp"):
            found.append(SavedFile(node, *map(str, names)))
    return found


def _class_of(graph: Graph, node: str) -> str:
    return str(graph.get(node, {}).get("class_type", ""))
