"""On a GPU: the CPU's pictures, at every offload level, in 8 bits, with LoRAs and regions; and memory that runs out."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from imagewright.errors import CannotDraw, ImagewrightError
from imagewright.ports import Drawn, Job
from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow, Region
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.execution import readiness
from imagewright.t2i_backends.models.devices import free_memory
from imagewright.t2i_backends.models.memory import LEVELS, Level

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
Graph = dict[str, dict[str, Any]]
FAMILIES = ("flux", "sd3", "sdxl", "sd15")
MEGABYTE = 1_000_000


def draw(backend: DiffusersBackend, job: Job) -> Drawn:
    return backend.draw(job, lambda step: None, lambda: False)


def job_of(graph: Graph, **fields: Any) -> Job:
    flow = Flow(id="plain", graph=graph, card=Card(title="plain", slots=dict(find_slots(graph))))
    return Job(flow, **{"prompt": "a red circle", "seed": 7, **fields})


def apart(one: Drawn, other: Drawn) -> float:
    """The mean difference of two pictures, in steps of 1/255."""
    assert one.image.size == other.image.size
    return float(np.abs(np.asarray(one.image, dtype=float) - np.asarray(other.image, dtype=float)).mean())


@pytest.fixture
def graph_of(studio: Any) -> Callable[..., Graph]:
    made: Callable[..., Graph] = studio.graph_of
    return made


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Level:
    """Every offload level in turn, whatever the free memory says."""
    wanted: Level = request.param
    monkeypatch.setattr(readiness, "placement", lambda *rest: wanted)
    return wanted


@pytest.fixture(autouse=True)
def given_back() -> Iterator[None]:
    """What a test leaves on the GPU is let go."""
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_gpu_draws_the_cpus_picture(family_root: Path, graph_of: Callable[..., Graph], family: str) -> None:
    wanted = draw(DiffusersBackend([family_root], device="cpu"), job_of(graph_of(family)))
    exact = draw(DiffusersBackend([family_root], device="cuda/float32"), job_of(graph_of(family)))
    assert (exact.facts["device"], exact.facts["dtype"], exact.facts["offload"]) == ("cuda", "float32", "none")
    assert apart(exact, wanted) < 0.5
    rough = draw(DiffusersBackend([family_root], device="cuda"), job_of(graph_of(family)))
    assert rough.facts["dtype"] == "bfloat16"
    assert apart(rough, wanted) < 16


@pytest.mark.parametrize("family", FAMILIES)
def test_levels_place_and_draw_the_same(
    family_root: Path, graph_of: Callable[..., Graph], family: str, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice at the level, for the second time finds the models where the first left them."""
    backend = DiffusersBackend([family_root], device="cuda")
    found = [draw(backend, job_of(graph_of(family), seed=seed)) for seed in (7, 8)]
    assert {one.facts["offload"] for one in found} == {level}
    monkeypatch.setattr(readiness, "placement", lambda *rest: "none")
    plain = DiffusersBackend([family_root], device="cuda")
    for seed, one in zip((7, 8), found, strict=True):
        assert apart(one, draw(plain, job_of(graph_of(family), seed=seed))) < 1


@pytest.mark.parametrize("kind", ["fp8_e4m3fn", "fp8_e5m2"])
def test_weights_in_8_bits(
    family_root: Path, graph_of: Callable[..., Graph], tmp_path: Path, level: Level, kind: str
) -> None:
    """They stay in 8 bits on the GPU, at every level, and the picture is nearly the same."""
    for place in ("diffusion_models", "checkpoints"):
        shutil.copytree(family_root / "checkpoints" / "flux", tmp_path / place / "flux")
    graph = graph_of("flux")
    graph["ks"]["inputs"]["model"] = ["unet", 0]

    def with_weights(weight_dtype: str) -> Drawn:
        graph["unet"] = {"class_type": "UNETLoader", "inputs": {"unet_name": "flux", "weight_dtype": weight_dtype}}
        return draw(backend, job_of(graph))

    backend = DiffusersBackend([tmp_path], device="cuda")
    whole, small = with_weights("default"), with_weights(kind)
    assert small.facts["weights"] == kind
    assert 0 < apart(whole, small) < 24
    nets = backend.store._parts["net"].values()
    stored = {p.dtype for net in nets for p in net.model.parameters()}
    assert any(dtype.itemsize == 1 for dtype in stored)


