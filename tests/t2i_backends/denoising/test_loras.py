"""LoRAs on the model of one job, gone before the next."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from imagewright.errors import BadInput
from imagewright.ports import Job
from imagewright.schemas import Flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend

LAYER = "transformer.transformer_blocks.0.attn.to_q"


def lora(rank: int = 2, width: int = 32, layer: str = LAYER) -> dict[str, torch.Tensor]:
    """A LoRA in peft's format, on one layer."""
    generator = torch.Generator().manual_seed(1)
    shapes = {"lora_A": (rank, width), "lora_B": (width, rank)}
    return {f"{layer}.{name}.weight": torch.randn(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture
def root(model_root: Path, tmp_path: Path) -> Path:
    shutil.copytree(model_root / "checkpoints" / "tiny", tmp_path / "checkpoints" / "tiny")
    (tmp_path / "loras").mkdir()
    save_file(lora(), tmp_path / "loras" / "style.safetensors")
    return tmp_path


@pytest.fixture
def lora_backend(root: Path) -> DiffusersBackend:
    return DiffusersBackend([root], device="cpu")


def with_loras(flow: Flow, *loras: tuple[str, float]) -> Flow:
    graph = {**flow.graph}
    source: list[Any] = ["ckpt", 0]
    for i, (name, strength) in enumerate(loras):
        inputs = {"model": source, "lora_name": name, "strength_model": strength}
        graph[f"lora{i}"] = {"class_type": "LoraLoaderModelOnly", "inputs": inputs}
        source = [f"lora{i}", 0]
    graph["ks"] = {"class_type": "KSampler", "inputs": {**graph["ks"]["inputs"], "model": source}}
    return flow.model_copy(update={"graph": graph})


@pytest.fixture
def latents(lora_backend: DiffusersBackend, make_flow: Callable[..., Flow]) -> Callable[..., torch.Tensor]:
    """Latents of the plain flow with LoRAs, always drawn anew."""

    def find(*loras: tuple[str, float]) -> torch.Tensor:
        lora_backend._cache._kept.clear()
        lora_backend.draw(Job(with_loras(make_flow(), *loras), "a cat", seed=1), lambda step: None, lambda: False)
        kept = [entry[0][0] for entry in lora_backend._cache._kept.values() if isinstance(entry, tuple)]
        return next(r.samples for r in kept if getattr(r, "samples", None) is not None)

    return find


def test_it_changes_the_picture_and_leaves_no_trace(latents: Callable[..., torch.Tensor]) -> None:
    plain = latents()
    styled = latents(("style.safetensors", 1.0))
    assert not torch.equal(plain, styled)
    assert torch.equal(plain, latents())
    assert torch.equal(styled, latents(("style.safetensors", 1.0)))


def test_strength(latents: Callable[..., torch.Tensor]) -> None:
    plain = latents()
    assert torch.equal(plain, latents(("style.safetensors", 0.0)))
    half, whole, twice = (latents(("style.safetensors", strength)) for strength in (0.5, 1.0, 2.0))
    assert not torch.equal(half, whole)
    stacked = latents(("style.safetensors", 0.5), ("style.safetensors", 1.5))
    assert torch.allclose(stacked, twice, atol=1e-4)
    assert not torch.allclose(stacked, whole, atol=1e-4)


def test_the_weights_are_what_the_low_rank_product_says(
    root: Path, latents: Callable[..., torch.Tensor], make_flow: Callable[..., Flow]
) -> None:
    """A checkpoint with ``B A`` added to the layer draws the same latents."""
    styled = latents(("style.safetensors", 1.0))
    from safetensors.torch import load_file

    weights = root / "checkpoints" / "tiny" / "transformer" / "diffusion_pytorch_model.safetensors"
    merged = load_file(weights)
    low, high = lora().values()
    merged[LAYER.removeprefix("transformer.") + ".weight"] += high @ low
    save_file(merged, weights, metadata={"format": "pt"})
    assert torch.allclose(latents(), styled, atol=1e-4)


@pytest.mark.parametrize(
    "weights",
    [
        {"hello": torch.zeros(2)},
        lora(width=48),
        lora(layer="transformer.no_such_block.0.to_q"),
        lora() | {"transformer.transformer_blocks.0.norm1.linear.weight": torch.zeros(2)},
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_no_trace(
    root: Path, latents: Callable[..., torch.Tensor], weights: dict[str, torch.Tensor]
) -> None:
    plain = latents()
    save_file(weights, root / "loras" / "odd.safetensors")
    with pytest.raises(BadInput, match=r"odd\.safetensors"):
        latents(("style.safetensors", 1.0), ("odd.safetensors", 1.0))
    assert torch.equal(plain, latents())


def test_a_cancelled_job_takes_its_lora_off(
    lora_backend: DiffusersBackend, latents: Callable[..., torch.Tensor], make_flow: Callable[..., Flow]
) -> None:
    from imagewright.errors import Cancelled

    plain = latents()
    steps: list[object] = []
    job = Job(with_loras(make_flow(), ("style.safetensors", 1.0)), "a dog", seed=2)
    with pytest.raises(Cancelled):
        lora_backend.draw(job, steps.append, lambda: len(steps) > 1)
    assert torch.equal(plain, latents())
