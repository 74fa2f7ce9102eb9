"""A real upscaling network through spandrel, in a flow; skipped where spandrel or its torchvision is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from imagewright.ports import Drawn, Job
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Flow


@pytest.fixture
def network(model_root: Path) -> str:
    """The file name of a small ESRGAN that makes pictures four times as large, with random weights."""
    try:
        from spandrel.architectures.ESRGAN import ESRGAN
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"spandrel is not usable here: {error}")
    folder = model_root / "upscale_models"
    folder.mkdir(exist_ok=True)
    net = ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=4)
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, folder / "tiny.safetensors")
    return "tiny.safetensors"


def test_a_flow_ends_in_an_upscaling_network(
    network: str, draw: Callable[[Job], Drawn], make_flow: Callable[..., Flow], make_job: Callable[..., Job]
) -> None:
    flow = make_flow(out_images=["up", 0])
    more: dict[str, dict[str, Any]] = {
        "net": {"class_type": "UpscaleModelLoader", "inputs": {"model_name": network}},
        "up": {"class_type": "ImageUpscaleWithModel", "inputs": {"upscale_model": ["net", 0], "image": ["dec", 0]}},
    }
    graph = {**flow.graph, **more}
    card = flow.card.model_copy(update={"slots": dict(find_slots(graph))})
    drawn = draw(make_job(flow.model_copy(update={"graph": graph, "card": card})))
    plain = draw(make_job(make_flow()))
    assert drawn.image.size == tuple(4 * side for side in plain.image.size)
