"""Loaded models: each part is loaded from local safetensors once, kept in a small LRU, and placed as memory allows.

Where everything fits, everything stays on the device. Else (``model``) the text encoders and the diffusion model take
turns there, or (``group``) only some layers at a time are there, and the rest waits in RAM.
"""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from imagewright.t2i_backends.families.base import Net
from imagewright.t2i_backends.models import loading
from imagewright.t2i_backends.models.loading import quiet
from imagewright.t2i_backends.models.memory import Level
from imagewright.t2i_backends.pictures.pixels import Vae
from imagewright.t2i_backends.text.encode import Encoders
from imagewright.t2i_backends.values.handles import ClipHandle, ControlHandle, ModelHandle, UpscalerHandle, VaeHandle

__all__ = ["ModelStore", "quiet"]

_PARTS = ("net", "text", "vae", "control", "upscaler")
_TURNS = ("net", "control"), ("text",)
"""Parts that are on the device together where they take turns; the rest always stays there."""


class ModelStore:
    """An LRU of loaded parts, at most ``limit`` of each kind."""

    def __init__(self, device: torch.device, dtype: torch.dtype, limit: int, loader: Any = loading) -> None:
        self.device, self.dtype, self.limit = device, dtype, limit
        self.loader = loader
        """What loads parts: ``loading``, or anything with its five functions."""
        self.level: Level = "none"
        self._parts: dict[str, OrderedDict[str, Any]] = {part: OrderedDict() for part in _PARTS}
        self._weights: WeakKeyDictionary[Any, tuple[Any, ...]] = WeakKeyDictionary()
        self.loads = 0
        """How many parts were loaded from disk so far."""
        self.seconds = 0.0
        """How long that took."""

    def place(self, level: Level) -> None:
        """Place what is loaded from now on by ``level``; what was placed otherwise is let go."""
        if level != self.level:
            self.clear()
            self.level = level

    def clear(self) -> None:
        """Let go of everything."""
        for kept in self._parts.values():
            kept.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def net(self, handle: ModelHandle) -> Net:
        """The diffusion model of ``handle``, without its LoRAs; its prediction is what a node says, if one does."""
        source, storage = handle.source, handle.storage

        def load() -> Net:
            net: Net = self.loader.load_net(source, self.dtype)
            self._settle(net.model, storage)
            return net if not storage else replace(net, extra={**net.extra, "compute_dtype": self.dtype})

        net: Net = self._get("net", f"{source.stamp} {storage}", load, source.path)
        said = handle.sampling.prediction
        return replace(net, extra={**net.extra, "prediction": said}) if said else net

    def text(self, handle: ClipHandle) -> Encoders:
        """The text encoders of ``handle``, without its LoRAs."""

        def load() -> Encoders:
            found: Encoders = self.loader.load_encoders(handle, self.dtype)
            for model, _ in found.parts.values():
                self._settle(model)
            return replace(found, device=self.device)

        stamp = "|".join((handle.family, *(source.stamp for source in handle.sources)))
        return self._get("text", stamp, load, handle.sources[0].path)  # type: ignore[no-any-return]

    def vae(self, handle: VaeHandle, family: str = "") -> Vae:
        """The autoencoder of ``handle``; ``family`` says how the latents of a lone file are scaled."""
        source = handle.source

        def load() -> Vae:
            found: Vae = self.loader.load_vae(source, self.dtype, family)
            self._ready(found.model).to(self.device)
            return found

        return self._get("vae", f"{source.stamp} {family}", load, source.path)  # type: ignore[no-any-return]

    def control(self, handle: ControlHandle) -> Any:
        """The ControlNet of ``handle``."""
        source = handle.source

        def load() -> Any:
            model = self.loader.load_control(source, self.dtype)
            self._settle(model)
            return model

        return self._get("control", source.stamp, load, source.path)

    def upscaler(self, handle: UpscalerHandle) -> Any:
        """The upscaling network of ``handle``."""
        source = handle.source
        return self._get("upscaler", source.stamp, lambda: self.loader.load_upscaler(source, self.device), source.path)

    def count_loaded(self, part: str) -> int:
        """How many of ``part`` (net, text, vae, control, upscaler) are in memory."""
        return len(self._parts[part])

    def _get(self, part: str, stamp: str, load: Callable[[], Any], path: Path) -> Any:
        """The part of that stamp from the LRU, loaded if need be; the least lately used goes first."""
        kept = self._parts[part]
        if stamp not in kept:
            while len(kept) >= self.limit:
                kept.popitem(last=False)
            self._make_way(part)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            start = time.perf_counter()
            with loading.loading(path):
                kept[stamp] = self._with_room(load)
            self.loads += 1
            self.seconds += time.perf_counter() - start
        kept.move_to_end(stamp)
        self._take_turn(part, kept[stamp])
        return kept[stamp]

    def _with_room(self, load: Callable[[], Any]) -> Any:
        """What ``load`` gives; where memory runs short, everything else is let go and it is tried once more."""
        with contextlib.suppress(torch.OutOfMemoryError):
            return load()
        self.clear()
        return load()

    # --- where parts are --------------------------------------------------------------------

    def _ready(self, model: Any) -> Any:
        return model.eval().requires_grad_(False)

    def _settle(self, model: Any, storage: str = "") -> None:
        """Put a loaded model where the level wants it, its weights in ``storage`` where a flow asks for 8 bits."""
        self._ready(model)
        if storage:
            model.enable_layerwise_casting(storage_dtype=_STORAGE[storage], compute_dtype=self.dtype)
        if self.level == "none":
            model.to(self.device)
        elif self.level == "group":
            from diffusers.hooks import apply_group_offloading

            apply_group_offloading(
                model, onload_device=self.device, offload_device=torch.device("cpu"), offload_type="leaf_level",
                use_stream=self.device.type == "cuda",
            )  # fmt: skip

    def _make_way(self, part: str) -> None:
        """Under ``model``, send what takes turns with ``part`` back to RAM before it is loaded."""
        turn = next((turn for turn in _TURNS if part in turn), None)
        if self.level != "model" or turn is None:
            return
        for other, kept in self._parts.items():
            if other not in turn and any(other in each for each in _TURNS):
                for found in kept.values():
                    for model in _modules(found):
                        model.to("cpu")

    def _take_turn(self, part: str, found: Any) -> None:
        if self.level == "model" and any(part in turn for turn in _TURNS):
            self._make_way(part)
            for model in _modules(found):
                model.to(self.device)

    @property
    def loaded_bytes(self) -> int:
        """The memory of the device that the loaded parts take."""
        return self._bytes(lambda p: p.device.type == self.device.type)

    @property
    def waiting_bytes(self) -> int:
        """The RAM that parts take which wait for their turn on the device."""
        return self._bytes(lambda p: p.device.type != self.device.type)

    def _bytes(self, counts: Callable[[Any], bool]) -> int:
        found = [part for kept in list(self._parts.values()) for part in list(kept.values())]
        weights = (p for part in found for model in _modules(part) for p in self._weights_of(model))
        return sum(p.numel() * p.element_size() for p in weights if counts(p))

    def _weights_of(self, model: Any) -> tuple[Any, ...]:
        """The parameters of a loaded model, which stay the same ones wherever they are moved; walked through once."""
        if model not in self._weights:
            self._weights[model] = tuple(model.parameters())
        return self._weights[model]


_STORAGE = {
    "fp8_e4m3fn": torch.float8_e4m3fn,
    "fp8_e4m3fn_fast": torch.float8_e4m3fn,
    "fp8_e5m2": torch.float8_e5m2,
}


def _modules(found: Any) -> Iterator[Any]:
    """The torch modules of a loaded part."""
    if isinstance(found, Encoders):
        yield from (model for model, _ in found.parts.values())
    elif isinstance(found, (Net, Vae)):
        yield found.model
    else:
        yield getattr(found, "model", found)
