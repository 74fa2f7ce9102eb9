"""Text and pictures in and out of a FLUX pipeline, by the pipeline's own methods."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.pipelines.flux.pipeline_flux_img2img import retrieve_latents
from PIL import Image

from imagewright.t2i_backends.handles import ClipHandle, Conditioning
from imagewright.t2i_backends.model_store import quiet

MAX_TEXT = 512
"""The longest text sequence that FLUX takes, in tokens."""


def text_length(pipe: Any) -> int:
    """The text sequence length of a checkpoint: its second tokenizer's limit, 512 where that is larger or unset."""
    return int(min(pipe.tokenizer_2.model_max_length, MAX_TEXT))


@torch.inference_mode()
def encode_text(pipe: Any, clip: ClipHandle, text: str) -> Conditioning:
    """``text`` through ``FluxPipeline.encode_prompt``, onto the CPU; ``truncated`` says what was cut off."""
    length = text_length(pipe)
    with quiet():
        device = pipe.text_encoder_2.device
        embeds, pooled, _ = pipe.encode_prompt(text, device=device, max_sequence_length=length)
        cuts = (_cut(pipe.tokenizer, pipe.tokenizer_max_length, text), _cut(pipe.tokenizer_2, length, text))
    return Conditioning(embeds.cpu(), pooled.cpu(), clip, truncated=tuple(cut for cut in cuts if cut))


def _cut(tokenizer: Any, limit: int, text: str) -> str:
    """What a tokenizer leaves out, in words; empty when the text fits."""
    tokens = len(tokenizer(text, padding=False, truncation=False)["input_ids"])
    return f"{limit} of {tokens} tokens of {text[:60]!r}" if tokens > limit else ""


def zero_out(found: Conditioning) -> Conditioning:
    """The same conditioning with its text and pooled vector set to zero."""
    embeds, pooled = torch.zeros_like(found.embeds), torch.zeros_like(found.pooled)
    return Conditioning(embeds, pooled, found.clip, found.guidance)


@torch.inference_mode()
def decode(pipe: Any, latents: torch.Tensor) -> Image.Image:
    """Latents ``(1, C, h, w)`` to a picture, as ``FluxPipeline`` ends."""
    config = pipe.vae.config
    scaled = latents.to(pipe.vae.device, torch.float32) / config.scaling_factor + (config.shift_factor or 0.0)
    image = pipe.vae.decode(scaled.to(pipe.vae.dtype), return_dict=False)[0]
    picture: Image.Image = pipe.image_processor.postprocess(image, output_type="pil")[0]
    return picture


@torch.inference_mode()
def encode_image(pipe: Any, image: Image.Image) -> torch.Tensor:
    """A picture to latents ``(1, C, h, w)``, float32 on the CPU: the mean of the VAE's posterior."""
    config = pipe.vae.config
    pixels = pipe.image_processor.preprocess(image.convert("RGB")).to(pipe.vae.device, pipe.vae.dtype)
    latents = retrieve_latents(pipe.vae.encode(pixels), sample_mode="argmax").float().cpu()
    scaled: torch.Tensor = (latents - (config.shift_factor or 0.0)) * config.scaling_factor
    return scaled
