"""Flows over the tiny checkpoints of every family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imagewright.ports import Drawn, Job
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.handles import Latent

Graph = dict[str, dict[str, Any]]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


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


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))


@pytest.fixture
def input_picture(family_root: Path, picture: Image.Image) -> str:
    """``picture`` and a mask of its right half, in the input folder."""
    folder = family_root / "input"
    folder.mkdir(exist_ok=True)
    picture.save(folder / "noise.png")
    mask = np.zeros((16, 16, 3), dtype=np.uint8)
    mask[:, 8:] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return "noise.png"
