"""Nodes that name model files, and nodes that change a model before it is used."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imagewright.errors import BadInput
from imagewright.t2i_backends.families.table import find_by_clip_type, list_clip_types, list_titles
from imagewright.t2i_backends.models.lora_names import TEXT_ALONE, changes_text_alone
from imagewright.t2i_backends.models.model_files import family_of
from imagewright.t2i_backends.nodes.registry import MAX_SCALED, node_class
from imagewright.t2i_backends.values.handles import ClipHandle, ModelHandle, VaeHandle
from imagewright.t2i_backends.values.node_inputs import choice, link, model_file, real, truth, whole

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime

_WEIGHT_TYPES = ("default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2")
_ONE_CLIP = choice(*list_clip_types("CLIPLoader"))
_TWO_CLIPS = choice(*list_clip_types("DualCLIPLoader"))
_THREE_CLIPS = list_clip_types("TripleCLIPLoader")[-1]
"""That loader states no type: it means ours, whatever other packages bring."""
_CLIP = model_file("text_encoders")
_DEVICE = choice("default", "cpu", default="default")


@node_class("CheckpointLoaderSimple", {"ckpt_name": model_file("checkpoints")}, ("MODEL", "CLIP", "VAE"), loads=True)
def checkpoint_loader(run: Runtime, ckpt_name: str) -> tuple[ModelHandle, ClipHandle, VaeHandle]:
    """A whole pipeline: model, text encoders and VAE."""
    found = run.find("checkpoints", ckpt_name)
    return ModelHandle(found), ClipHandle((found,)), VaeHandle(found)


@node_class(
    "UNETLoader",
    {"unet_name": model_file("diffusion_models"), "weight_dtype": choice(*_WEIGHT_TYPES, default="default")},
    ("MODEL",),
    loads=True,
)
def unet_loader(run: Runtime, unet_name: str, weight_dtype: str) -> tuple[ModelHandle]:
    """A diffusion model alone; fp8 keeps its weights in 8 bits and computes in the run's number format."""
    found = run.find("diffusion_models", unet_name)
    if weight_dtype == "default":
        return (ModelHandle(found),)
    run.facts["weights"] = weight_dtype
    return (ModelHandle(found, storage=weight_dtype),)


def _text_encoders(run: Runtime, names: tuple[str, ...], kind: str, device: str) -> tuple[ClipHandle]:
    if device != "default":
        run.note(f"text encoder device {device}: the text encoders run on {run.device_name}")
    family = find_by_clip_type(kind)
    if family is None:
        raise BadInput(f"text encoders of type {kind!r} are not used here", f"this backend draws {list_titles()}")
    return (ClipHandle(tuple(run.find("text_encoders", name) for name in names), family.name),)


@node_class("CLIPLoader", {"clip_name": _CLIP, "type": _ONE_CLIP, "device": _DEVICE}, ("CLIP",), loads=True)
def clip_loader(run: Runtime, clip_name: str, type: str, device: str) -> tuple[ClipHandle]:
    """One text encoder."""
    return _text_encoders(run, (clip_name,), type, device)


@node_class(
    "DualCLIPLoader",
    {"clip_name1": _CLIP, "clip_name2": _CLIP, "type": _TWO_CLIPS, "device": _DEVICE},
    ("CLIP",),
    loads=True,
)
def dual_clip_loader(run: Runtime, clip_name1: str, clip_name2: str, type: str, device: str) -> tuple[ClipHandle]:
    """Two text encoders, in either order."""
    return _text_encoders(run, (clip_name1, clip_name2), type, device)


@node_class("TripleCLIPLoader", {"clip_name1": _CLIP, "clip_name2": _CLIP, "clip_name3": _CLIP}, ("CLIP",), loads=True)
def triple_clip_loader(run: Runtime, clip_name1: str, clip_name2: str, clip_name3: str) -> tuple[ClipHandle]:
    """SD3's three text encoders, in any order."""
    return _text_encoders(run, (clip_name1, clip_name2, clip_name3), _THREE_CLIPS, "default")


@node_class(
    "CLIPSetLastLayer", {"clip": link("CLIP"), "stop_at_clip_layer": whole(-24, -1, default=-1)}, ("CLIP",), loads=True
)
def clip_set_last_layer(run: Runtime, clip: ClipHandle, stop_at_clip_layer: int) -> tuple[ClipHandle]:
    """The CLIP layer to stop at, counted from the end."""
    return (replace(clip, stop=stop_at_clip_layer),)