def test_loras_come_and_go(family_root: Path, graph_of: Callable[..., Graph], tmp_path: Path, level: Level) -> None:
    shutil.copytree(family_root / "checkpoints" / "flux", tmp_path / "checkpoints" / "flux")
    (tmp_path / "loras").mkdir()
    generator = torch.Generator().manual_seed(1)
    layer = "transformer.transformer_blocks.0.attn.to_q"
    weights = {f"{layer}.{name}.weight": torch.randn(shape, generator=generator)
               for name, shape in {"lora_A": (2, 32), "lora_B": (32, 2)}.items()}  # fmt: skip
    save_file(weights, tmp_path / "loras" / "style.safetensors")
    plain, worn = graph_of("flux"), graph_of("flux")
    inputs = {"model": ["ckpt", 0], "lora_name": "style.safetensors", "strength_model": 1.0}
    worn["lora"] = {"class_type": "LoraLoaderModelOnly", "inputs": inputs}
    worn["ks"]["inputs"]["model"] = ["lora", 0]
    backend = DiffusersBackend([tmp_path], device="cuda")
    before, dressed, after = (draw(backend, job_of(graph)) for graph in (plain, worn, plain))
    assert apart(before, after) == 0
    assert apart(before, dressed) > 0
    wanted = draw(DiffusersBackend([tmp_path], device="cpu"), job_of(worn))
    assert apart(dressed, wanted) < 16


@pytest.fixture(scope="module")
def shipped() -> dict[str, Flow]:
    return {flow.id: flow for flow in load_shipped_flows()}


def test_the_small_model_with_regions(shipped: dict[str, Flow], tmp_path: Path) -> None:
    regions = (
        Region(caption="a red circle", x=0.1, y=0.1, width=0.35, height=0.35),
        Region(caption="a blue square", x=0.55, y=0.5, width=0.35, height=0.35),
    )
    job = Job(shipped["mini-normal"], "a red circle and a blue square on a white background", seed=3, regions=regions)
    wanted, found = (draw(DiffusersBackend([tmp_path], device=name), job) for name in ("cpu", "cuda/float32"))
    assert "regions" in found.facts
    assert apart(found, wanted) < 1


def test_many_pictures_together(shipped: dict[str, Flow], tmp_path: Path) -> None:
    jobs = [Job(shipped["mini-normal"], prompt, seed=5) for prompt in ("two red cups", "a green star", "a blue car")]
    backend = DiffusersBackend([tmp_path], device="cuda/float32")
    together = backend.draw_many(jobs, lambda: False)
    for job, one in zip(jobs, together, strict=True):
        assert not isinstance(one, ImagewrightError)
        assert apart(one, draw(backend, job)) < 0.5


def test_what_torch_keeps_for_later_counts_as_free() -> None:
    """Else the placement would turn leaner after a large picture, whose memory torch holds but does not use."""

    def free() -> int:
        found = free_memory("cuda")
        assert found is not None
        return found

    before = free()
    ballast = torch.empty(2_000 * MEGABYTE, dtype=torch.uint8, device="cuda")
    held = free()
    del ballast
    after = free()
    assert before - held > 1_900 * MEGABYTE
    assert abs(before - after) < 100 * MEGABYTE


def test_memory_that_runs_out_is_one_clear_error(
    family_root: Path, graph_of: Callable[..., Graph], monkeypatch: pytest.MonkeyPatch
) -> None:
    """First it is tried again one level leaner; the next picture is drawn as if nothing had been."""
    monkeypatch.setattr(readiness, "placement", lambda *rest: "none")
    backend = DiffusersBackend([family_root], device="cuda")
    wanted = draw(backend, job_of(graph_of("flux")))
    ballast = torch.empty(500 * MEGABYTE, dtype=torch.uint8, device="cuda")
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 40 * MEGABYTE) / whole)
    with pytest.raises(CannotDraw, match="too little memory") as caught:
        draw(backend, job_of(graph_of("flux"), width=2048, height=2048))
    assert caught.value.remedy
    del ballast
    torch.cuda.set_per_process_memory_fraction(1.0)
    again = draw(backend, job_of(graph_of("flux"), seed=7))
    assert apart(again, wanted) < 1
