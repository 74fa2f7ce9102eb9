"""Trains mini's two detectors, apart from one another: other seeds, other widths, other pictures.

``critic`` sees pictures that went through mini's autoencoder with noise in the latents, as mini's own do;
``evidence`` sees renders that were blurred, shifted in colour and made noisy, and never the autoencoder. Both see some
things that went wrong in the drawing (``spoiling.py``) and learn to name none of them.
Run it with ``python -m imagewright.t2i_backends.mini.training.train_detector critic`` (or ``evidence``); it resumes.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from imagewright.t2i_backends.mini import shipped
from imagewright.t2i_backends.mini.detector import CELL, DetectorNet, detector_input, find_things, heads
from imagewright.t2i_backends.mini.render import SIZE, draw_scene
from imagewright.t2i_backends.mini.training.spoiling import spoil, wobbly
from imagewright.t2i_backends.mini.training.training import (
    Average,
    TrainingProgress,
    load_if_there,
    pick_training_device,
    save_atomically,
)
from imagewright.t2i_backends.mini.world import (
    COLOURS,
    PATTERNS,
    SHAPES,
    STYLES,
    Scene,
    Thing,
    compatible,
    sample_scene,
)


@dataclass(frozen=True)
class DetectorKind:
    """What sets one detector apart from the other."""

    seed: int
    width: int
    crowd: float
    """The share of scenes with up to six unrelated things."""


SPOILED, _WOBBLY = 0.3, 0.2
"""The shares of pictures with a spoilt thing, and with slightly uneven ones."""
_KINDS = {"critic": DetectorKind(seed=11, width=20, crowd=0.3), "evidence": DetectorKind(seed=97, width=24, crowd=0.6)}


def crowd(rng: random.Random) -> Scene:
    """Up to six unrelated things on a background: more than mini's captions ask for, as mistakes are."""
    background = rng.choice(tuple(COLOURS))
    colours = [c for c in COLOURS if compatible(c, background)]
    things: list[Thing] = []
    for _ in range(rng.randint(0, 8)):
        size = rng.uniform(0.16, 0.5 if len(things) < 2 else 0.3)
        x, y = rng.uniform(size / 2, 1 - size / 2), rng.uniform(size / 2, 1 - size / 2)
        thing = Thing(rng.choice(SHAPES), rng.choice(colours), x, y, size)
        if len(things) < 6 and all(_apart(thing, other) for other in things):
            things.append(thing)
    pattern, style = rng.choice(PATTERNS), rng.choice(STYLES)
    return Scene((), None, None, background, tuple(things), 0.5, pattern, style)


def _apart(a: Thing, b: Thing) -> bool:
    return max(abs(a.x - b.x), abs(a.y - b.y)) > (a.size + b.size) / 2 + 0.01


