"""A tiny random FLUX pipeline on disk, flows over it, and a backend that loads it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from imagewright.ports import Drawn, Job
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.values.handles import Latent


@pytest.fixture(scope="session")
def tiny(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    """The builders of tiny pipelines in ``tiny.py``."""
    return load_module("imagewright_tests_tiny", Path(__file__).with_name("tiny.py"))


@pytest.fixture(scope="session")
def family_root(tmp_path_factory: pytest.TempPathFactory, tiny: ModuleType) -> Path:
    """A tiny checkpoint and ControlNet of every family."""
    root = tmp_path_factory.mktemp("families")
    tiny.save_all(root)
    return root


@pytest.fixture(scope="session")
def model_root(tmp_path_factory: pytest.TempPathFactory, tiny: ModuleType) -> Path:
    """``checkpoints/``: tiny (static shift 3), dynamic (dynamic shift), dev (dynamic, guidance embedded)."""
    root = tmp_path_factory.mktemp("models")
    tiny.flux(shift=3.0).save_pretrained(root / "checkpoints" / "tiny")
    dynamic = {"use_dynamic_shifting": True, "base_image_seq_len": 4, "max_image_seq_len": 64}
    tiny.flux(**dynamic).save_pretrained(root / "checkpoints" / "dynamic")
    tiny.flux(guidance=True, **dynamic).save_pretrained(root / "checkpoints" / "dev")
    return root


@pytest.fixture
def backend(model_root: Path) -> DiffusersBackend:
    return DiffusersBackend([model_root], device="cpu")


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


GRAPH: dict[str, dict[str, Any]] = {
    "ckpt": node("CheckpointLoaderSimple", ckpt_name="tiny"),
    "pos": node("CLIPTextEncode", text="a red circle", clip=["ckpt", 1]),
    "neg": node("CLIPTextEncode", text="", clip=["ckpt", 1]),
    "size": node("EmptySD3LatentImage", width=16, height=16, batch_size=1),
    "ks": node("KSampler", model=["ckpt", 0], seed=7, steps=4, cfg=1.0, sampler_name="euler", scheduler="simple",
               positive=["pos", 0], negative=["neg", 0], latent_image=["size", 0], denoise=1.0),
    "dec": node("VAEDecode", samples=["ks", 0], vae=["ckpt", 2]),
    "out": node("SaveImage", images=["dec", 0], filename_prefix="x"),
}  # fmt: skip


def _flow(family: str = "flux", kind: Any = "text-to-image", drop: tuple[str, ...] = (), **changes: Any) -> Flow:
    """The plain flow with some inputs changed: ``ks_steps=2`` sets ``steps`` of node ``ks``."""
    graph = copy.deepcopy(GRAPH)
    for name, value in changes.items():
        target, _, key = name.partition("_")
        graph[target]["inputs"][key] = value
    for target in drop:
        del graph[target]
    card = Card(title="plain", family=family, kind=kind, slots=dict(find_slots(graph)))
    return Flow(id="plain", graph=graph, card=card)


@pytest.fixture(scope="session")
def make_flow() -> Callable[..., Flow]:
    return _flow


@pytest.fixture(scope="session")
def make_job() -> Callable[..., Job]:
    def make(flow: Flow | None = None, prompt: str = "a red circle", **fields: Any) -> Job:
        return Job(_flow() if flow is None else flow, prompt, **{"seed": 7, **fields})

    return make


@pytest.fixture
def draw(backend: DiffusersBackend) -> Callable[[Job], Drawn]:
    """Draws a job that nobody watches."""
    return lambda job: backend.draw(job, lambda step: None, lambda: False)


@pytest.fixture
def latents_of(backend: DiffusersBackend, draw: Callable[[Job], Drawn]) -> Callable[[Job], torch.Tensor]:
    """The sampler's latents of a job, ``(1, C, h, w)``, from the node cache."""

    def find(job: Job) -> torch.Tensor:
        draw(job)
        results = [entry[0][0] for entry in backend._cache._kept.values() if isinstance(entry, tuple)]
        return [r.samples for r in results if isinstance(r, Latent) and r.samples is not None][-1]

    return find


# --- flows over the tiny checkpoints of every family ---

Graph = dict[str, dict[str, Any]]


def graph_of(checkpoint: str, **sampling: Any) -> Graph:
    """Text to image with ``euler`` over the schedule that the family's stock pipeline takes."""
    scheduler = {"flux": "simple", "sd3": "normal"}.get(checkpoint, "ddim_uniform")
    settings = {"seed": 7, "steps": 5, "cfg": 3.0, "sampler_name": "euler", "scheduler": scheduler, "denoise": 1.0}
    return {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name=checkpoint),
        "pos": node("CLIPTextEncode", text="a red circle", clip=["ckpt", 1]),
        "neg": node("CLIPTextEncode", text="a blue cat", clip=["ckpt", 1]),
        "size": node("EmptyLatentImage", width=16, height=16, batch_size=1),
        "ks": node("KSampler", model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], latent_image=["size", 0],
                   **{**settings, **sampling}),
        "dec": node("VAEDecode", samples=["ks", 0], vae=["ckpt", 2]),
        "out": node("SaveImage", images=["dec", 0], filename_prefix="x"),
    }  # fmt: skip


class Studio:
    """Draws graphs on the tiny checkpoints and looks at the latents."""

    def __init__(self, root: Path) -> None:
        self.backend = DiffusersBackend([root], device="cpu")
        self.node = node
        self.graph_of = graph_of

    def draw(self, graph: Graph, **job: Any) -> Drawn:
        flow = Flow(id="plain", graph=graph, card=Card(title="plain", slots=dict(find_slots(graph))))
        asked = Job(flow, **{"prompt": "a red circle", "seed": 7, **job})
        return self.backend.draw(asked, lambda step: None, lambda: False)

    def latents(self, graph: Graph, **job: Any) -> torch.Tensor:
        """The latents of the last sampler, ``(1, C, h, w)``."""
        self.backend._cache._kept.clear()
        self.draw(graph, **job)
        results = [entry[0][0] for entry in self.backend._cache._kept.values() if isinstance(entry, tuple)]
        found = [r.samples for r in results if isinstance(r, Latent) and r.samples is not None]
        return found[-1]

    def check(self, graph: Graph) -> list[tuple[str, str]]:
        found = self.backend.check(
            Flow(id="plain", graph=graph, card=Card(title="plain", slots=dict(find_slots(graph))))
        )
        return [(problem.kind, problem.remedy) for problem in found.problems]


@pytest.fixture
def studio(family_root: Path) -> Studio:
    return Studio(family_root)


@pytest.fixture
def studio_at() -> Callable[[Path], Studio]:
    return Studio
