"""Compiled training computes what plain training does, and leaves attention as it was."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from diffusers import FluxTransformer2DModel
from diffusers.models.transformers import transformer_flux
from torch import Tensor

from imagewright.t2i_backends.mini.training.compiling import attend, compile_blocks

CPU = torch.device("cpu")


@pytest.mark.parametrize("masked", [False, True])
def test_attention_equals_torchs_with_its_gradients(masked: bool) -> None:
    source = torch.Generator().manual_seed(1)
    parts = [torch.randn(2, 7, 3, 8, generator=source, requires_grad=True) for _ in range(3)]
    mask = torch.rand(2, 1, 7, 7, generator=source) > 0.4 if masked else None
    if mask is not None:
        mask |= torch.eye(7, dtype=torch.bool)
    weight = torch.randn(2, 7, 3, 8, generator=source)

    def stock() -> Tensor:
        swapped = [part.transpose(1, 2) for part in parts]
        found = torch.nn.functional.scaled_dot_product_attention(*swapped, attn_mask=mask)
        return found.transpose(1, 2)

    results = []
    for found in (attend(*parts, attn_mask=mask, backend=None), stock()):
        results.append((found, torch.autograd.grad((found * weight).sum(), parts)))
    (mine, my_gradients), (theirs, their_gradients) = results
    torch.testing.assert_close(mine, theirs)
    for one, other in zip(my_gradients, their_gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.fixture
def transformer() -> FluxTransformer2DModel:
    torch.manual_seed(3)
    return FluxTransformer2DModel(
        patch_size=1, in_channels=8, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=16, pooled_projection_dim=16, guidance_embeds=False, axes_dims_rope=(2, 2, 4),
    )  # fmt: skip


def inputs() -> dict[str, Any]:
    source = torch.Generator().manual_seed(4)
    return {
        "hidden_states": torch.randn(2, 4, 8, generator=source), "txt_ids": torch.zeros(3, 3),
        "encoder_hidden_states": torch.randn(2, 3, 16, generator=source), "img_ids": torch.zeros(4, 3),
        "pooled_projections": torch.randn(2, 16, generator=source), "timestep": torch.full((2,), 0.5),
        "return_dict": False,
    }  # fmt: skip


def test_attention_is_another_only_within(transformer: FluxTransformer2DModel) -> None:
    before = transformer_flux.dispatch_attention_fn
    stock = transformer(**inputs())[0]
    with compile_blocks(device=CPU):
        assert transformer_flux.dispatch_attention_fn is attend
        torch.testing.assert_close(transformer(**inputs())[0], stock)
    assert transformer_flux.dispatch_attention_fn is before
    with compile_blocks(transformer, device=CPU, wanted=False):
        assert transformer_flux.dispatch_attention_fn is before
    with pytest.raises(ZeroDivisionError), compile_blocks(device=CPU):
        raise ZeroDivisionError
    assert transformer_flux.dispatch_attention_fn is before


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_blocks_give_the_same(transformer: FluxTransformer2DModel) -> None:
    stock = transformer(**inputs())[0]
    with compile_blocks(transformer, device=CPU):
        torch.testing.assert_close(transformer(**inputs())[0], stock, atol=1e-5, rtol=1e-4)
