"""What every family is made of: the class that holds all that is known of one, and the values that its loop works on.

A family is one class in one file. Nothing here or there imports torch or diffusers before a model is used, because
checks, scans and the converter of workflows ask families too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import torch

    from imagewright.flow_format import Graph
    from imagewright.t2i_backends.text.encode import Encoded, Encoders, Texts
    from imagewright.t2i_backends.values.handles import Conditioning, Control, Sampling, Shape
    from imagewright.t2i_backends.values.noise_levels import Table

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
"""Configs of published models that ship with us, without weights."""
Shapes = Mapping[str, tuple[int, ...]]
"""The tensors of a file by name, from its header."""
NET_PREFIX = "model.diffusion_model."
"""What stands before the names of the diffusion model's tensors in a whole checkpoint."""


def side(shapes: Shapes, name: str, axis: int = 0) -> int:
    """One side of a tensor, with or without the prefix of a whole checkpoint; 0 when it is not there."""
    for known in (NET_PREFIX + name, name):
        if known in shapes and len(shapes[known]) > axis:
            return shapes[known][axis]
    return 0


def read_weights(file: Path, prefix: str = NET_PREFIX) -> dict[str, torch.Tensor]:
    """The tensors of a lone file whose names begin with ``prefix``, without it."""
    from imagewright.t2i_backends.models.tensors import open_tensors

    with open_tensors(file) as stream:
        names = [name for name in set(stream.keys()) if name.startswith(prefix)]
        return {name.removeprefix(prefix): stream.get_tensor(name) for name in names}


