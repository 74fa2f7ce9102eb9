"""Real pictures: a server that draws with our executor on mini, beside our own backend."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagewright.flow_pictures import check_with, fill_pictures, find_places
from imagewright.ports import Drawn, Job, Redraw
from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.retrieval.intake import build_flow
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


def test_a_picture_that_is_brought_is_read_alike_on_both_backends(
    drawing: Any, quick: Flow, comfy_nodes: Any, tmp_path: Path
) -> None:
    graph = copy.deepcopy(quick.graph)
    graph["4"] = {"class_type": "LoadImage", "inputs": {"image": "left-over.png"}}
    graph["8"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["4", 0], "vae": ["1", 2]}}
    graph["9"] = {"class_type": "SetLatentNoiseMask", "inputs": {"samples": ["8", 0], "mask": ["4", 1]}}
    graph["5"]["inputs"] |= {"latent_image": ["9", 0], "steps": 2}
    flow = build_flow(graph, "theirs", {"title": "Theirs"})
    places, here = find_places(flow), DiffusersBackend([], "cpu")
    assert places is not None
    image, mask = Image.new("RGB", (128, 128), (200, 40, 40)), Image.new("L", (128, 128), 0)
    mask.paste(255, (0, 0, 64, 128))
    filled, pictures = fill_pictures(flow, places, image, mask, 0.7)
    job = Job(flow=filled, prompt=PROMPT, seed=3, pictures=pictures)
    mine = draw(here, job)
    assert draw(drawing, job).image.tobytes() == mine.image.tobytes()
    pixels = np.asarray(mine.image, dtype=int)
    assert np.abs(pixels[:, 80:] - (200, 40, 40)).mean() < 20 < np.abs(pixels[:, :48] - (200, 40, 40)).mean()
    again, other = fill_pictures(flow, places, Image.new("RGB", (128, 128), (40, 40, 200)), mask, 0.7)
    assert draw(here, Job(flow=again, prompt=PROMPT, seed=3, pictures=other)).image.tobytes() != mine.image.tobytes()
    for backend in (here, drawing):
        assert "needs a picture: --image FILE" in backend.check(flow).why_not
        assert check_with(backend, flow, "mask").runnable
    assert not any("left-over" in problem.remedy for problem in here.check(flow).problems)