def targets(scenes: list[Scene]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Heat maps ``(batch, shapes, cells, cells)``, colours, boxes ``(batch, 4, …)`` and where there is a centre."""
    cells, colours = SIZE // CELL, tuple(COLOURS)
    heat = torch.zeros(len(scenes), len(SHAPES), cells, cells)
    colour = torch.zeros(len(scenes), cells, cells, dtype=torch.long)
    boxes = torch.zeros(len(scenes), 4, cells, cells)
    here = torch.zeros(len(scenes), cells, cells, dtype=torch.bool)
    axis = torch.arange(cells) + 0.5
    for i, scene in enumerate(scenes):
        for thing in scene.things:
            cx, cy = thing.x * cells, thing.y * cells
            column, row = min(int(cx), cells - 1), min(int(cy), cells - 1)
            sigma = max(thing.size * cells / 8, 0.5)
            bump = torch.exp(-((axis - row - 0.5)[:, None] ** 2 + (axis - column - 0.5)[None] ** 2) / (2 * sigma**2))
            shape = SHAPES.index(thing.shape)
            heat[i, shape] = torch.maximum(heat[i, shape], bump)
            colour[i, row, column] = colours.index(thing.colour)
            boxes[i, :, row, column] = torch.tensor([cx - column, cy - row, thing.size, thing.size])
            here[i, row, column] = True
    return heat, colour, boxes, here


def _loss_of(grid: Tensor, background: Tensor, scenes: list[Scene]) -> Tensor:
    """Focal loss on the heat maps, cross-entropy on colours and background, L1 on boxes."""
    shapes, colours, rest = grid.split(heads(), dim=1)
    heat, colour, boxes, here = (t.to(grid.device) for t in targets(scenes))
    p = shapes.sigmoid().clamp(1e-4, 1 - 1e-4)
    centre = heat > 0.999
    focal = torch.where(centre, (1 - p) ** 2 * p.log(), (1 - heat) ** 4 * p**2 * (1 - p).log())
    count = here.sum().clamp(min=1)
    loss: Tensor = -focal.sum() / count
    papers = tuple(COLOURS)
    names = torch.tensor([papers.index(s.background) for s in scenes], device=grid.device)
    loss = loss + F.cross_entropy(background, names)
    if here.any():
        loss = loss + F.cross_entropy(colours.permute(0, 2, 3, 1)[here], colour[here])
        wanted, got = boxes.permute(0, 2, 3, 1)[here], rest.sigmoid().permute(0, 2, 3, 1)[here]
        loss = loss + 3 * (wanted - got).abs().mean()
    return loss


def lesson(scenes: list[Scene], kind: str, rng: random.Random, vae: AutoencoderKL | None) -> tuple[Tensor, list[Scene]]:
    """Pictures of ``scenes`` for this kind of detector, and what it should see in them, which is no spoilt thing."""
    drawn, seen = zip(*(_drawn(scene, rng) for scene in scenes), strict=True)
    return wear_out(torch.stack([detector_input(picture) for picture in drawn]), kind, rng, vae), list(seen)


def _drawn(scene: Scene, rng: random.Random) -> tuple[Image.Image, Scene]:
    """A picture of ``scene``, as likely spoilt or uneven as the shares say, and what should be seen in it."""
    fate = rng.random() if scene.things else 1.0
    if fate < SPOILED:
        return spoil(scene, rng)
    if fate < SPOILED + _WOBBLY:
        return wobbly(scene, rng), scene
    return draw_scene(scene, rng), scene


def wear_out(clean: Tensor, kind: str, rng: random.Random, vae: AutoencoderKL | None) -> Tensor:
    """``clean`` pictures ``(count, 3, side, side)`` in [-1, 1] as this kind of detector sees them; the same shape."""
    source = torch.Generator().manual_seed(rng.getrandbits(40))
    if kind == "critic" and vae is not None and rng.random() < 0.6:
        with torch.no_grad(), torch.autocast(clean.device.type, torch.bfloat16):
            latents = vae.encode(clean).latent_dist.mean
            noise = torch.randn(latents.shape, generator=source)
            decoded: Tensor = vae.decode(latents + rng.uniform(0, 0.25) * noise).sample
            return decoded.float().clamp(-1, 1)
    if kind == "evidence":
        if rng.random() < 0.5:
            clean = F.avg_pool2d(F.pad(clean, (1, 1, 1, 1), mode="replicate"), 3, 1)
        clean = clean * rng.uniform(0.92, 1.0) + rng.uniform(-0.05, 0.05)
    noisy = clean + rng.uniform(0, 0.06) * torch.randn(clean.shape, generator=source)
    return noisy.clamp(-1, 1)


def train_detector(
    name: str,
    work: Path,
    out: Path,
    steps: int,
    batch: int,
    device: torch.device,
    checked: int = 1000,
) -> None:
    """Train one detector, or go on from its checkpoint, and write it as fp16 safetensors."""
    kind = _KINDS[name]
    torch.manual_seed(kind.seed)
    vae = AutoencoderKL.from_pretrained(work / "vae").eval() if name == "critic" else None
    net = DetectorNet(kind.width).to(device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-3)
    average, start = Average(net.parameters(), 0.99), 0
    if (saved := load_if_there(work / f"detector-{name}.pt")) is not None:
        net.load_state_dict(saved["net"])
        optimiser.load_state_dict(saved["optimiser"])
        average.shadow, start = saved["average"], saved["step"]
    # Made anew, not restored: a checkpoint may be gone on with for more steps than it was planned for.
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps + 1, last_epoch=start - 1)
    progress = TrainingProgress(f"detector {name}", steps, start)
    for step in range(start, steps):
        rng = random.Random(kind.seed * 1_000_003 + step)
        pictures, seen = lesson([_scene(rng, kind) for _ in range(batch)], name, rng, vae)
        with torch.autocast(device.type, torch.bfloat16):
            grid, background = net(pictures.to(device))
        loss = _loss_of(grid.float(), background.float(), seen)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        average.update(net.parameters(), step)
        progress.tell(step + 1, loss.item())
        if (step + 1) % 250 == 0 or step + 1 == steps:
            state = {
                "net": net.state_dict(),
                "optimiser": optimiser.state_dict(),
                "average": average.shadow,
                "step": step + 1,
            }
            save_atomically(state, work / f"detector-{name}.pt")
    average.copy_to(net.parameters())
    out.mkdir(parents=True, exist_ok=True)
    weights = {k: v.half().contiguous().cpu() for k, v in net.state_dict().items()}
    save_file(weights, out / f"detector-{name}.safetensors")
    share = accuracy(net.cpu().eval(), name, checked)
    print(f"detector {name}: {share:.4f} of {checked} fresh renders read exactly right")


def _scene(rng: random.Random, kind: DetectorKind) -> Scene:
    return crowd(rng) if rng.random() < kind.crowd else sample_scene(rng)


@torch.no_grad()
def accuracy(net: DetectorNet, name: str, count: int) -> float:
    """The share of ``count`` fresh scenes whose things (shape, colour, number) and background are read right."""
    rng, right = random.Random(_KINDS[name].seed + 5), 0
    for _ in range(count):
        scene = sample_scene(rng)
        found, background = find_things(net, draw_scene(scene, rng))
        seen = sorted((f.shape, f.colour) for f in found)
        wanted = sorted((t.shape, t.colour) for t in scene.things)
        right += seen == wanted and background == scene.background
    return right / count


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(_KINDS))
    parser.add_argument("--work", type=Path, default=Path(".mini-work"))
    parser.add_argument("--out", type=Path, help="the folder to write to (default: where it ships)")
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device")
    args = parser.parse_args()
    out = args.out or shipped.WEIGHTS
    train_detector(args.name, args.work, out, args.steps, args.batch, pick_training_device(args.device))


if __name__ == "__main__":
    main()