class Family(ABC):
    """All that is known of one family. A text encoder goes by its role: ``clip_l``, ``clip_g`` or ``t5``."""

    name: ClassVar[str]
    """As cards and checks call it."""
    title: ClassVar[str]
    """As people read it."""

    # --- marks: how its files are recognised ---
    pipeline: ClassVar[str]
    """The stock diffusers pipeline for text to image: it reads the LoRAs, and the benchmark measures against it."""
    pipelines: ClassVar[frozenset[str]]
    """Every diffusers pipeline class whose folders hold it."""
    net_class: ClassVar[str]
    """The diffusers class of the diffusion model."""
    net_folder: ClassVar[str]
    """Where a pipeline folder keeps it: ``unet`` or ``transformer``."""
    control_class: ClassVar[str] = ""
    """The diffusers class of its ControlNets; empty where none are drawn with."""
    ends: ClassVar[tuple[tuple[str, str], ...]] = ()
    """The first and the last layer of the diffusion model in each layout of lone files; they tell its channels."""
    configs: ClassVar[Path] = CONFIGS
    """The folder that holds the configs that ``recognise`` and ``recognise_control`` name."""

    # --- text ---
    encoders: ClassVar[Mapping[str, str]]
    """Role of a text encoder → its folder in a pipeline."""
    spare: ClassVar[frozenset[str]] = frozenset()
    """Roles that it can draw without."""
    insisted: ClassVar[frozenset[str]] = frozenset()
    """Those of ``spare`` that a model whose configs name them does not draw without."""
    projected: ClassVar[frozenset[str]] = frozenset({"clip_g"})
    """Roles whose CLIP is used with its projection."""
    clip_types: ClassVar[frozenset[str]] = frozenset()
    """The ``type`` values of ComfyUI's text encoder loaders that mean it."""
    clip_loaders: ClassVar[frozenset[str]] = frozenset()
    """The loaders that may bring its text encoders: ``CLIPLoader``, ``DualCLIPLoader``, ``TripleCLIPLoader``."""

    # --- latents ---
    unit: ClassVar[int] = 1
    """Latent cells that a side must be a multiple of."""
    packed: ClassVar[int] = 1
    """How many cells make one token whose channels the model gives all at once."""
    vae_scaling: ClassVar[float]
    """What its published VAEs' latents are multiplied with, after ``vae_shift`` is taken off."""
    vae_shift: ClassVar[float] = 0.0
    inpaints: ClassVar[bool] = False
    """Whether it has models that see a mask and a masked picture beside their latents."""

    # --- passes ---
    masks_text: ClassVar[bool] = False
    """Whether its attention takes a mask: a layout's regions are then drawn in one pass, else in one each, blended."""
    unbatched: ClassVar[frozenset[str]] = frozenset()
    """Tensors among the model's inputs that have no batch dimension."""
    lora_starts: ClassVar[tuple[str, ...]] = ()
    """How the names of a LoRA's layers begin that its reader understands; empty where it reads them all."""
    lora_alphas: ClassVar[bool] = False
    """Whether the stock pipeline's reader gives the alphas of a LoRA apart from its weights."""
    stock_parts: ClassVar[Mapping[str, Any]] = {}
    """What the stock pipeline is made with beside its models, where the benchmark makes one."""
    stock_call: ClassVar[Mapping[str, Any]] = {"guidance_scale": 1.0}
    """What the stock pipeline is called with for one pass a step."""

    fixed_shift: ClassVar[tuple[float, float, int, int] | None] = None
    """The shift that ComfyUI gives its models at every size, as ``Sampling.dynamic``; None where there is no other."""

    # --- flows ---
    usual: ClassVar[Mapping[str, Any]]
    """What it is usually drawn with: ``steps``, ``cfg``, ``sampler_name``, ``scheduler`` and ``side``, in pixels."""
    model_names: ClassVar[tuple[tuple[str, str], ...]] = ()
    """``(pattern, base model)``: how its files are called; an empty base model is the file's own name."""
    vague_names: ClassVar[tuple[tuple[str, str], ...]] = ()
    """The same for names that other models' files may bear too: every other name is tried first."""
    node_names: ClassVar[str] = ""
    """A pattern for the node classes that only its flows use."""

    # --- recognised by a header or a config -------------------------------------------------

    @abstractmethod
    def recognise(self, shapes: Shapes) -> str | None:
        """Whether a file with these tensors holds its diffusion model.

        Returns:
            The folder of ``configs`` for it, empty where there is none; None for another family's.
        """

    def recognise_control(self, shapes: Shapes) -> str | None:
        """The same for its ControlNets."""
        return None

    def recognise_lora(self, names: str) -> bool:
        """Whether these tensors' names, joined by blanks, are those of one of its LoRAs."""
        return False

    def fits(self, config: Mapping[str, object]) -> bool:
        """Whether a config of its class is its own: families may share a class."""
        return True

    def read_channels(self, shapes: Shapes) -> tuple[int, int]:
        """Channels that the diffusion model of a lone file sees and gives; zeros when nothing tells."""
        found = ((side(shapes, first, 1), side(shapes, last, 0)) for first, last in self.ends)
        return next((pair for pair in found if all(pair)), (0, 0))

    def fills(self, into: int, out: int) -> bool:
        """Whether a model with so many input and output channels is an inpainting model."""
        return self.inpaints and into == 2 * out + 1

    def draws(self, into: int, out: int) -> bool:
        """Whether a model with so many channels is drawn: one that sees its latents alone, or one that ``fills``."""
        return into == out or self.fills(into, out)

    # --- loaded -----------------------------------------------------------------------------

    def net_type(self) -> Any:
        """The class of the diffusion model."""
        import diffusers

        return getattr(diffusers, self.net_class)

    def net_weights(self, file: Path) -> dict[str, torch.Tensor] | None:
        """The diffusion model in a lone file, under diffusers' names; None leaves that to diffusers' own reader."""
        return None

    def control_weights(self, file: Path, config: Path) -> dict[str, torch.Tensor] | None:
        """The same for a ControlNet; ``config`` is its folder."""
        return None

    def describe_noise(self, model: Any) -> Mapping[str, Any]:
        """The scheduler's config for a diffusion model that comes without its pipeline."""
        return {}

    def stock(self) -> Any:
        """The stock pipeline's class."""
        import diffusers

        return getattr(diffusers, self.pipeline)

    def read_lora(self, folder: Any, model: Any, **options: Any) -> tuple[dict[str, Any], Any, Any]:
        """Weights in diffusers' names, alphas and metadata of a LoRA; ``folder`` may be its tensors by name, and
        ``model`` is None for the text encoders' part."""
        found = self.stock().lora_state_dict(folder, **options)
        return (found[0], found[1], found[2]) if self.lora_alphas else (found[0], None, found[1])

    def wear_lora(self, model: Any, weights: dict[str, Any], alphas: Any, metadata: Any, adapter: str) -> None:
        """Put a LoRA's weights on the diffusion model under the name ``adapter``."""
        load = getattr(self.stock(), f"load_lora_into_{self.net_folder}")
        load(weights, *([alphas] if self.lora_alphas else []), model, adapter_name=adapter, metadata=metadata)

    # --- drawn ------------------------------------------------------------------------------

    @abstractmethod
    def encode(self, encoders: Encoders, texts: Texts, stop: int) -> Encoded:
        """``texts`` through the encoders: states, the pooled vector where it has one, what was cut off.

        ``stop`` is the CLIP layer to stop at, counted from the end; 0 for the family's own.

        Raises:
            KeyError: an encoder of that role is missing.
        """

    @abstractmethod
    def table(self, net: Net, sampling: Sampling, shape: Shape) -> Table:
        """The model's noise levels for latents of ``shape``."""

    @abstractmethod
    def inputs(self, net: Net, found: Conditioning, shape: Shape, negative: bool) -> Inputs:
        """A conditioning for the model, still on the CPU; ``negative`` is what counts against."""

    @abstractmethod
    def x0(
        self, net: Net, table: Table, x: torch.Tensor, sigma: float, inputs: Inputs, hints: Sequence[Hint], context: str
    ) -> torch.Tensor:
        """The x0 estimate of latents ``x`` at noise level ``sigma``, float32."""

    def hint(self, model: Any, control: Control, seen: ControlPicture) -> Hint:
        """A ControlNet of ``control_class`` at work on a picture; asked for where there is such a class."""
        raise NotImplementedError(self.name)

    # --- the flow that ``models scan`` adds -------------------------------------------------

    def default_graph(self, checkpoint: str) -> Graph:
        """Text to image on one whole checkpoint, with the usual settings."""
        settings = dict(self.usual)
        side = settings.pop("side")
        return {
            "1": make_node("CheckpointLoaderSimple", ckpt_name=checkpoint),
            "2": make_node("CLIPTextEncode", text="", clip=["1", 1]),
            "3": make_node("CLIPTextEncode", text="", clip=["1", 1]),
            "4": make_node("EmptyLatentImage", width=side, height=side, batch_size=1),
            "5": make_node("KSampler", model=["1", 0], positive=["2", 0], negative=["3", 0], latent_image=["4", 0],
                           seed=0, denoise=1.0, **settings),
            "6": make_node("VAEDecode", samples=["5", 0], vae=["1", 2]),
            "7": make_node("SaveImage", images=["6", 0], filename_prefix="imagewright"),
        }  # fmt: skip


