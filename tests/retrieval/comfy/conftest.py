"""Small workflows in the editor's JSON, and the public templates where they can be fetched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.evals.comfy_templates import fetch_templates
from imagewright.retrieval.comfy.catalogue import Catalogue, load_catalogue
from imagewright.retrieval.comfy.convert import Converted, convert

Node = dict[str, Any]


class Sketch:
    """A workflow in the making: ``node`` adds one, ``link`` joins two, ``json`` gives the file's content."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.links: list[list[Any]] = []
        self.subgraphs: list[dict[str, Any]] = []

    def node(self, number: int, kind: str, values: Any = None, outputs: str = "", mode: int = 0, **more: Any) -> int:
        """Add a node; ``outputs`` names the types of its outputs, by spaces."""
        outs = [{"name": name, "type": name, "links": []} for name in outputs.split()]
        row = {"id": number, "type": kind, "mode": mode, "inputs": [], "outputs": outs, "properties": {}, **more}
        self.nodes.append(row if values is None else {**row, "widgets_values": values})
        return number

    def link(self, origin: int, slot: int, target: int, name: str, kind: str = "*", widget: bool = False) -> int:
        """Join an output to the input ``name`` of another node; -10 and -20 are a subgraph's own sides."""
        number, place = len(self.links) + 1, 0
        end = next((row for row in reversed(self.nodes) if row["id"] == target), None)
        if end is not None:
            socket = {"name": name, "type": kind, "link": number} | ({"widget": {"name": name}} if widget else {})
            end["inputs"].append(socket)
            place = len(end["inputs"]) - 1
        elif name.isdecimal():
            place = int(name)
        self.links.append([number, origin, slot, target, place, kind])
        return number

    def json(self, as_objects: bool = False) -> dict[str, Any]:
        """The file's content; ``as_objects`` writes links the newer way."""
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        links = [dict(zip(keys, link, strict=True)) for link in self.links] if as_objects else self.links
        found = {"version": 0.4, "nodes": self.nodes, "links": links, "groups": [{"title": "x"}], "extra": {}}
        return {**found, "definitions": {"subgraphs": self.subgraphs}} if self.subgraphs else found

    def subgraph(self, name: str, inputs: list[tuple[str, str]], outputs: list[tuple[str, str]]) -> dict[str, Any]:
        """This sketch as a subgraph's definition."""
        ports = {
            side: [
                {
                    "name": label,
                    "type": kind,
                    "linkIds": [row[0] for row in self.links if row[at : at + 2] == [end, place]],
                }
                for place, (label, kind) in enumerate(rows)
            ]
            for side, rows, at, end in (("inputs", inputs, 1, -10), ("outputs", outputs, 3, -20))
        }
        return {
            "id": name,
            "name": name,
            **ports,
            **{k: v for k, v in self.json(True).items() if k in ("nodes", "links")},
        }


def text_to_image(sketch: Sketch | None = None, seed: Any = 7, control: Any = "fixed") -> Sketch:
    """The plainest flow: checkpoint 4, prompts 6 and 7, latent 5, sampler 3, decoder 8, saver 9."""
    made = sketch or Sketch()
    made.node(4, "CheckpointLoaderSimple", ["a.safetensors"], "MODEL CLIP VAE")
    made.node(6, "CLIPTextEncode", ["a fox"], "CONDITIONING")
    made.node(7, "CLIPTextEncode", ["blurry"], "CONDITIONING")
    made.node(5, "EmptyLatentImage", [640, 512, 2], "LATENT")
    made.node(3, "KSampler", [seed, control, 20, 6.5, "euler", "normal", 1], "LATENT")
    made.node(8, "VAEDecode", None, "IMAGE")
    made.node(9, "SaveImage", ["out"])
    for origin, slot, target, name, kind in (
        (4, 0, 3, "model", "MODEL"), (6, 0, 3, "positive", "CONDITIONING"), (7, 0, 3, "negative", "CONDITIONING"),
        (5, 0, 3, "latent_image", "LATENT"), (4, 1, 6, "clip", "CLIP"), (4, 1, 7, "clip", "CLIP"),
        (3, 0, 8, "samples", "LATENT"), (4, 2, 8, "vae", "VAE"), (8, 0, 9, "images", "IMAGE"),
    ):  # fmt: skip
        made.link(origin, slot, target, name, kind)
    return made


@pytest.fixture
def sketch() -> Sketch:
    """An empty workflow."""
    return Sketch()


@pytest.fixture
def plain_flow() -> Callable[..., Sketch]:
    """Makes the plainest flow."""
    return text_to_image


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The node classes that ship."""
    return load_catalogue()


@pytest.fixture
def converted(catalogue: Catalogue) -> Callable[[object], Converted]:
    """Converts with the shipped catalogue."""
    return lambda workflow: convert(workflow, catalogue)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the public templates: ``IMAGEWRIGHT_TEMPLATES``, else fetched."""
    named = os.environ.get("IMAGEWRIGHT_TEMPLATES")
    if named:
        return Path(named)
    try:
        return fetch_templates(tmp_path_factory.mktemp("templates"))
    except BadInput as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def this_years_templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The templates that the references of front end 1.49.6 are of: ``IMAGEWRIGHT_TEMPLATES_0_1_50``, else fetched."""
    named = os.environ.get("IMAGEWRIGHT_TEMPLATES_0_1_50")
    if named:
        return Path(named)
    try:
        return fetch_templates(tmp_path_factory.mktemp("templates"), "comfyui-workflow-templates-json==0.1.50")
    except BadInput as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def facts() -> Path:
    """The folder with the reference conversions."""
    root = os.environ.get("IMAGEWRIGHT_DATA")
    if not root or not (Path(root) / "comfyui").is_dir():
        pytest.skip("IMAGEWRIGHT_DATA names no folder with comfyui/")
    return Path(root) / "comfyui"