@node_class("VAELoader", {"vae_name": model_file("vae")}, ("VAE",), loads=True)
def vae_loader(run: Runtime, vae_name: str) -> tuple[VaeHandle]:
    """A VAE alone."""
    return (VaeHandle(run.find("vae", vae_name)),)


_STRENGTH = real(-100, 100, default=1.0)
_LORA = model_file("loras")


@node_class(
    "LoraLoaderModelOnly",
    {"model": link("MODEL"), "lora_name": _LORA, "strength_model": _STRENGTH},
    ("MODEL",),
    loads=True,
)
def lora_loader_model_only(
    run: Runtime, model: ModelHandle, lora_name: str, strength_model: float
) -> tuple[ModelHandle]:
    """A LoRA on the model; 0 leaves the model as it is."""
    lora = run.find("loras", lora_name)
    if strength_model and changes_text_alone(lora.path):
        raise BadInput(f"{lora_name!r} {TEXT_ALONE[0]}", TEXT_ALONE[1])
    return (model.with_lora(lora, strength_model) if strength_model else model,)


@node_class(
    "LoraLoader",
    {
        "model": link("MODEL"),
        "clip": link("CLIP"),
        "lora_name": _LORA,
        "strength_model": _STRENGTH,
        "strength_clip": _STRENGTH,
    },
    ("MODEL", "CLIP"),
    loads=True,
)
def lora_loader(
    run: Runtime, model: ModelHandle, clip: ClipHandle, lora_name: str, strength_model: float, strength_clip: float
) -> tuple[ModelHandle, ClipHandle]:
    """A LoRA on the model and on the text encoders, each with its strength."""
    lora = run.find("loras", lora_name)
    text = replace(clip, loras=(*clip.loras, (lora, strength_clip))) if strength_clip else clip
    return (model.with_lora(lora, strength_model) if strength_model else model), text


def _resampled(model: ModelHandle, **changes: object) -> tuple[ModelHandle]:
    return (replace(model, sampling=replace(model.sampling, **changes)),)  # type: ignore[arg-type]


_MODEL = link("MODEL")


def _tell_scale(run: Runtime, model: ModelHandle, name: str, family: str) -> None:
    if family_of(model.source) == family:
        run.note(f"{name}: its shift alone counts here; ComfyUI would scale the model's times for another family, too")


@node_class("ModelSamplingSD3", {"model": _MODEL, "shift": real(0, 100, default=3.0)}, ("MODEL",), loads=True)
def model_sampling_sd3(run: Runtime, model: ModelHandle, shift: float) -> tuple[ModelHandle]:
    """Another static shift of a flow-matching model."""
    _tell_scale(run, model, "ModelSamplingSD3", "flux")
    return _resampled(model, shift=shift, dynamic=None)


@node_class("ModelSamplingAuraFlow", {"model": _MODEL, "shift": real(0, 100, default=1.73)}, ("MODEL",), loads=True)
def model_sampling_aura_flow(run: Runtime, model: ModelHandle, shift: float) -> tuple[ModelHandle]:
    """The same, with another default."""
    _tell_scale(run, model, "ModelSamplingAuraFlow", "sd3")
    return _resampled(model, shift=shift, dynamic=None)


@node_class(
    "ModelSamplingFlux",
    {
        "model": _MODEL,
        "max_shift": real(0, 100, default=1.15),
        "base_shift": real(0, 100, default=0.5),
        "width": whole(16, MAX_SCALED, default=1024),
        "height": whole(16, MAX_SCALED, default=1024),
    },
    ("MODEL",),
    loads=True,
)
def model_sampling_flux(
    run: Runtime, model: ModelHandle, max_shift: float, base_shift: float, width: int, height: int
) -> tuple[ModelHandle]:
    """FLUX's dynamic shift, fixed at one size."""
    return _resampled(model, dynamic=(max_shift, base_shift, width, height))


_PREDICTIONS = {"eps": "epsilon", "v_prediction": "v_prediction", "lcm": "lcm", "x0": "sample"}


@node_class(
    "ModelSamplingDiscrete",
    {"model": _MODEL, "sampling": choice(*_PREDICTIONS), "zsnr": truth(default=False)},
    ("MODEL",),
    loads=True,
)
def model_sampling_discrete(run: Runtime, model: ModelHandle, sampling: str, zsnr: bool) -> tuple[ModelHandle]:
    """What a diffusion model predicts, and whether its last step is pure noise."""
    return _resampled(model, prediction=_PREDICTIONS[sampling], zero_terminal_snr=zsnr)
