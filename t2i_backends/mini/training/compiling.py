"""Compiled training: a transformer's blocks as fused kernels, with an attention whose gradients are fast on CPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from diffusers import FluxTransformer2DModel
from diffusers.models.transformers import transformer_flux
from torch import Tensor

_SHAPES = 64
"""Shapes of its inputs for which a block is compiled: one for each number of regions. Past torch's own limit, 8, it
would run uncompiled."""


def attend(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **_settings: Any) -> Tensor:
    """Softmax attention over ``(batch, tokens, heads, width)``; ``attn_mask`` is true where a token may look.

    The same sums as ``scaled_dot_product_attention``, in steps that ``torch.compile`` fuses between the two products.
    """
    query, key, value = (part.transpose(1, 2) for part in (query, key, value))
    scores = (query @ key.transpose(-1, -2)).float() * query.shape[-1] ** -0.5
    if attn_mask is not None:
        # Added, not filled in: compiled, a fill took half as long again in a trial with 160 tokens.
        scores = scores + torch.zeros_like(attn_mask, dtype=scores.dtype).masked_fill(~attn_mask, -1e4)
    weights = torch.softmax(scores, dim=-1).to(value.dtype)
    return (weights @ value).transpose(1, 2)


@contextmanager
def compile_blocks(*transformers: FluxTransformer2DModel, device: torch.device, wanted: bool = True) -> Iterator[None]:
    """Compile the blocks of ``transformers`` and train them within; nothing where it is not ``wanted``.

    On a CPU every FLUX transformer attends by ``attend`` meanwhile: the backward pass of torch's fused kernel for CPUs
    took a third of a step of mini's training, six times what ``attend`` takes compiled (torch 2.13, two cores).
    """
    kept = transformer_flux.dispatch_attention_fn
    if wanted:
        for transformer in transformers:
            transformer.compile_repeated_blocks(dynamic=False)
        if device.type == "cpu":
            transformer_flux.dispatch_attention_fn = attend
    limit = torch._dynamo.config.patch(recompile_limit=_SHAPES) if wanted else nullcontext()
    try:
        with limit:
            yield
    finally:
        transformer_flux.dispatch_attention_fn = kept
