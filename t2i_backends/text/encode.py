"""Texts through the encoders of a family, which knows what it reads of them and how that is put together.

With one chunk of text and no weights the results are those of the stock diffusers pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from imagewright.errors import BadInput
from imagewright.t2i_backends.families.table import known_families
from imagewright.t2i_backends.text.clip import ClipEncoder, describe_cut
from imagewright.t2i_backends.values.handles import ClipHandle, Conditioning

Texts = Mapping[str, str]
"""The text for each role of encoder."""
Encoded = tuple[torch.Tensor, torch.Tensor | None, tuple[str, ...]]
"""States ``(1, tokens, width)``, the pooled vector ``(1, width)`` where there is one, what was cut off in words."""


@dataclass(frozen=True)
class Encoders:
    """The loaded text encoders of one family, by role: ``clip_l``, ``clip_g``, ``t5``."""

    family: str
    parts: Mapping[str, tuple[Any, Any]]
    """Role → model and tokenizer."""
    device: Any = "cpu"
    """Where they compute."""
    t5_width: int = 4096
    """The width that the diffusion model reads, for where the T5 encoder is left out."""

    def clip(self, role: str) -> ClipEncoder:
        """One CLIP encoder."""
        return ClipEncoder(*self.parts[role], self.device)

    def read_t5(self, text: str, longest: int) -> tuple[torch.Tensor, str]:
        """T5's states of ``text``, padded to ``longest`` tokens or what it takes, and what was cut off."""
        model, tokenizer = self.parts["t5"]
        length = int(min(tokenizer.model_max_length, longest))
        found = tokenizer(text, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        tokens = len(tokenizer(text, truncation=False)["input_ids"])
        return model(found["input_ids"].to(self.device))[0], describe_cut(length, tokens, text)


def texts_for(text: str) -> Texts:
    """One text for every encoder."""
    return {"clip_l": text, "clip_g": text, "t5": text}


@torch.inference_mode()
def encode_texts(encoders: Encoders, handle: ClipHandle, texts: Texts) -> Conditioning:
    """``texts`` through the encoders, onto the CPU; ``truncated`` says what was cut off.

    Raises:
        BadInput: a text encoder that the family needs is missing.
    """
    family = known_families()[encoders.family]
    try:
        embeds, pooled, cuts = family.encode(encoders, texts, handle.stop)
    except KeyError as error:
        raise BadInput(f"the text encoder {error.args[0]} is missing", "load it with the CLIP loader") from error
    return Conditioning(
        embeds.cpu(), None if pooled is None else pooled.cpu(), handle, truncated=tuple(cut for cut in cuts if cut)
    )


def zero_out(found: Conditioning) -> Conditioning:
    """The same conditioning with its text and pooled vector set to zero."""
    pooled = None if found.pooled is None else torch.zeros_like(found.pooled)
    return replace(found, embeds=torch.zeros_like(found.embeds), pooled=pooled, truncated=())
