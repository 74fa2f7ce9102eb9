"""Trains mini's autoencoder: pictures to 16 × 16 latents with unit variance, and back.

Run it with ``python -m imagewright.t2i_backends.mini.training.train_autoencoder``; it resumes from its checkpoint.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from imagewright.t2i_backends.mini import sizes
from imagewright.t2i_backends.mini.render import SIZE, draw_scene, to_array
from imagewright.t2i_backends.mini.training.training import (
    Average,
    TrainingProgress,
    load_if_there,
    pick_training_device,
    save_atomically,
)
from imagewright.t2i_backends.mini.world import sample_scene

_NOISE = 0.2
"""The most noise that the decoder sees in its latents, so that it forgives a sampler's small errors."""


CALIBRATED_ON = 512
"""Pictures that the mean and the spread of latents are measured on."""


def build_autoencoder() -> AutoencoderKL:
    """A small AutoencoderKL of the levels and channels of ``sizes.py``, no attention."""
    levels = len(sizes.LEVEL_CHANNELS)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=sizes.LEVEL_CHANNELS,
        layers_per_block=1,
        latent_channels=sizes.LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=SIZE,
        scaling_factor=1.0,
        shift_factor=0.0,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    )


def render_batch(rng: random.Random, count: int) -> Tensor:
    """``count`` fresh pictures as ``(count, 3, side, side)`` in [-1, 1]."""
    pictures = np.stack([to_array(draw_scene(sample_scene(rng), rng)) for _ in range(count)])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def reconstruction_loss(decoded: Tensor, target: Tensor) -> Tensor:
    """L1 on pixels and on their horizontal and vertical differences, so that edges stay sharp."""
    pixels = (decoded - target).abs().mean() + (decoded - target).square().mean()
    edges = [(decoded.diff(dim=d) - target.diff(dim=d)).abs().mean() for d in (2, 3)]
    return pixels + 0.5 * (edges[0] + edges[1])


def train_autoencoder(work: Path, steps: int, batch: int, seed: int, device: torch.device) -> None:
    """Train for ``steps`` steps, or go on from the checkpoint in ``work``."""
    torch.manual_seed(seed)
    model = build_autoencoder().to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-4, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps + 1, pct_start=0.1)
    average = Average(model.parameters(), 0.995)
    start = 0
    if (saved := load_if_there(work / "autoencoder.pt")) is not None:
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        average.shadow, start = saved["average"], saved["step"]
    progress = TrainingProgress("autoencoder", steps, start)
    for step in range(start, steps):
        rng = random.Random(seed * 1_000_003 + step)
        target = render_batch(rng, batch).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            posterior = model.encode(target).latent_dist
            amount = _NOISE * torch.rand(batch, 1, 1, 1, device=device)
            latent = posterior.mean + amount * torch.randn_like(posterior.mean)
            decoded = model.decode(latent).sample
        loss = reconstruction_loss(decoded.float(), target) + 0.1 * moment_loss(posterior.mean.float())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update(model.parameters(), step)
        progress.tell(step + 1, loss.item())
        if (step + 1) % 200 == 0 or step + 1 == steps:
            state = {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "average": average.shadow,
                "step": step + 1,
            }
            save_atomically(state, work / "autoencoder.pt")
    average.copy_to(model.parameters())
    calibrate(model, render_batch(random.Random(seed + 1), CALIBRATED_ON).to(device))
    model.to("cpu").save_pretrained(work / "vae")


def moment_loss(latent: Tensor) -> Tensor:
    """How far each latent channel is from zero mean and unit variance: what a flow from unit noise starts from."""
    mean, std = latent.mean(dim=(0, 2, 3)), latent.std(dim=(0, 2, 3))
    return (mean.square() + (std - 1).square()).mean()


@torch.no_grad()
def calibrate(model: AutoencoderKL, pictures: Tensor) -> None:
    """Measure what is left of the latents' mean and spread, and record it as the shift and scaling of diffusers."""
    latents = torch.cat([model.encode(part).latent_dist.mean for part in pictures.split(64)])
    model.register_to_config(shift_factor=latents.mean().item(), scaling_factor=1 / latents.std().item())


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".mini-work"))
    parser.add_argument("--steps", type=int, default=8000, help="optimiser steps (default 8000)")
    parser.add_argument("--batch", type=int, default=16, help="pictures a step (default 16)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device")
    args = parser.parse_args()
    train_autoencoder(args.work, args.steps, args.batch, args.seed, pick_training_device(args.device))


if __name__ == "__main__":
    main()
