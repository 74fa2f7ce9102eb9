"""Each family's own text encoding: which encoders read the prompt, which layers count, how they are put together.

With one chunk of text and no weights the results are those of the stock diffusers pipelines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from imagewright.errors import BadInput
from imagewright.t2i_backends.text.clip import ClipEncoder, ClipText
from imagewright.t2i_backends.values.handles import ClipHandle, Conditioning

FLUX_TEXT = 512
"""The longest text sequence that FLUX takes, in tokens."""
SD3_TEXT = 256
"""The T5 sequence of the stock SD3 pipeline, in tokens."""
Texts = Mapping[str, str]
"""The text for each role of encoder."""


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


def texts_for(text: str) -> Texts:
    """One text for every encoder."""
    return {"clip_l": text, "clip_g": text, "t5": text}


@torch.inference_mode()
def encode_texts(encoders: Encoders, handle: ClipHandle, texts: Texts) -> Conditioning:
    """``texts`` through the encoders, onto the CPU; ``truncated`` says what was cut off.

    Raises:
        BadInput: a text encoder that the family needs is missing.
    """
    try:
        embeds, pooled, cuts = _ENCODE[encoders.family](encoders, texts, handle.stop)
    except KeyError as error:
        raise BadInput(f"the text encoder {error.args[0]} is missing", "load it with the CLIP loader") from error
    return Conditioning(
        embeds.cpu(), None if pooled is None else pooled.cpu(), handle, truncated=tuple(cut for cut in cuts if cut)
    )


def _cut(room: int, tokens: int, text: str) -> str:
    return f"{room} of {tokens} tokens of {text[:60]!r}" if tokens > room else ""


def _t5(encoders: Encoders, text: str, longest: int) -> tuple[torch.Tensor, str]:
    model, tokenizer = encoders.parts["t5"]
    length = int(min(tokenizer.model_max_length, longest))
    ids = tokenizer(text, padding="max_length", max_length=length, truncation=True, return_tensors="pt")["input_ids"]
    tokens = len(tokenizer(text, truncation=False)["input_ids"])
    return model(ids.to(encoders.device))[0], _cut(length, tokens, text)


Encoded = tuple[torch.Tensor, torch.Tensor | None, tuple[str, ...]]


def _flux(encoders: Encoders, texts: Texts, stop: int) -> Encoded:
    """T5's states, and CLIP-L's vector at the end token."""
    embeds, cut = _t5(encoders, texts["t5"], FLUX_TEXT)
    clip = encoders.clip("clip_l").encode(texts["clip_l"], chunked=False)
    return embeds, clip.pooled, (_cut(clip.room, clip.tokens, texts["clip_l"]), cut)


def _layer(found: ClipText, stop: int) -> torch.Tensor:
    return found.layers[max(stop, -len(found.layers))]


def _sd3(encoders: Encoders, texts: Texts, stop: int) -> Encoded:
    """Both CLIPs' last layer but one side by side, widened to T5's states and put before them; both vectors."""
    pair = [encoders.clip(role).encode(texts[role], chunked=False) for role in ("clip_l", "clip_g")]
    both = torch.cat([_layer(found, stop or -2) for found in pair], dim=-1)
    pooled = torch.cat([found.pooled for found in pair], dim=-1)
    cuts = [_cut(found.room, found.tokens, texts["clip_l"]) for found in pair[:1]]
    if "t5" in encoders.parts:
        t5, cut = _t5(encoders, texts["t5"], SD3_TEXT)
        cuts.append(cut)
    else:
        t5 = torch.zeros(1, SD3_TEXT, encoders.t5_width, device=both.device, dtype=both.dtype)
    both = torch.nn.functional.pad(both, (0, t5.shape[-1] - both.shape[-1])).to(t5.device)
    return torch.cat([both, t5], dim=1), pooled, tuple(cuts)


def _sdxl(encoders: Encoders, texts: Texts, stop: int) -> Encoded:
    """The last layer but one of CLIP-L and CLIP-G side by side, and CLIP-G's vector; the refiner has CLIP-G alone."""
    roles = [role for role in ("clip_l", "clip_g") if role in encoders.parts]
    found = {role: encoders.clip(role).encode(texts[role]) for role in roles}
    if "clip_g" not in found:
        raise KeyError("clip_g")
    longest = max(part.final.shape[1] for part in found.values())
    states = [_padded(encoders, role, _layer(part, stop or -2), longest, stop) for role, part in found.items()]
    return torch.cat(states, dim=-1), found["clip_g"].pooled, ()


def _padded(encoders: Encoders, role: str, states: torch.Tensor, longest: int, stop: int) -> torch.Tensor:
    """``states`` with empty chunks after it, so that both encoders have as many tokens."""
    missing = longest - states.shape[1]
    if not missing:
        return states
    empty = _layer(encoders.clip(role).encode(""), stop or -2)
    return torch.cat([states, empty.repeat(1, missing // empty.shape[1], 1)], dim=1)


def _sd15(encoders: Encoders, texts: Texts, stop: int) -> Encoded:
    """CLIP-L's last layer, or an earlier one, under the final norm."""
    found = encoders.clip("clip_l").encode(texts["clip_l"])
    if stop in (0, -1):
        return found.final, None, ()
    model = encoders.parts["clip_l"][0]
    norm = model.final_layer_norm if hasattr(model, "final_layer_norm") else model.text_model.final_layer_norm
    return norm(_layer(found, stop)), None, ()


_ENCODE: Mapping[str, Callable[[Encoders, Texts, int], Encoded]] = {
    "flux": _flux,
    "sd3": _sd3,
    "sdxl": _sdxl,
    "sd15": _sd15,
}


def zero_out(found: Conditioning) -> Conditioning:
    """The same conditioning with its text and pooled vector set to zero."""
    pooled = None if found.pooled is None else torch.zeros_like(found.pooled)
    return replace(found, embeds=torch.zeros_like(found.embeds), pooled=pooled, truncated=())
