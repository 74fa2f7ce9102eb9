"""How well the small model's detectors tell whole things from half-formed ones, by renders alone: no judge is asked.

``python -m imagewright.evals.critic_report`` spoils one thing in each of many renders, passes all of them through the
model's autoencoder with noise, as the model's own pictures are, and tells for each kind of spoiling how many pictures
are still taken for right: by what the detector names, and with the check of form. It is the critic's, or with
``--detector evidence`` the other one.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from PIL import Image

from imagewright.errors import BadInput
from imagewright.t2i_backends.mini import shipped
from imagewright.t2i_backends.mini.render import draw_scene
from imagewright.t2i_backends.mini.training.spoiling import fade, spoil, tear, wobbly
from imagewright.t2i_backends.mini.world import Scene, sample_scene
from imagewright.tools.command import end_with
from imagewright.tools.detect import MiniDetector, Name

_NOISE = 0.2
"""The most noise in the latents, in their standard deviations."""
Spoil = Callable[[Scene, random.Random], Image.Image | None]
SPOILS: dict[str, Spoil] = {
    "whole": draw_scene,
    "uneven": wobbly,
    "misshapen": lambda scene, rng: spoil(scene, rng)[0],
    "torn": tear,
    "partly gone": fade,
}
"""The first two are right pictures."""


@dataclass(frozen=True)
class CriticRow:
    """One kind of spoiling: the shares of pictures that are taken for right, in [0, 1]."""

    kind: str
    pictures: int
    named: float
    """By the names and colours of what is seen."""
    whole: float
    """And by its form."""


def rows(count: int, seed: int, name: Name = "critic") -> Iterator[CriticRow]:
    """A row for each kind, from ``count`` pictures that the detector ``name`` looks at."""
    eye, through = MiniDetector.load(name), _autoencoder()
    for kind, make in SPOILS.items():
        rng = random.Random(f"{seed} {kind}")
        named = whole = made = 0
        while made < count:
            scene = sample_scene(rng)
            picture = make(scene, rng) if scene.things else None
            if picture is None:
                continue
            made += 1
            seen = [found for found in eye.detect(through(picture, rng)) if found.object != "background"]
            right = sorted((f.object, *f.attributes) for f in seen) == sorted((t.shape, t.colour) for t in scene.things)
            named += right
            whole += right and all(found.score >= eye.sure for found in seen)
        yield CriticRow(kind, made, named / made, whole / made)


def _autoencoder() -> Callable[[Image.Image, random.Random], Image.Image]:
    """What passes a picture through the shipped autoencoder, with noise in between."""
    from diffusers import AutoencoderKL

    from imagewright.t2i_backends.mini.detector import detector_input

    vae = AutoencoderKL.from_pretrained(shipped.WEIGHTS / "pipeline" / "vae").eval()

    @torch.no_grad()
    def through(picture: Image.Image, rng: random.Random) -> Image.Image:
        source = torch.Generator().manual_seed(rng.getrandbits(40))
        latents = vae.encode(detector_input(picture)[None]).latent_dist.mean
        noise = torch.randn(latents.shape, generator=source)
        pixels = vae.decode(latents + rng.uniform(0, _NOISE) * noise).sample[0].clamp(-1, 1)
        return Image.fromarray(((pixels.permute(1, 2, 0) + 1) * 127.5).round().to(torch.uint8).numpy())

    return through


def _run(options: argparse.Namespace) -> str:
    """The table.

    Raises:
        BadInput: the number of pictures is none.
    """
    if options.count < 1:
        raise BadInput("--count must be a whole number from 1", "leave it out for 200")
    lines = [f"{'pictures':<12} {'taken for right by names':>26} {'and by form':>12}"]
    lines += [
        f"{row.kind:<12} {row.named:>26.1%} {row.whole:>12.1%}"
        for row in rows(options.count, options.seed, name=options.detector)
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m imagewright.evals.critic_report", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="pictures of each kind (default 200)")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--detector", choices=get_args(Name), default="critic")
    return end_with(lambda: _run(parser.parse_args(argv)))


if __name__ == "__main__":
    raise SystemExit(main())
