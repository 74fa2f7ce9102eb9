"""What flows along the links of a graph in this process. Model handles only name files; loading waits for use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from imagewright.t2i_backends.models.model_files import ModelPath

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from PIL import Image

    from imagewright.t2i_backends.values.noise_levels import Table

Images = tuple["Image.Image", ...]
"""IMAGE: RGB pictures of one size, at least one."""
DEFAULT_GUIDANCE = 3.5
"""The distilled guidance where a flow has no FluxGuidance node; ComfyUI's value."""
Loras = tuple[tuple[ModelPath, float], ...]


@dataclass(frozen=True)
class Sampling:
    """What a ModelSampling node says of a model's noise levels; None leaves the model's own."""

    shift: float | None = None
    """The static shift of a flow-matching model."""
    dynamic: tuple[float, float, int, int] | None = None
    """``max_shift, base_shift, width, height`` of a flow-matching model whose shift grows with the picture."""
    prediction: str = ""
    """``epsilon``, ``v_prediction``, ``sample`` or ``lcm`` of a diffusion model."""
    zero_terminal_snr: bool = False


@dataclass(frozen=True)
class ModelHandle:
    """A diffusion model (MODEL), the LoRAs on it in order, and how its nodes change its noise levels."""

    source: ModelPath
    loras: Loras = ()
    sampling: Sampling = Sampling()
    storage: str = ""
    """The 8-bit float format that its weights are kept in (``fp8_e4m3fn``…); empty for the number format of the run."""

    def with_lora(self, lora: ModelPath, strength: float) -> ModelHandle:
        """The same model with one more LoRA."""
        return replace(self, loras=(*self.loras, (lora, strength)))


@dataclass(frozen=True)
class ClipHandle:
    """The text encoders (CLIP): one pipeline, or the parts that a CLIPLoader names."""

    sources: tuple[ModelPath, ...]
    family: str = ""
    """The family that a loader's ``type`` states; empty where the pipeline says it."""
    stop: int = 0
    """The CLIP layer to stop at, counted from the end (-1 is the last); 0 for the family's own."""
    loras: Loras = ()


@dataclass(frozen=True)
class VaeHandle:
    """The autoencoder (VAE)."""

    source: ModelPath


@dataclass(frozen=True)
class ControlHandle:
    """A ControlNet (CONTROL_NET)."""

    source: ModelPath
    mode: int | None = None
    """What a union ControlNet is to read the picture as."""


@dataclass(frozen=True)
class Control:
    """One ControlNet at work on a conditioning."""

    net: ControlHandle
    images: Images
    """One for the whole batch, or one for each of its pictures in turn."""
    strength: float
    start: float
    end: float
    """From when to when, as shares of the way from noise to picture."""
    vae: VaeHandle | None = None


@dataclass(frozen=True)
class Area:
    """The part of the canvas that a conditioning is drawn in, the whole of it where nothing else is said."""

    y: float
    x: float
    height: float
    width: float
    fractions: bool
    """Whether the four are shares of the canvas; pixels otherwise."""


@dataclass(frozen=True)
class Fill:
    """What a model with channels for inpainting is told of the picture that it fills."""

    samples: torch.Tensor
    """The picture with grey in the hole, in scaled latents ``(count, channels, rows, columns)``."""
    mask: npt.NDArray[np.float32]
    """Where the hole is, ``(count, height, width)`` of any size."""


@dataclass(frozen=True)
class Conditioning:
    """One encoded text (an entry of CONDITIONING) and where, when and how strongly it counts."""

    embeds: torch.Tensor
    """``(1, tokens, width)``."""
    pooled: torch.Tensor | None
    """``(1, width)``; None for families without a pooled vector."""
    clip: ClipHandle
    """What encoded it; region prompts go through the same encoders."""
    guidance: float = DEFAULT_GUIDANCE
    truncated: tuple[str, ...] = ()
    """What the tokenizers cut off, in words."""
    remarks: tuple[str, ...] = ()
    """What else was left out of the text, in words."""
    sizes: Mapping[str, float] = field(default_factory=dict)
    """What SDXL's encoders state: ``width``, ``height``, ``crop_w``, ``crop_h``, ``target_width``, ``target_height``,
    ``ascore``."""
    area: Area | None = None
    mask: npt.NDArray[np.float32] | None = None
    """How much each pixel of the canvas counts, ``(1 or batch, height, width)``; it is resized to the latents."""
    mask_bounds: bool = False
    """Whether only the box around the mask is drawn."""
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    """From when to when, as shares of the way from noise to picture."""
    controls: tuple[Control, ...] = ()
    fill: Fill | None = None

    @property
    def plain(self) -> bool:
        """Whether it holds everywhere, always, and with the same weight as every other plain one."""
        return self.area is None and self.mask is None and (self.strength, self.start, self.end) == (1.0, 0.0, 1.0)


Conditionings = tuple[Conditioning, ...]
"""CONDITIONING: one prediction is made for each, and they are blended."""


@dataclass(frozen=True)
class Latent:
    """Latents (LATENT) as the diffusion model sees them, scaled; None stands for an empty canvas."""

    width: int
    height: int
    """Pixels."""
    samples: torch.Tensor | None = None
    """``(batch, channels, height / scale, width / scale)``, float32 on the CPU."""
    batch: int = 1
    """How many pictures are drawn at once."""
    mask: npt.NDArray[np.float32] | None = None
    """What to draw anew (1) and what to keep (0), ``(1 or batch, rows, columns)`` of any size; None draws all."""
    places: tuple[int, ...] = ()
    """The places of these latents in the batch that their noise is drawn for; empty for all, in order."""


Shape = tuple[int, int, int, int]
"""Of latents: batch, channels, rows, columns."""
Sigmas = Callable[[Callable[[ModelHandle], "Table"], float], list[float]]
"""SIGMAS: a schedule, made once the noise levels of its model for this size are known; the number is how strongly to
redraw (1 for a new picture)."""


@dataclass(frozen=True)
class Guider:
    """GUIDER: a model with what it is guided by; no negative for a guider without cfg."""

    model: ModelHandle
    positive: Conditionings
    negative: Conditionings = ()
    cfg: float = 1.0


@dataclass(frozen=True)
class Noise:
    """NOISE: a seed, or None for no noise at all."""

    seed: int | None


@dataclass(frozen=True)
class UpscalerHandle:
    """An upscaling network (UPSCALE_MODEL)."""

    source: ModelPath


Masks = Any
"""MASK: float32 of shape ``(count, height, width)`` in [0, 1]."""
