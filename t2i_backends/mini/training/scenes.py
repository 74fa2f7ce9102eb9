"""Mini's training set: scenes and their latents in shards, made when they are needed and kept in the work folder."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, FluxPipeline
from numpy.typing import NDArray
from torch import Tensor

from imagewright.t2i_backends.mini import sizes
from imagewright.t2i_backends.mini.arrangements import arrange
from imagewright.t2i_backends.mini.render import draw_scene, to_array
from imagewright.t2i_backends.mini.training.training import load_if_there, save_atomically
from imagewright.t2i_backends.mini.world import COLOURS, MOST_THINGS, SHAPES, Scene, Thing, lesson_scene

FREE = 4
"""One scene in so many is left as it fell; the others are arranged."""
SHARES: Mapping[str, tuple[float, float]] = {
    "one": (0.6, 0.26),
    "few": (0.15, 0.16),
    "two": (0.25, 0.38),
    "mixed": (0.0, 0.12),
    "many": (0.0, 0.08),
}
"""The kinds of scenes with their shares: at the first step, and once the curriculum is over."""


@torch.no_grad()
def encode_scenes(vae: AutoencoderKL, scenes: list[Scene], seed: int, device: torch.device) -> Tensor:
    """The packed latents of ``scenes``: ``(count, grid², 4 channels)`` in float16, scaled as FluxPipeline does it."""
    rng = random.Random(seed)
    parts: list[Tensor] = []
    vae = vae.to(device).eval()
    for start in range(0, len(scenes), 64):
        pictures = np.stack([to_array(draw_scene(s, rng)) for s in scenes[start : start + 64]])
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().to(device) / 127.5 - 1
        with torch.autocast(device.type, torch.bfloat16):
            latents = vae.encode(pixels).latent_dist.mean.float()
        latents = (latents - vae.config.shift_factor) * vae.config.scaling_factor
        count, channels, height, width = latents.shape
        parts.append(FluxPipeline._pack_latents(latents, count, channels, height, width).half().cpu())
    return torch.cat(parts)


class Scenes:
    """Scenes with their latents, found by kind and by number of things.

    Shard ``k`` holds the same scenes whenever it is made; a kind's share in it is its share late in the training. Those
    found by kind are arranged (``arrangements.py``), and those found by number, one in ``FREE``, are not.
    """

    def __init__(self, vae: AutoencoderKL, work: Path, seed: int, shard: int, device: torch.device) -> None:
        self.vae, self.work, self.seed, self.shard, self.device = vae, work, seed, shard, device
        self.scenes: list[Scene] = []
        self.parts: list[Tensor] = []
        self.by_kind: dict[str, list[int]] = {kind: [] for kind in SHARES}
        self.by_count: dict[int, list[int]] = {n: [] for n in range(1, MOST_THINGS + 1)}

    def grow(self, shards: int) -> None:
        """Bring the set up to ``shards`` shards."""
        while len(self.parts) < shards:
            self._add(len(self.parts))

    def _add(self, number: int) -> None:
        rng = random.Random(f"{self.seed}/{number}")
        late = [share for _, share in SHARES.values()]
        kinds = rng.choices(tuple(SHARES), late, k=self.shard)
        made = [lesson_scene(rng, kind) for kind in kinds]
        captioned = [place for place in range(len(made)) if place % FREE]
        for place in captioned:
            made[place] = arrange(made[place], rng)
        cache = self.work / f"latents-{self.seed}-{self.shard}-{number}.pt"
        digest = hashlib.sha256(repr(made).encode()).hexdigest()
        saved = load_if_there(cache)
        if saved is None or saved.get("scenes") != digest:
            latents = encode_scenes(self.vae, made, rng.getrandbits(32), self.device)
            saved = {"latents": latents, "scenes": digest}
            save_atomically(saved, cache)
        first = len(self.scenes)
        for place in captioned:
            self.by_kind[kinds[place]].append(first + place)
        # A box that lies where the caption alone would have put its thing teaches nothing about boxes.
        for place in range(0, len(made), FREE):
            self.by_count[len(made[place].things)].append(first + place)
        self.scenes += made
        self.parts.append(saved["latents"])

    def latents(self, chosen: list[int]) -> Tensor:
        """The latents of the chosen scenes, float32."""
        return torch.stack([self.parts[i // self.shard][i % self.shard] for i in chosen]).float()

    def batch(self, rng: random.Random, size: int, along: float, things: int | None) -> list[int]:
        """``size`` random indexes; ``along`` in [0, 1] is how far the curriculum is.

        With ``things`` all of them have that many things; at least one scene must.
        """
        if things is not None:
            return rng.choices(self.by_count[things], k=size)
        shares = [first + (last - first) * along for first, last in SHARES.values()]
        full = [share if self.by_kind[kind] else 0.0 for kind, share in zip(self.by_kind, shares, strict=True)]
        return [rng.choice(self.by_kind[kind]) for kind in rng.choices(tuple(self.by_kind), full, k=size)]


def scene_maps(scenes: list[Scene]) -> Tensor:
    """What stands where: ``(batch, grid², shapes + colours)``, 1 where a thing's box holds the token's centre."""
    grid, width = sizes.GRID, len(SHAPES) + len(COLOURS)
    maps: NDArray[np.float32] = np.zeros((len(scenes), grid, grid, width), dtype=np.float32)
    colours = tuple(COLOURS)
    for page, scene in zip(maps, scenes, strict=True):
        for thing in scene.things:
            rows, columns = _span(thing, 1, grid), _span(thing, 0, grid)
            page[rows, columns, SHAPES.index(thing.shape)] = 1
            page[rows, columns, len(SHAPES) + colours.index(thing.colour)] = 1
    return torch.from_numpy(maps).flatten(1, 2)


def _span(thing: Thing, axis: int, grid: int) -> slice:
    """The tokens along ``axis`` whose centres lie in the thing's box; at least the one at its middle."""
    low, high = thing.box[axis], thing.box[axis] + thing.box[axis + 2]
    first, last = int(np.ceil(low * grid - 0.5)), int(np.ceil(high * grid - 0.5))
    middle = min(int((low + high) / 2 * grid), grid - 1)
    return slice(first, last) if last > first else slice(middle, middle + 1)
