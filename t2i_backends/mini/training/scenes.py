"""Mini's training set: scenes and their latents in shards, made when they are needed and kept in the work folder."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, FluxPipeline
from numpy.typing import NDArray
from torch import Tensor

from imagewright.t2i_backends.mini.editions import Edition
from imagewright.t2i_backends.mini.render import to_array
from imagewright.t2i_backends.mini.training.training import load_if_there, save_atomically
from imagewright.t2i_backends.mini.world import Scene, Thing

FREE = 4
"""One scene in so many is left as it fell where scenes are arranged."""


@torch.no_grad()
def encode_scenes(vae: AutoencoderKL, scenes: list[Scene], edition: Edition, seed: int, device: torch.device) -> Tensor:
    """The packed latents of ``scenes``: ``(count, grid², 4 channels)`` in float16, scaled as FluxPipeline does it."""
    rng = random.Random(seed)
    parts: list[Tensor] = []
    vae = vae.to(device).eval()
    for start in range(0, len(scenes), 64):
        pictures = np.stack([to_array(edition.draw(s, rng)) for s in scenes[start : start + 64]])
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().to(device) / 127.5 - 1
        with torch.autocast(device.type, torch.bfloat16):
            latents = vae.encode(pixels).latent_dist.mean.float()
        latents = (latents - vae.config.shift_factor) * vae.config.scaling_factor
        count, channels, height, width = latents.shape
        parts.append(FluxPipeline._pack_latents(latents, count, channels, height, width).half().cpu())
    return torch.cat(parts)


class Scenes:
    """Scenes with their latents, found by kind and by number of things.

    Shard ``k`` holds the same scenes whenever it is made; a kind's share in it is its share late in the training. Where
    the edition arranges scenes, those found by kind are arranged, and those found by number, one in ``FREE``, are not.
    """

    def __init__(
        self, vae: AutoencoderKL, edition: Edition, work: Path, seed: int, shard: int, device: torch.device
    ) -> None:
        self.vae, self.edition, self.work, self.seed, self.shard, self.device = vae, edition, work, seed, shard, device
        self.scenes: list[Scene] = []
        self.parts: list[Tensor] = []
        self.by_kind: dict[str, list[int]] = {kind: [] for kind in edition.kinds}
        self.by_count: dict[int, list[int]] = {n: [] for n in range(1, edition.most_things + 1)}

    def grow(self, shards: int) -> None:
        """Bring the set up to ``shards`` shards."""
        while len(self.parts) < shards:
            self._add(len(self.parts))

    def _add(self, number: int) -> None:
        rng = random.Random(f"{self.seed}/{number}")
        late = [share for _, share in self.edition.kinds.values()]
        kinds = rng.choices(tuple(self.edition.kinds), late, k=self.shard)
        made = [self.edition.sample(rng, kind) for kind in kinds]
        arrange, captioned = self.edition.arrange, list(range(len(made)))
        if arrange is not None:
            captioned = [place for place in captioned if place % FREE]
            for place in captioned:
                made[place] = arrange(made[place], rng)
        cache = self.work / f"latents-{self.seed}-{self.shard}-{number}.pt"
        digest = hashlib.sha256(repr(made).encode()).hexdigest()
        saved = load_if_there(cache)
        if saved is None or saved.get("scenes") != digest:
            latents = encode_scenes(self.vae, made, self.edition, rng.getrandbits(32), self.device)
            saved = {"latents": latents, "scenes": digest}
            save_atomically(saved, cache)
        first = len(self.scenes)
        for place in captioned:
            self.by_kind[kinds[place]].append(first + place)
        # A box that lies where the caption alone would have put its thing teaches nothing about boxes.
        for place in range(len(made)) if arrange is None else range(0, len(made), FREE):
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
        shares = [first + (last - first) * along for first, last in self.edition.kinds.values()]
        full = [share if self.by_kind[kind] else 0.0 for kind, share in zip(self.by_kind, shares, strict=True)]
        return [rng.choice(self.by_kind[kind]) for kind in rng.choices(tuple(self.by_kind), full, k=size)]


def scene_maps(scenes: list[Scene], edition: Edition) -> Tensor:
    """What stands where: ``(batch, grid², shapes + colours)``, 1 where a thing's box holds the token's centre."""
    grid, width = edition.grid, len(edition.shapes) + len(edition.colours)
    maps: NDArray[np.float32] = np.zeros((len(scenes), grid, grid, width), dtype=np.float32)
    colours = tuple(edition.colours)
    for page, scene in zip(maps, scenes, strict=True):
        for thing in scene.things:
            rows, columns = _span(thing, 1, grid), _span(thing, 0, grid)
            page[rows, columns, edition.shapes.index(thing.shape)] = 1
            page[rows, columns, len(edition.shapes) + colours.index(thing.colour)] = 1
    return torch.from_numpy(maps).flatten(1, 2)


def _span(thing: Thing, axis: int, grid: int) -> slice:
    """The tokens along ``axis`` whose centres lie in the thing's box; at least the one at its middle."""
    low, high = thing.box[axis], thing.box[axis] + thing.box[axis + 2]
    first, last = int(np.ceil(low * grid - 0.5)), int(np.ceil(high * grid - 0.5))
    middle = min(int((low + high) / 2 * grid), grid - 1)
    return slice(first, last) if last > first else slice(middle, middle + 1)
