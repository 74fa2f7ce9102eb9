"""Trains mini: a rectified flow in the autoencoder's latents, with its text encoders, on scenes drawn here.

Run it with ``make mini`` or ``python -m imagewright.t2i_backends.mini.train``. It needs the autoencoder of
``train_autoencoder`` and resumes from its own checkpoint after any interruption. The recipe: logit-normal times
(Esser et al. 2024, arXiv:2403.03206), Muon on the block matrices and AdamW on the rest, an exponential moving
average, a linear decay. From ``--regions-from`` on, a share of the batches trains region prompts under the same
attention mask that the executor uses.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, FluxPipeline
from torch import Tensor, nn

from imagewright.schemas import Region
from imagewright.t2i_backends.mini.architecture import MAX_LENGTH, adopt, build_pipeline, export
from imagewright.t2i_backends.mini.render import draw_scene, to_array
from imagewright.t2i_backends.mini.training import Average, Progress, load_if_there, pick_device, save_atomically
from imagewright.t2i_backends.mini.world import Scene, Thing, caption, sample_scene, thing_caption
from imagewright.t2i_backends.regional.masks import attention_mask, owned_tokens

GRID = 8
"""Packed latent tokens a side at 64 px."""
SAVE_EVERY = 100
"""Steps between two checkpoints."""
NOISE_SHIFT = 0.5
"""Added to the normal under the logistic: flat pictures show their shapes through much noise, so learn there."""
DECAY = 0.45
"""The share of the steps over which the rate falls to zero."""
SINGLES = 0.4
"""The share of plain batches with one thing only: the shapes are largest there."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train."""

    steps: int
    batch: int
    scenes: int
    seed: int
    muon_rate: float
    adam_rate: float
    regions_from: float
    """The share of the steps after which region batches begin."""
    region_share: float
    """The share of batches with regions from then on."""


# --- data -----------------------------------------------------------------------------------


@torch.no_grad()
def encode_scenes(vae: AutoencoderKL, scenes: list[Scene], seed: int, device: torch.device) -> Tensor:
    """The packed latents of ``scenes``: ``(count, 64, 16)`` in float16, scaled as FluxPipeline scales them."""
    rng = random.Random(seed)
    parts: list[Tensor] = []
    vae = vae.to(device).eval()
    for start in range(0, len(scenes), 128):
        pictures = np.stack([to_array(draw_scene(s, 64, rng)) for s in scenes[start : start + 128]])
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().to(device) / 127.5 - 1
        latents = vae.encode(pixels).latent_dist.mean
        latents = (latents - vae.config.shift_factor) * vae.config.scaling_factor
        count, channels, height, width = latents.shape
        parts.append(FluxPipeline._pack_latents(latents, count, channels, height, width).half().cpu())
    return torch.cat(parts)


class Scenes:
    """The training set: scenes, their latents, and the indexes of those with one, two, three or four things."""

    def __init__(self, vae: AutoencoderKL, plan: Plan, work: Path, device: torch.device) -> None:
        rng = random.Random(plan.seed)
        self.scenes = [sample_scene(rng) for _ in range(plan.scenes)]
        cache = work / f"latents-{plan.scenes}-{plan.seed}.pt"
        saved = load_if_there(cache)
        if saved is None:
            saved = {"latents": encode_scenes(vae, self.scenes, plan.seed, device)}
            save_atomically(saved, cache)
        self.latents: Tensor = saved["latents"]
        self.by_count = {n: [i for i, scene in enumerate(self.scenes) if len(scene.things) == n] for n in range(1, 5)}

    def batch(self, rng: random.Random, size: int, things: int | None) -> list[int]:
        """``size`` random indexes; all with ``things`` things where that is given."""
        pool = range(len(self.scenes)) if things is None else self.by_count[things]
        return [pool[rng.randrange(len(pool))] for _ in range(size)]


# --- one step -------------------------------------------------------------------------------


