"""Models in the shape of a config with random weights: speed and memory do not depend on what weights hold."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import diffusers
import torch
import transformers
from torch.overrides import TorchFunctionMode

from imagewright.errors import BadInput
from imagewright.t2i_backends.families.base import Net
from imagewright.t2i_backends.families.table import known_families
from imagewright.t2i_backends.models.loading import latent_channels
from imagewright.t2i_backends.models.model_files import ModelPath, component, family_of, read_config, vae_scale
from imagewright.t2i_backends.pictures.pixels import Vae
from imagewright.t2i_backends.text import tokenizers
from imagewright.t2i_backends.text.encode import Encoders
from imagewright.t2i_backends.values.handles import ClipHandle

_BLOCK = 1 << 20
_SPREAD = 0.02
"""The usual spread of weights at the start of a training."""


class RandomModels:
    """Loads like ``loading``, but reads configs only. Weights are made in RAM, as those of files are."""

    def load_net(self, source: ModelPath, dtype: torch.dtype) -> Net:
        """A diffusion model in the shape of ``source``."""
        family = known_families()[family_of(source)]
        config = read_config(component(source, "net")[0] / "config.json")
        model = _made(lambda: family.net_type().from_config(config), dtype)
        schedule = read_config(component(source, "net")[0].parent / "scheduler" / "scheduler_config.json")
        return Net(model, family, schedule, vae_scale(source), latent_channels(model, family))

    def load_vae(self, source: ModelPath, dtype: torch.dtype, family: str) -> Vae:
        """An autoencoder in the shape of ``source``."""
        config = read_config(component(source, "vae")[0] / "config.json")
        kind = getattr(diffusers, str(config["_class_name"]))
        return Vae(_made(lambda: kind.from_config(config), dtype), vae_scale(source))

    def load_encoders(self, handle: ClipHandle, dtype: torch.dtype) -> Encoders:
        """Text encoders in the shape of the first source, with real tokenizers."""
        source = handle.sources[0]
        family = family_of(source)
        folders = {folder.name: folder for folder in component(source, "text")}
        parts = {}
        for role, name in known_families()[family].encoders.items():
            if name in folders:
                config = read_config(folders[name] / "config.json")
                kind = getattr(transformers, cast("list[str]", config["architectures"])[0])
                model = _made(functools.partial(kind, kind.config_class(**config)), dtype)
                parts[role] = model, tokenizers.find_tokenizer(source, folders[name], role)
        return Encoders(family, parts)

    def load_control(self, source: ModelPath, dtype: torch.dtype) -> Any:
        """Refused: a measurement draws without ControlNets."""
        raise BadInput(f"{source.path.name} is not made of random weights", "measure without it")

    def load_upscaler(self, source: ModelPath, device: torch.device) -> Any:
        """Refused: a measurement draws without upscalers."""
        raise BadInput(f"{source.path.name} is not made of random weights", "measure without it")


def _made(build: Callable[[], Any], dtype: torch.dtype) -> Any:
    with _plain_memory(dtype):
        model = build()
    block = torch.randn(_BLOCK, generator=torch.Generator("cpu").manual_seed(0)).mul_(_SPREAD).to(dtype)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        flat = parameter.view(-1)
        for start in range(0, flat.numel(), _BLOCK):
            part = flat[start : start + _BLOCK]
            part.copy_(block[: part.numel()])
    return model.eval()


@contextmanager
def _plain_memory(dtype: torch.dtype) -> Iterator[None]:
    """New weights in that number format, without the models' own initialisation, which takes minutes at full size."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with _NoStart():
            yield
    finally:
        torch.set_default_dtype(before)


_STARTS = frozenset((
    torch.Tensor.uniform_, torch.nn.init.uniform_, torch.nn.init.normal_, torch.nn.init.kaiming_uniform_,
    torch.nn.init.kaiming_normal_,
))  # fmt: skip
"""What fills a new tensor with random numbers: torch hands each of these over, and does not look into it again."""


class _NoStart(TorchFunctionMode):
    """Leaves tensors as they are where they would be filled with random numbers."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in _STARTS:
            return args[0] if args else given["tensor"]
        if func is torch.Tensor.normal_:  # trunc_normal_ draws until all lies within its bounds, as the mean does
            return args[0].fill_(args[1] if len(args) > 1 else given.get("mean", 0.0))
        return func(*args, **given)
