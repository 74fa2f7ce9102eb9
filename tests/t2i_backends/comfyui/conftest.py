"""ComfyUI-shaped servers for the tests, the settings that name them, and a backend over them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright.comfy_settings import ServerSettings
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow
from imagewright.settings import Settings
from imagewright.t2i_backends.comfyui.backend import ComfyBackend, open_comfyui
from imagewright.t2i_backends.comfyui.follow import Patience

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def comfy_nodes(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    """Node classes and what draws."""
    return load_module("imagewright_tests_comfy_nodes", HERE / "comfy_nodes.py")


@pytest.fixture(scope="session")
def comfy_server(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    """The server's module."""
    load_module("imagewright_tests_comfy_process", HERE / "comfy_process.py")
    return load_module("imagewright_tests_comfy_server", HERE / "comfy_server.py")


@pytest.fixture
def serve(comfy_server: ModuleType, comfy_nodes: ModuleType) -> Iterator[Callable[..., Any]]:
    """Starts servers, which end with the test; ``files`` are the model files by folder."""
    started: list[Any] = []

    def start(files: dict[str, list[str]] | None = None, **options: Any) -> Any:
        here = files or {"checkpoints": ["mini"]}
        made = comfy_server.ComfyServer(
            comfy_nodes.object_info(here), options.pop("draw", comfy_nodes.paint), **options
        )
        made.models = {**made.models, **here}
        started.append(made)
        return made

    yield start
    for one in started:
        one.stop()


GRAPH: dict[str, dict[str, Any]] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "mini"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
    "4": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 32, "height": 32, "batch_size": 1}},
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["1", 0],
            "positive": ["2", 0],
            "negative": ["3", 0],
            "latent_image": ["4", 0],
            "seed": 0,
            "steps": 4,
            "cfg": 4.0,
            "sampler_name": "euler",
            "scheduler": "simple",
            "denoise": 1.0,
        },
    },
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "p"}},
}


@pytest.fixture
def graph() -> dict[str, dict[str, Any]]:
    """The smallest graph that draws."""
    return copy.deepcopy(GRAPH)


@pytest.fixture
def make_flow() -> Callable[..., Flow]:
    """A flow of a graph, with its slots found as the index finds them."""

    def make(graph: dict[str, Any] | None = None, name: str = "small", **card: Any) -> Flow:
        graph = copy.deepcopy(GRAPH) if graph is None else graph
        return Flow(id=name, graph=graph, card=Card(title=name, slots=dict(find_slots(graph)), **card))

    return make


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with a home of their own that name servers."""

    def make(*servers: Any, home: Path | None = None, **fields: Any) -> Settings:
        named = tuple(
            ServerSettings(**{"name": f"s{number}", "url": server.url, **fields})
            for number, server in enumerate(servers, 1)
        )
        return Settings(data_dir=home or tmp_path / "home", model_roots=(), device="cpu", comfyui=named)

    return make


IMPATIENT = Patience(beat=0.01, poll=1.0, deaf=0.02, ended=1.0, gone=0.1, away=10.0, reconnect=0.3)


@pytest.fixture
def connect(settings: Callable[..., Settings]) -> Iterator[Callable[..., ComfyBackend]]:
    """A backend over servers that waits for nothing long."""
    made: list[ComfyBackend] = []

    def open_one(*servers: Any, home: Path | None = None, **fields: Any) -> ComfyBackend:
        backend = open_comfyui(settings(*servers, home=home, **fields))
        backend.patience = IMPATIENT
        made.append(backend)
        return backend

    yield open_one
    for backend in made:
        backend.close()