class Model(nn.Module):
    """The parts that learn, and how a batch goes through them."""

    image_ids: Tensor

    def __init__(self, pipeline: FluxPipeline) -> None:
        super().__init__()
        self.transformer, self.clip, self.t5 = pipeline.transformer, pipeline.text_encoder, pipeline.text_encoder_2
        self.tokenizer = pipeline.tokenizer
        image_ids = FluxPipeline._prepare_latent_image_ids(1, GRID, GRID, torch.device("cpu"), torch.float32)
        self.register_buffer("image_ids", image_ids, persistent=False)

    def tokens(self, texts: list[str]) -> Tensor:
        """Token ids ``(count, MAX_LENGTH)``, padded as the pipeline pads them."""
        made = self.tokenizer(texts, padding="max_length", truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
        ids: Tensor = made.input_ids
        return ids.to(self.image_ids.device)

    def forward(
        self, noisy: Tensor, sigma: Tensor, ids: Tensor, region_ids: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """The predicted velocity ``(batch, 64, 16)``; ``region_ids`` is ``(batch, regions, MAX_LENGTH)``."""
        pooled = self.clip(ids).pooler_output
        text = self.t5(ids)[0]
        if region_ids is not None:
            regions = self.t5(region_ids.flatten(0, 1))[0].unflatten(0, region_ids.shape[:2]).flatten(1, 2)
            text = torch.cat([text, regions], dim=1)
        velocity: Tensor = self.transformer(
            hidden_states=noisy, timestep=sigma, encoder_hidden_states=text, pooled_projections=pooled,
            txt_ids=text.new_zeros(text.shape[1], 3), img_ids=self.image_ids,
            joint_attention_kwargs=None if mask is None else {"attention_mask": mask}, return_dict=False,
        )[0]  # fmt: skip
        return velocity


def captions(scenes: list[Scene], rng: random.Random) -> list[str]:
    """A caption a scene: one in ten empty (for guidance), one in twenty with an unknown word in it."""
    texts = []
    for scene in scenes:
        words = caption(scene, rng).split()
        if rng.random() < 0.05:
            words.insert(rng.randrange(len(words) + 1), "<unk>")
        texts.append("" if rng.random() < 0.1 else " ".join(words))
    return texts


def region_batch(model: Model, scenes: list[Scene], rng: random.Random) -> tuple[Tensor, Tensor]:
    """Region token ids ``(batch, n, MAX_LENGTH)`` and the mask ``(batch, 1, S, S)``; all scenes have n things."""
    ids, masks = [], []
    for scene in scenes:
        things = list(scene.things)
        rng.shuffle(things)
        ids.append(model.tokens([thing_caption(t) for t in things]))
        owned = owned_tokens([_loosen(t, rng) for t in things], GRID, GRID)
        masks.append(attention_mask(MAX_LENGTH, MAX_LENGTH, owned)[0])
    return torch.stack(ids), torch.stack(masks).to(model.image_ids.device)


def _loosen(thing: Thing, rng: random.Random) -> Region:
    """The thing's box, moved and grown a little, for the boxes that a planner draws are never tight."""
    x, y, side, _ = thing.box
    grow = rng.uniform(0.0, 0.25)
    x, y = max(0.0, x - grow * side * rng.random()), max(0.0, y - grow * side * rng.random())
    side *= 1 + grow
    return Region(caption=thing_caption(thing), x=x, y=y, width=min(side, 1 - x), height=min(side, 1 - y))


def optimisers(model: Model, plan: Plan) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the transformer's blocks, AdamW for everything else."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        in_block = "transformer_blocks" in name and parameter.ndim == 2
        (matrices if in_block else rest).append(parameter)
    muon = torch.optim.Muon(matrices, lr=plan.muon_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(rest, lr=plan.adam_rate, weight_decay=0.01, betas=(0.9, 0.98))
    return [muon, adam]


def set_rate(chain: list[torch.optim.Optimizer], plan: Plan, step: int) -> None:
    """A warm-up of 100 steps, a plateau, and a linear decay to zero over the last ``DECAY`` of the steps."""
    factor = min(1.0, (step + 1) / 100, (plan.steps - step) / (DECAY * plan.steps))
    for optimiser, base in zip(chain, (plan.muon_rate, plan.adam_rate), strict=True):
        for group in optimiser.param_groups:
            group["lr"] = base * factor


def _things(rng: random.Random, with_regions: bool) -> int | None:
    """How many things the scenes of a batch have; None for whatever the world holds."""
    if with_regions:
        return rng.choice((1, 2, 2, 3))
    return 1 if rng.random() < SINGLES else None


def loss_of(model: Model, data: Scenes, plan: Plan, step: int, device: torch.device) -> Tensor:
    """The flow-matching loss of step ``step``; the step's number seeds everything random in it."""
    rng = random.Random(plan.seed * 7_919_003 + step)
    noise_source = torch.Generator().manual_seed(plan.seed * 104_729 + step)
    with_regions = step >= plan.regions_from * plan.steps and rng.random() < plan.region_share
    things = _things(rng, with_regions)
    chosen = data.batch(rng, plan.batch, things)
    scenes = [data.scenes[i] for i in chosen]
    clean = data.latents[chosen].float().to(device)
    noise = torch.randn(clean.shape, generator=noise_source).to(device)
    sigma = torch.sigmoid(torch.randn(len(chosen), generator=noise_source) + NOISE_SHIFT).to(device)
    noisy = torch.lerp(clean, noise, sigma[:, None, None])
    region_ids, mask = region_batch(model, scenes, rng) if with_regions else (None, None)
    with torch.autocast(device.type, torch.bfloat16):
        velocity = model(noisy, sigma, model.tokens(captions(scenes, rng)), region_ids, mask)
    loss: Tensor = (velocity.float() - (noise - clean)).square().mean()
    return loss


# --- the run --------------------------------------------------------------------------------


def train(work: Path, plan: Plan, device: torch.device, out: Path, compiled: bool, weights: Path | None = None) -> None:
    """Train, or go on from the checkpoint in ``work``; export to ``out`` at the end (the rate is zero by then).

    Without a checkpoint, ``weights`` (a folder of an earlier export) gives the first weights and the autoencoder.
    """
    torch.manual_seed(plan.seed)
    pipeline = first_pipeline(work, weights)
    data = Scenes(pipeline.vae, plan, work, device)
    model = Model(pipeline).to(device)
    chain = optimisers(model, plan)
    average = Average(model.parameters(), 0.995)
    start = _resume(work / "mini.pt", model, chain, average)
    if compiled:
        model.transformer.compile_repeated_blocks(dynamic=False)
    progress = Progress("mini", plan.steps, start, every=25)
    for step in range(start, plan.steps):
        set_rate(chain, plan, step)
        loss = loss_of(model, data, plan, step, device)
        for optimiser in chain:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in chain:
            optimiser.step()
        average.update(model.parameters(), step)
        progress.tell(step + 1, loss.item())
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == plan.steps:
            save_atomically(_state(model, chain, average, step + 1), work / "mini.pt")
    export_checkpoint(work, out, averaged=False)


def first_pipeline(work: Path, weights: Path | None) -> FluxPipeline:
    """The pipeline to train: untrained around the autoencoder in ``work``, or that of an earlier export."""
    if weights is None:
        return build_pipeline(AutoencoderKL.from_pretrained(work / "vae"))
    earlier = FluxPipeline.from_pretrained(weights, local_files_only=True)
    earlier.vae.save_pretrained(work / "vae")
    pipeline = build_pipeline(earlier.vae)
    adopt(pipeline, earlier)
    return pipeline


def _state(model: Model, chain: list[torch.optim.Optimizer], average: Average, step: int) -> dict[str, Any]:
    return {
        "model": model.state_dict(), "optimisers": [o.state_dict() for o in chain],
        "average": average.shadow, "step": step,
    }  # fmt: skip


def _resume(path: Path, model: Model, chain: list[torch.optim.Optimizer], average: Average) -> int:
    saved = load_if_there(path)
    if saved is None:
        return 0
    model.load_state_dict(saved["model"])
    for optimiser, state in zip(chain, saved["optimisers"], strict=True):
        optimiser.load_state_dict(state)
    average.shadow = saved["average"]
    print(f"mini goes on from step {saved['step']}", flush=True)
    return int(saved["step"])


def export_checkpoint(work: Path, out: Path, averaged: bool) -> None:
    """Write the checkpoint in ``work`` as a diffusers folder at ``out``: the moving average, or the last weights."""
    saved = load_if_there(work / "mini.pt")
    if saved is None:
        raise SystemExit(f"no checkpoint in {work}: train first")
    pipeline = build_pipeline(AutoencoderKL.from_pretrained(work / "vae"))
    model = Model(pipeline)
    model.load_state_dict(saved["model"])
    if averaged:
        shadow: Iterator[Tensor] = iter(saved["average"])
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(next(shadow))
    export(pipeline, out)


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".mini-work"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights" / "pipeline")
    parser.add_argument("--steps", type=int, default=4400)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--scenes", type=int, default=60000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--regions-from", type=float, default=0.58)
    parser.add_argument("--region-share", type=float, default=0.25)
    parser.add_argument("--from", dest="weights", type=Path, help="start from the weights of an earlier export")
    parser.add_argument("--device")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--export-only", action="store_true", help="write the pipeline from the checkpoint and stop")
    parser.add_argument("--averaged", action="store_true", help="with --export-only: the moving average")
    args = parser.parse_args()
    if args.export_only:
        export_checkpoint(args.work, args.out, args.averaged)
        return
    plan = Plan(
        steps=args.steps, batch=args.batch, scenes=args.scenes, seed=args.seed, muon_rate=2e-3, adam_rate=2e-3,
        regions_from=args.regions_from, region_share=args.region_share,
    )  # fmt: skip
    train(args.work, plan, pick_device(args.device), args.out, not args.no_compile, args.weights)


if __name__ == "__main__":
    main()
