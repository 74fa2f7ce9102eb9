"""Every node class that this backend runs, with its outputs."""

from __future__ import annotations

from collections.abc import Mapping

from imagewright.t2i_backends.nodes import (  # noqa: F401
    batches,
    conditioning,
    control,
    images,
    inpaint,
    latents,
    loaders,
    sampling,
    values,
)
from imagewright.t2i_backends.nodes.registry import REGISTERED, NodeClass

NODES: Mapping[str, NodeClass] = REGISTERED
OUTPUTS: Mapping[str, tuple[str, ...]] = {name: node.outputs for name, node in NODES.items()}
RESULTS = ("SaveImage", "SaveImageAdvanced", "PreviewImage")
"""Nodes whose picture can be a flow's result; the first kind of them that a flow has counts."""
SAMPLER_NODES = ("KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced")
