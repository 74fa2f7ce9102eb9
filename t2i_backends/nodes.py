"""The nodes that this backend runs: ComfyUI's names, inputs and meaning, each a small function in ``NODES``.

A node function takes the ``Runtime`` and its inputs by name, and returns its outputs. To add one, write the function
and its line in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PIL import Image

from imagewright.errors import BadInput
from imagewright.t2i_backends.handles import ClipHandle, Conditioning, Latent, ModelHandle, VaeHandle
from imagewright.t2i_backends.node_inputs import Input, choice, link, model_file, real, whole
from imagewright.t2i_backends.sigmas import SCHEDULERS

if TYPE_CHECKING:
    from imagewright.t2i_backends.runtime import Runtime

SAMPLER_NAMES = ("euler", "heun", "dpmpp_2m")
MAX_SIDE = 2048
"""Pixels a side; the FLUX family is trained to about two megapixels."""
MAX_STEPS = 200
_WEIGHT_TYPES = ("default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2")


@dataclass(frozen=True)
class Node:
    """A node class."""

    run: Callable[..., tuple[Any, ...]]
    inputs: Mapping[str, Input]
    outputs: tuple[str, ...]
    loads: bool = False
    """It only names model files: run every time, and known to the cache by what it names."""
    beside: bool = False
    """It uses what a job states beside its graph: regions and redraw."""


def checkpoint_loader(run: Runtime, ckpt_name: str) -> tuple[ModelHandle, ClipHandle, VaeHandle]:
    """A whole pipeline: model, text encoders and VAE."""
    found = run.find("checkpoints", ckpt_name)
    return ModelHandle(found), ClipHandle((found,)), VaeHandle(found)


def unet_loader(run: Runtime, unet_name: str, weight_dtype: str) -> tuple[ModelHandle]:
    """A diffusion model alone. fp8 storage is not done here: the model is loaded whole, and the facts say so."""
    if weight_dtype != "default":
        run.note(f"weight_dtype {weight_dtype}: loaded as {run.dtype_name} instead")
    return (ModelHandle(run.find("diffusion_models", unet_name)),)


def dual_clip_loader(run: Runtime, clip_name1: str, clip_name2: str, type: str, device: str) -> tuple[ClipHandle]:
    """CLIP and T5, in either order."""
    if device != "default":
        run.note(f"DualCLIPLoader device {device}: the text encoders run on {run.device_name}")
    return (ClipHandle(tuple(run.find("text_encoders", name) for name in (clip_name1, clip_name2))),)


def vae_loader(run: Runtime, vae_name: str) -> tuple[VaeHandle]:
    """A VAE alone."""
    return (VaeHandle(run.find("vae", vae_name)),)


def lora_loader(run: Runtime, model: ModelHandle, lora_name: str, strength_model: float) -> tuple[ModelHandle]:
    """A LoRA on the model; 0 leaves the model as it is."""
    lora = run.find("loras", lora_name)
    return (model.with_lora(lora, strength_model) if strength_model else model,)


def text_encode(run: Runtime, text: str, clip: ClipHandle) -> tuple[Conditioning]:
    """A prompt to conditioning."""
    return (run.encode(clip, text),)


def zero_out(run: Runtime, conditioning: Conditioning) -> tuple[Conditioning]:
    """Text and pooled vector set to zero."""
    return (run.zero_out(conditioning),)


def flux_guidance(run: Runtime, conditioning: Conditioning, guidance: float) -> tuple[Conditioning]:
    """The distilled guidance of a conditioning."""
    return (replace(conditioning, guidance=guidance),)


def empty_latent(run: Runtime, width: int, height: int, batch_size: int) -> tuple[Latent]:
    """An empty canvas; its channels and cells are the model's."""
    if batch_size > 1:
        run.note(f"batch_size {batch_size}: the first picture of the batch was drawn")
    return (Latent(width, height, batch=batch_size),)


def k_sampler(run: Runtime, **inputs: Any) -> tuple[Latent]:
    """Denoise: sampler, scheduler, cfg and denoise as in ComfyUI; regions and redraw from beside the graph."""
    return (run.sample(**inputs),)


def vae_decode(run: Runtime, samples: Latent, vae: VaeHandle) -> tuple[Image.Image]:
    """Latents to a picture."""
    if samples.samples is None:
        raise BadInput("a VAEDecode gets an empty latent", "put a KSampler before it")
    return (run.decode(samples, vae),)


def save_image(run: Runtime, images: Image.Image, filename_prefix: str) -> tuple[Image.Image]:
    """The result of the flow; nothing is written."""
    return (images,)


_SAMPLING = {
    "model": link("MODEL"),
    "seed": whole(0, 2**64 - 1),
    "steps": whole(1, MAX_STEPS),
    "cfg": real(0, 100),
    "sampler_name": choice(*SAMPLER_NAMES),
    "scheduler": choice(*SCHEDULERS),
    "positive": link("CONDITIONING"),
    "negative": link("CONDITIONING"),
    "latent_image": link("LATENT"),
    "denoise": real(0, 1, default=1.0),
}
_EMPTY = {"width": whole(16, MAX_SIDE), "height": whole(16, MAX_SIDE), "batch_size": whole(1, 64, default=1)}
_DUAL_CLIP = {
    "clip_name1": model_file("text_encoders"),
    "clip_name2": model_file("text_encoders"),
    "type": choice("flux"),
    "device": choice("default", "cpu", default="default"),
}
_TEXT = Input("text")
_CONDITIONING = link("CONDITIONING")
_PREFIX = Input("text", default="")

_UNET = {"unet_name": model_file("diffusion_models"), "weight_dtype": choice(*_WEIGHT_TYPES, default="default")}
_LORA = {"model": link("MODEL"), "lora_name": model_file("loras"), "strength_model": real(-100, 100, default=1.0)}
_CHECKPOINT = {"ckpt_name": model_file("checkpoints")}

NODES: Mapping[str, Node] = {
    "CheckpointLoaderSimple": Node(checkpoint_loader, _CHECKPOINT, ("MODEL", "CLIP", "VAE"), loads=True),
    "UNETLoader": Node(unet_loader, _UNET, ("MODEL",), loads=True),
    "DualCLIPLoader": Node(dual_clip_loader, _DUAL_CLIP, ("CLIP",), loads=True),
    "VAELoader": Node(vae_loader, {"vae_name": model_file("vae")}, ("VAE",), loads=True),
    "LoraLoaderModelOnly": Node(lora_loader, _LORA, ("MODEL",), loads=True),
    "CLIPTextEncode": Node(text_encode, {"text": _TEXT, "clip": link("CLIP")}, ("CONDITIONING",)),
    "ConditioningZeroOut": Node(zero_out, {"conditioning": _CONDITIONING}, ("CONDITIONING",)),
    "FluxGuidance": Node(flux_guidance, {"conditioning": _CONDITIONING, "guidance": real(0, 100)}, ("CONDITIONING",)),
    "EmptySD3LatentImage": Node(empty_latent, _EMPTY, ("LATENT",)),
    "KSampler": Node(k_sampler, _SAMPLING, ("LATENT",), beside=True),
    "VAEDecode": Node(vae_decode, {"samples": link("LATENT"), "vae": link("VAE")}, ("IMAGE",)),
    "SaveImage": Node(save_image, {"images": link("IMAGE"), "filename_prefix": _PREFIX}, ("IMAGE",)),
}
"""Every node class that this backend runs."""
OUTPUTS: Mapping[str, tuple[str, ...]] = {name: node.outputs for name, node in NODES.items()}
