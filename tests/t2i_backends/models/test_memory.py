"""Placement by arithmetic, and what happens when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from imagewright.errors import CannotDraw
from imagewright.ports import Job
from imagewright.t2i_backends import diffusers_local
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.execution import executor
from imagewright.t2i_backends.models.memory import WORK, Footprint, Room, below, choose, fits, refusal
from imagewright.t2i_backends.models.model_store import ModelStore

FLUX = Footprint(net=23_800_000_000, text=9_770_000_000, vae=168_000_000)
"""FLUX.1-dev in bf16."""
GB = 1_000_000_000


def gpu(vram: float, ram: float = 64) -> Room:
    return Room(int(vram * GB), int(ram * GB), shared=False)


@pytest.mark.parametrize(
    ("vram", "ram", "level"),
    [(80, 64, "none"), (36, 64, "none"), (34, 64, "model"), (26, 64, "model"), (24, 64, "group"), (8, 64, "group"),
     (3, 64, None), (24, 16, None)],
)  # fmt: skip
def test_the_level_that_fits_flux(vram: float, ram: float, level: str | None) -> None:
    assert choose(FLUX, gpu(vram, ram)) == level


def test_a_cpu_has_nowhere_to_offload_to() -> None:
    assert choose(FLUX, Room(40 * GB)) == "none"
    assert choose(FLUX, Room(30 * GB)) is None
    assert choose(FLUX, Room(None)) == "none"


def test_levels_by_hand() -> None:
    needs = Footprint(net=1000, text=400, vae=10)
    assert [needs.on_device(level) for level in ("none", "model", "group")] == [1410, 1010, 110]
    assert [needs.in_ram(level) for level in ("none", "model", "group")] == [0, 1400, 1400]
    assert fits(needs, Room(WORK + 1010, 1400, shared=False), "model")
    assert not fits(needs, Room(WORK + 1009, 1400, shared=False), "model")
    assert not fits(needs, Room(WORK + 1010, 1399, shared=False), "model")
    assert [below(level) for level in ("none", "model", "group")] == ["model", "group", None]


def test_a_refusal_says_what_would_help() -> None:
    assert "--device cpu" in refusal(FLUX, gpu(3))
    assert "fp8" in refusal(FLUX, gpu(24, 16))
    assert "30.0 GB are free" in refusal(FLUX, Room(30 * GB))


def test_models_take_turns(backend: DiffusersBackend, make_job: Callable[..., Job]) -> None:
    """Offload levels draw the same picture; ``group`` with its hooks on, on the CPU as well as anywhere."""
    wanted = backend.draw(make_job(), lambda step: None, lambda: False).image.tobytes()
    for level in ("model", "group"):
        store = ModelStore(torch.device("cpu"), torch.float32, 2)
        store.place(level)  # type: ignore[arg-type]
        backend._store = store
        backend._cache._kept.clear()
        store.place = lambda wanted: None  # type: ignore[method-assign]
        drawn = backend.draw(make_job(), lambda step: None, lambda: False)
        assert drawn.facts["offload"] == level
        assert drawn.image.tobytes() == wanted


@pytest.fixture
def seems_a_gpu(backend: DiffusersBackend, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """A store that computes on the CPU and says that it is a GPU, for the one decision that asks."""
    store = backend.store
    monkeypatch.setattr(diffusers_local, "_can_offload", lambda run: True)
    return store


@pytest.mark.parametrize("failures", [1, 2])
def test_out_of_memory_steps_down_once(
    backend: DiffusersBackend, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, failures: int,
    seems_a_gpu: ModelStore,
) -> None:  # fmt: skip
    left = [failures]
    real = executor.execute

    def execute(graph: Any, run: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError
        return real(graph, run)

    monkeypatch.setattr(executor, "execute", execute)
    if failures == 1:
        drawn = backend.draw(make_job(), lambda step: None, lambda: False)
        assert "drawn again with offload level model" in drawn.facts["fallbacks"]
        assert drawn.facts["offload"] == "model"
    else:
        with pytest.raises(CannotDraw, match="too little memory") as caught:
            backend.draw(make_job(), lambda step: None, lambda: False)
        assert caught.value.remedy


def test_on_a_cpu_memory_that_runs_out_is_one_error(
    backend: DiffusersBackend, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(graph: Any, run: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(executor, "execute", execute)
    with pytest.raises(CannotDraw, match="too little memory"):
        backend.draw(make_job(), lambda step: None, lambda: False)


def test_eight_bit_weights_need_less(
    model_root: Any, backend: DiffusersBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A flow that keeps its diffusion model in fp8 fits where it would not fit whole."""
    import shutil

    from imagewright.schemas import Card, Flow
    from imagewright.t2i_backends.execution import readiness
    from imagewright.t2i_backends.execution.program import compile_flow

    shutil.copytree(model_root / "checkpoints" / "tiny", tmp_path / "diffusion_models" / "tiny")
    files = backend.files.__class__([tmp_path])
    graph = {"u": {"class_type": "UNETLoader", "inputs": {"unet_name": "tiny", "weight_dtype": "default"}}}

    def need() -> int:
        program = compile_flow(Flow(id="x", graph=graph, card=Card(title="x")))
        return readiness.weigh(readiness._used_models(program, files), "cpu").net

    whole = need()
    graph["u"]["inputs"]["weight_dtype"] = "fp8_e4m3fn"
    assert need() * 4 == whole
