"""Real pictures: a server that draws with our executor on mini, beside our own backend."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagewright.ports import Drawn, Job, Redraw
from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.schemas import Card, Flow, Region, SlotBinding
from imagewright.t2i_backends.diffusers_local import DiffusersBackend

REGIONS = (
    Region(caption="a red circle", x=0.05, y=0.3, width=0.4, height=0.4),
    Region(caption="a blue square", x=0.55, y=0.3, width=0.4, height=0.4),
)
PROMPT = "a red circle to the left of a blue square on a white background"


@pytest.fixture
def quick() -> Flow:
    """A shipped flow of mini with few steps."""
    return next(flow for flow in load_shipped_flows() if flow.id == "mini-quick")


@pytest.fixture
def drawing(serve: Callable[..., Any], connect: Callable[..., Any], comfy_nodes: Any, tmp_path: Path) -> Any:
    """A backend on a server that draws with our executor."""
    return connect(serve({"checkpoints": ["mini"], "loras": []}, draw=comfy_nodes.executor(tmp_path / "root")))


def draw(backend: Any, job: Job) -> Drawn:
    found = backend.draw(job, lambda step: None, lambda: False)
    assert isinstance(found, Drawn)
    return found


def test_one_flow_and_seed_give_one_picture_on_both_backends(drawing: Any, quick: Flow) -> None:
    job = Job(flow=quick, prompt=PROMPT, seed=3)
    there, here = draw(drawing, job), draw(DiffusersBackend([], "cpu"), job)
    assert there.image.tobytes() == here.image.tobytes()


def test_a_spliced_layout_draws_in_our_executor_what_it_draws_there(drawing: Any, quick: Flow) -> None:
    job = Job(flow=quick, prompt=PROMPT, seed=3, regions=REGIONS)
    there = draw(drawing, job)
    graph = json.loads(there.graph)
    node = quick.card.slots["positive"][0].node
    card = Card(title="spliced", slots={"positive": (SlotBinding(node=node, input="text"),)})
    here = draw(
        DiffusersBackend([], "cpu"), Job(flow=Flow(id="spliced", graph=graph, card=card), prompt=PROMPT, seed=3)
    )
    assert there.image.tobytes() == here.image.tobytes()
    assert there.image.tobytes() != draw(drawing, Job(flow=quick, prompt=PROMPT, seed=3)).image.tobytes()


def test_a_box_is_redrawn_there_and_the_rest_keeps_its_pixels(drawing: Any, quick: Flow) -> None:
    base = draw(drawing, Job(flow=quick, prompt=PROMPT, seed=3)).image
    job = Job(flow=quick, prompt="a green star", seed=4, redraw=Redraw(base, REGIONS[:1], 1.0))
    after, before = (np.asarray(image) for image in (draw(drawing, job).image, base))
    assert np.array_equal(after[:, 96:], before[:, 96:])
    assert not np.array_equal(after[48:80, 16:48], before[48:80, 16:48])
