"""What flows along the links of a graph in this process. Model handles only name files; loading waits for use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imagewright.t2i_backends.model_files import ModelPath

if TYPE_CHECKING:
    import torch

DEFAULT_GUIDANCE = 3.5
"""The distilled guidance where a flow has no FluxGuidance node; ComfyUI's value."""


@dataclass(frozen=True)
class ModelHandle:
    """A diffusion model (MODEL) and the LoRAs on it, in order."""

    source: ModelPath
    loras: tuple[tuple[ModelPath, float], ...] = ()

    def with_lora(self, lora: ModelPath, strength: float) -> ModelHandle:
        """The same model with one more LoRA."""
        return replace(self, loras=(*self.loras, (lora, strength)))


@dataclass(frozen=True)
class ClipHandle:
    """The text encoders (CLIP): one pipeline, or the two parts of a DualCLIPLoader."""

    sources: tuple[ModelPath, ...]


@dataclass(frozen=True)
class VaeHandle:
    """The autoencoder (VAE)."""

    source: ModelPath


@dataclass(frozen=True)
class Conditioning:
    """Encoded text (CONDITIONING)."""

    embeds: torch.Tensor
    """``(1, tokens, width)``, of the second text encoder."""
    pooled: torch.Tensor
    """``(1, width)``, of the first text encoder."""
    clip: ClipHandle
    """What encoded it; region prompts go through the same encoders."""
    guidance: float = DEFAULT_GUIDANCE
    truncated: tuple[str, ...] = ()
    """What the tokenizers cut off, in words."""


@dataclass(frozen=True)
class Latent:
    """Latents (LATENT), before the VAE's scaling is undone; None stands for an empty canvas."""

    width: int
    height: int
    """Pixels."""
    samples: torch.Tensor | None = None
    """``(1, channels, height / scale, width / scale)``, float32 on the CPU."""
    batch: int = 1
    """How many the flow asks for; the first one is drawn."""
