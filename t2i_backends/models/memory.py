"""How a flow's models are placed: which offload level fits the free memory. Plain arithmetic over file headers.

``none`` keeps all parts on the device; under ``model`` the text encoders and the diffusion model take turns there;
under ``group`` only some layers at a time are there. The other weights wait in RAM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["none", "model", "group"]
LEVELS: Sequence[Level] = ("none", "model", "group")
"""From the fastest to the leanest."""
WORK = 1_500_000_000
"""Bytes kept free on a GPU for what a step at one megapixel needs beside the weights; an estimate, on the safe side
for the attention and the VAE's decoder at bfloat16."""
_PICTURE = 1024 * 1024
"""The pixels that ``WORK`` is meant for."""
LAYERS = 0.1
"""The share of a model's weights that is on the device at a time under ``group``; an estimate."""


@dataclass(frozen=True)
class Footprint:
    """Bytes of the weights of a flow, in the number format of the run."""

    net: int = 0
    """The diffusion model and its ControlNets."""
    text: int = 0
    vae: int = 0
    pixels: int = _PICTURE
    """Of all pictures that are drawn at once."""

    @property
    def work(self) -> int:
        """What a step needs beside the weights: it grows with the pixels of a batch, and is never less than WORK."""
        return int(WORK * max(self.pixels / _PICTURE, 1.0))

    @property
    def total(self) -> int:
        """All of it."""
        return self.net + self.text + self.vae

    def on_device(self, level: Level) -> int:
        """What is on the device at once."""
        if level == "none":
            return self.total
        largest = max(self.net, self.text)
        return self.vae + (largest if level == "model" else int(largest * LAYERS))

    def in_ram(self, level: Level) -> int:
        """What waits in RAM."""
        return 0 if level == "none" else self.net + self.text


@dataclass(frozen=True)
class Room:
    """Free bytes: on the device, and in RAM beside it. One number for a device that computes in RAM."""

    device: int | None
    """None where the system does not say."""
    ram: int | None = None
    shared: bool = True
    """Whether the device is the RAM."""


def choose(footprint: Footprint, room: Room) -> Level | None:
    """The fastest level that fits; None when none does."""
    return next((level for level in LEVELS if fits(footprint, room, level)), None)


def fits(footprint: Footprint, room: Room, level: Level) -> bool:
    """Whether ``footprint`` fits under ``level``. In RAM alone there is nowhere to offload to."""
    if room.device is None:
        return level == "none"
    if room.shared:
        return level == "none" and footprint.total + footprint.work - WORK <= room.device
    enough_ram = room.ram is None or footprint.in_ram(level) <= room.ram
    return enough_ram and footprint.on_device(level) + footprint.work <= room.device


def below(level: Level) -> Level | None:
    """The next leaner level; None below the leanest."""
    at = LEVELS.index(level) + 1
    return LEVELS[at] if at < len(LEVELS) else None


def refusal(footprint: Footprint, room: Room) -> str:
    """Why nothing fits, and what would, in one line."""
    free = (room.device or 0) / 1e9
    if room.shared:
        whole = footprint.total + footprint.work - WORK
        said = f"the models{_beside(footprint)} take {whole / 1e9:.1f} GB and {free:.1f} GB are free"
        return f"{said}: use a larger machine, or a flow on a smaller model"
    least = min((footprint.on_device(level) + footprint.work, level) for level in LEVELS)
    said = f"the models{_beside(footprint)} need {least[0] / 1e9:.1f} GB on the GPU even with offload level {least[1]}"
    if least[0] <= (room.device or 0):
        said = f"the models need {footprint.in_ram('group') / 1e9:.1f} GB of RAM to wait in"
        return f"{said} and {(room.ram or 0) / 1e9:.1f} GB are free: free some, or load the diffusion model as fp8"
    remedy = "fewer or smaller pictures" if footprint.work > WORK else "--device cpu, or a flow on a smaller model"
    return f"{said} and {free:.1f} GB are free: try {remedy}"


def _beside(footprint: Footprint) -> str:
    return f" and {footprint.pixels / 1e6:.1f} megapixels at once" if footprint.work > WORK else ""