def make_node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """One node of a graph."""
    return {"class_type": class_type, "inputs": inputs}


@dataclass(frozen=True)
class Net:
    """A loaded diffusion model and what belongs to it."""

    model: Any
    family: Family
    scheduler: Mapping[str, Any]
    """The config of the pipeline's scheduler: it says what the model's noise levels are."""
    scale: int
    """Pixels per latent cell of the VAE it was trained with."""
    channels: int
    """Latent channels."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fills(self) -> bool:
        """Whether it has channels for a mask and a masked picture: an inpainting model."""
        return self.family.fills(int(self.model.config.in_channels), self.channels)

    @cached_property
    def dtype(self) -> torch.dtype:
        """The number format that it computes in."""
        found: torch.dtype = self.extra.get("compute_dtype") or self.model.dtype
        return found


@dataclass(frozen=True)
class Inputs:
    """What one pass of the model attends to, on its device and in its number format."""

    embeds: torch.Tensor
    """``(batch, tokens, width)``."""
    pooled: torch.Tensor | None = None
    """``(batch, width)``."""
    guidance: float = 0.0
    """The distilled guidance; used by models that embed it."""
    sizes: torch.Tensor | None = None
    """The size numbers of models that take them, ``(batch, 6)`` or ``(batch, 5)``."""
    mask: torch.Tensor | None = None
    """Bool, ``(1, 1, S, S)`` over text then image tokens; None lets every token see every other."""
    fill: torch.Tensor | None = None
    """What an inpainting model sees beside the latents: mask, masked picture; ``(batch, 1 + C, rows, columns)``."""


def stack_inputs(first: Inputs, second: Inputs) -> Inputs | None:
    """One pass's inputs: the rows of ``first``, then those of ``second``; None where they do not go together."""
    import torch

    shapes = [[None if t is None else t.shape for t in (i.embeds, i.pooled, i.sizes, i.fill)] for i in (first, second)]
    if shapes[0] != shapes[1] or first.guidance != second.guidance or not (first.mask is second.mask is None):
        return None

    def rows(one: torch.Tensor | None, other: torch.Tensor | None) -> torch.Tensor | None:
        return None if one is None or other is None else torch.cat([one, other])

    return Inputs(
        torch.cat([first.embeds, second.embeds]), rows(first.pooled, second.pooled), first.guidance,
        rows(first.sizes, second.sizes), fill=rows(first.fill, second.fill),
    )  # fmt: skip


class ControlPicture(Protocol):
    """The picture of a ControlNet: the part that is drawn, once for each picture of the batch, on the device."""

    def pixels(self, low: float, high: float) -> torch.Tensor:
        """``(batch, 3, height, width)``, black at ``low`` and white at ``high``."""
        ...

    def latents(self, without_shift: bool = False) -> torch.Tensor:
        """``(batch, C, rows, columns)``, scaled as the model's latents are; some ControlNets leave the shift out."""
        ...


class Hint(Protocol):
    """A ControlNet at work: what it adds to the model."""

    def residuals(self, net: Net, x: torch.Tensor, sigma: float, time: float, inputs: Inputs) -> Mapping[str, Any]:
        """Keyword arguments for the diffusion model; ``x`` is what the model sees."""
        ...


def merge_residuals(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The residuals of several ControlNets, added up block by block."""
    total: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = value if name not in total else _plus(total[name], value)
    return total


def _plus(one: Any, other: Any) -> Any:
    import torch

    if isinstance(one, (list, tuple)):
        return [_plus(a, b) for a, b in zip(one, other, strict=True)]
    return one + other if isinstance(one, torch.Tensor) else one
