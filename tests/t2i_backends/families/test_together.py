"""Pictures of one flow drawn together: each is the one that it would be alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from imagewright.errors import BadInput, Cancelled
from imagewright.ports import Drawn, Job
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow, Region
from imagewright.t2i_backends.families.table import known_families


def jobs_of(graph: dict[str, dict[str, Any]], count: int = 3) -> list[Job]:
    """Other prompts, seeds and, in the last one, a region."""
    flow = Flow(id="plain", graph=graph, card=Card(title="plain", slots=dict(find_slots(graph))))
    box = (Region(caption="two dog", x=0, y=0, width=0.5, height=1),)
    prompts = ("a red circle", "two dog", "a blue cat")
    return [
        Job(flow, prompts[i % 3], seed=7 + i, negative="a star", regions=box if i == count - 1 else ())
        for i in range(count)
    ]


def far(one: Image.Image, other: Image.Image) -> int:
    return int(np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max())


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m_sde"])
@pytest.mark.parametrize("family", known_families())
def test_pictures_are_those_of_single_draws(family: str, sampler: str, studio: Any) -> None:
    jobs = jobs_of(studio.graph_of(family, sampler_name=sampler))
    alone = [studio.backend.draw(job, lambda step: None, lambda: False).image for job in jobs]
    studio.backend._cache._kept.clear()
    together = studio.backend.draw_many(jobs, lambda: False)
    assert all(isinstance(drawn, Drawn) for drawn in together)
    assert max(far(one, drawn.image) for one, drawn in zip(alone, together, strict=True)) <= 1
    assert far(alone[0], alone[1]) > 1
    assert {drawn.facts["drawn_together"] for drawn in together} == {"3"}


def test_two_samplers_with_a_lora_each(studio: Any, family_root: Path) -> None:
    layer = "transformer.transformer_blocks.0.attn.to_q"
    (family_root / "loras").mkdir(exist_ok=True)
    for number, name in enumerate(("one", "two")):
        torch.manual_seed(number)
        state = {f"{layer}.lora_A.weight": torch.randn(2, 32), f"{layer}.lora_B.weight": torch.randn(32, 2)}
        save_file(state, family_root / "loras" / f"{name}.safetensors")
    graph = studio.graph_of("flux")
    for name in ("one", "two"):
        graph[name] = studio.node("LoraLoaderModelOnly", model=["ckpt", 0], lora_name=f"{name}.safetensors",
                                  strength_model=1.0)  # fmt: skip
    graph["ks"]["inputs"]["model"] = ["one", 0]
    graph["ks2"] = {"class_type": "KSampler", "inputs": {**graph["ks"]["inputs"], "model": ["two", 0], "denoise": 0.6}}
    graph["ks2"]["inputs"]["latent_image"] = ["ks", 0]
    graph["dec"]["inputs"]["samples"] = ["ks2", 0]
    jobs = jobs_of(graph)
    alone = [studio.backend.draw(job, lambda step: None, lambda: False).image for job in jobs]
    studio.backend._cache._kept.clear()
    together = studio.backend.draw_many(jobs, lambda: False)
    assert max(far(one, drawn.image) for one, drawn in zip(alone, together, strict=True)) <= 1
    plain = jobs_of(studio.graph_of("flux"))[0]
    model_after = studio.backend.draw(plain, lambda step: None, lambda: False).image
    fresh = type(studio)(family_root)
    assert far(model_after, fresh.backend.draw(plain, lambda step: None, lambda: False).image) == 0


def test_a_job_that_fails_leaves_the_others_alone(studio: Any) -> None:
    jobs = jobs_of(studio.graph_of("flux"))
    bad = Job(jobs[0].flow, "a red circle", seed=1, regions=(Region(caption="x", x=0, y=0, width=0.5, height=1),),
              region_share=2.0)  # fmt: skip
    found = studio.backend.draw_many([jobs[0], bad, jobs[1]], lambda: False)
    assert isinstance(found[0], Drawn)
    assert isinstance(found[1], BadInput)
    assert isinstance(found[2], Drawn)


def test_flows_are_not_mixed_and_a_stop_stops_all(studio: Any) -> None:
    jobs = jobs_of(studio.graph_of("flux"))
    other = Job(jobs[0].flow.model_copy(update={"id": "other"}), "a cat", seed=1)
    with pytest.raises(BadInput, match="one flow"):
        studio.backend.draw_many([*jobs, other], lambda: False)
    with pytest.raises(Cancelled):
        studio.backend.draw_many(jobs, lambda: True)
    assert studio.backend.draw_many([], lambda: False) == []
