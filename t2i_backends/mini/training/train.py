"""Trains mini: a rectified flow in the autoencoder's latents, with its text encoders, on scenes drawn here.

Run it with ``make mini`` or ``python -m imagewright.t2i_backends.mini.training.train``. It needs the autoencoder of
``train_autoencoder`` and resumes from its own checkpoint after any interruption. The recipe: text encoders that can
read before they draw (``train_text.py``), a curriculum from single things to many, things in rows where captions are
learned (``arrangements.py``), logit-normal times (Esser et al. 2024, arXiv:2403.03206), blocks that begin as the
identity, Muon on the block matrices and AdamW on the rest, a loss on what the middle of the network knows of the
picture (after the alignment of Yu et al. 2024, "REPA", arXiv:2410.06940, with the scene itself for a teacher), an
exponential moving average, a linear decay. A share of the batches trains region prompts under the same attention mask
that the executor uses.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, FluxPipeline
from torch import Tensor, nn

from imagewright.schemas import Region
from imagewright.t2i_backends.denoising.attention_masks import attention_mask, own_tokens
from imagewright.t2i_backends.mini import shipped, sizes
from imagewright.t2i_backends.mini.architecture import adopt, build_pipeline, export_pipeline
from imagewright.t2i_backends.mini.captions import caption, thing_caption
from imagewright.t2i_backends.mini.training import compiling
from imagewright.t2i_backends.mini.training.reading import PlaceReader
from imagewright.t2i_backends.mini.training.scenes import Scenes, scene_maps
from imagewright.t2i_backends.mini.training.train_text import teach
from imagewright.t2i_backends.mini.training.training import (
    Average,
    TrainingProgress,
    load_if_there,
    pick_training_device,
    save_atomically,
)
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES, Scene, Thing

SAVE_EVERY = 100
"""Steps between two checkpoints."""
FIRST_SHARDS = 3
"""Shards of scenes before the first step."""
MAP_WEIGHT = 0.3
"""The weight of the map loss (``map_loss``)."""
PLACE_WEIGHT = 0.1
"""The weight of asking T5's nouns for places (``reading.PlaceReader``)."""


@dataclass(frozen=True)
class TrainingPlan:
    """How long, how fast and on what to train."""

    steps: int
    batch: int
    seed: int
    muon_rate: float = 2e-3
    adam_rate: float = 2e-3
    decay: float = 0.3
    """The share of the steps over which the rate falls to zero."""
    regions_from: float = 0.05
    """The share of the steps after which region batches begin."""
    region_share: float = 0.25
    """The share of batches with regions from then on."""
    shard: int = 8192
    """Scenes a shard."""
    grow_every: int = 600
    """Steps after which the training set grows by a shard."""
    most_shards: int = 16
    """Where it stops growing: by then no scene is seen often enough to be known by heart."""
    curriculum: int = 3000
    """Steps until the kinds of scenes have their final shares."""
    noise_shift: float = 1.5
    """Added to the normal under the logistic of the training's times: flat pictures show their shapes through much
    noise, and what stands where is settled there. (The model after 5,300 steps with 0.8: from latents with 60 % noise
    it finished 73 of 80 pictures rightly, from noise alone 10.)"""
    text_steps: int = 0
    """Steps of the text encoders' own lessons before the first."""


# --- one step -------------------------------------------------------------------------------


class Model(nn.Module):
    """The parts that learn, and how a batch goes through them."""

    image_ids: Tensor

    def __init__(self, pipeline: FluxPipeline) -> None:
        super().__init__()
        self.transformer, self.clip, self.t5 = pipeline.transformer, pipeline.text_encoder, pipeline.text_encoder_2
        self.tokenizer = pipeline.tokenizer
        side = sizes.GRID
        image_ids = FluxPipeline._prepare_latent_image_ids(1, side, side, torch.device("cpu"), torch.float32)
        self.register_buffer("image_ids", image_ids, persistent=False)
        self.middle: list[Tensor] = []
        """The image tokens half-way through the transformer, in the latest pass."""
        self.read: Tensor = torch.empty(0)
        """T5's tokens of the captions, in the latest pass."""
        width = self.transformer.inner_dim
        outputs = len(SHAPES) + len(COLOURS)
        self.mapper = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))
        self.transformer.transformer_blocks[-1].register_forward_hook(self._keep)
        self.reader = PlaceReader(self.tokenizer.get_vocab(), self.t5.config.d_model)

    def _keep(self, _block: nn.Module, _inputs: Any, output: tuple[Tensor, Tensor]) -> None:
        self.middle = [output[1]]

    def tokens(self, texts: list[str]) -> Tensor:
        """Token ids ``(count, length)``, padded as the pipeline pads them."""
        length = sizes.PROMPT_TOKENS
        made = self.tokenizer(texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
        ids: Tensor = made.input_ids
        return ids.to(self.image_ids.device)

    def forward(
        self, noisy: Tensor, sigma: Tensor, ids: Tensor, region_ids: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """The predicted velocity, of ``noisy``'s shape; ``region_ids`` is ``(batch, regions, length)``."""
        pooled = self.clip(ids).pooler_output
        text = self.read = self.t5(ids)[0]
        if region_ids is not None:
            regions = self.t5(region_ids.flatten(0, 1))[0].unflatten(0, region_ids.shape[:2]).flatten(1, 2)
            text = torch.cat([text, regions], dim=1)
        velocity: Tensor = self.transformer(
            hidden_states=noisy,
            timestep=sigma,
            encoder_hidden_states=text,
            pooled_projections=pooled,
            txt_ids=text.new_zeros(text.shape[1], 3),
            img_ids=self.image_ids,
            joint_attention_kwargs=None if mask is None else {"attention_mask": mask},
            return_dict=False,
        )[0]
        return velocity


def caption_all(scenes: list[Scene], rng: random.Random) -> list[str]:
    """A caption a scene: one in ten empty (for guidance), one in twenty with an unknown word in it."""
    texts = []
    for scene in scenes:
        words = caption(scene, rng, lesson=True).split()
        if rng.random() < 0.05:
            words.insert(rng.randrange(len(words) + 1), "<unk>")
        texts.append("" if rng.random() < 0.1 else " ".join(words))
    return texts


def region_batch(model: Model, scenes: list[Scene], rng: random.Random) -> tuple[Tensor, Tensor]:
    """Region token ids ``(batch, n, length)`` and the mask ``(batch, 1, S, S)``; all scenes have n things."""
    ids: list[Tensor] = []
    masks: list[Tensor] = []
    for scene in scenes:
        things = list(scene.things)
        rng.shuffle(things)
        regions = [_loosen(thing, thing_caption(thing), rng) for thing in things]
        ids.append(model.tokens([region.caption for region in regions]))
        owned = own_tokens(regions, sizes.GRID, sizes.GRID)
        masks.append(attention_mask(sizes.PROMPT_TOKENS, sizes.PROMPT_TOKENS, owned)[0])
    return torch.stack(ids), torch.stack(masks).to(model.image_ids.device)


def _loosen(thing: Thing, caption: str, rng: random.Random) -> Region:
    """The thing's box, grown a little along each axis, for the boxes that a planner draws are never tight."""
    x, y, side, _ = thing.box
    (left, width), (top, height) = (_grown(low, side, rng) for low in (x, y))
    return Region(caption=caption, x=left, y=top, width=width, height=height)


def _grown(low: float, side: float, rng: random.Random) -> tuple[float, float]:
    """Where a longer side that holds the one from ``low`` begins, and how long it is; inside the picture."""
    more = rng.uniform(0.0, 0.3) * side
    start = max(0.0, low - more * rng.random())
    return start, min(side + more, 1 - start)


def optimisers(model: Model, plan: TrainingPlan) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the transformer's blocks, AdamW for everything else."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        in_block = "transformer_blocks" in name and parameter.ndim == 2
        (matrices if in_block else rest).append(parameter)
    muon = torch.optim.Muon(matrices, lr=plan.muon_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(rest, lr=plan.adam_rate, weight_decay=0.01, betas=(0.9, 0.98))
    return [muon, adam]


def set_rate(chain: list[torch.optim.Optimizer], plan: TrainingPlan, step: int) -> None:
    """A warm-up of 100 steps, a plateau, and a linear decay to zero over the plan's last steps."""
    factor = min(1.0, (step + 1) / 100, (plan.steps - step) / (plan.decay * plan.steps))
    for optimiser, base in zip(chain, (plan.muon_rate, plan.adam_rate), strict=True):
        for group in optimiser.param_groups:
            group["lr"] = base * factor


def _choose(data: Scenes, plan: TrainingPlan, step: int, rng: random.Random) -> tuple[list[int], bool]:
    """The scenes of a batch, and whether it trains region prompts; then all of them have as many things."""
    with_regions = step >= plan.regions_from * plan.steps and rng.random() < plan.region_share
    things = rng.choice([number for number, found in data.by_count.items() if found]) if with_regions else None
    return data.batch(rng, plan.batch, min(1.0, step / plan.curriculum), things), with_regions


def loss_of(model: Model, data: Scenes, plan: TrainingPlan, step: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The flow-matching loss of step ``step``, and what the helping losses add to it with their weights.

    The step's number seeds everything random in them.
    """
    rng = random.Random(plan.seed * 7_919_003 + step)
    noise_source = torch.Generator().manual_seed(plan.seed * 104_729 + step)
    chosen, with_regions = _choose(data, plan, step, rng)
    scenes = [data.scenes[i] for i in chosen]
    clean = data.latents(chosen).to(device)
    noise = torch.randn(clean.shape, generator=noise_source).to(device)
    sigma = torch.sigmoid(torch.randn(len(chosen), generator=noise_source) + plan.noise_shift).to(device)
    noisy = torch.lerp(clean, noise, sigma[:, None, None])
    region_ids, mask = region_batch(model, scenes, rng) if with_regions else (None, None)
    ids = model.tokens(caption_all(scenes, rng))
    with torch.autocast(device.type, torch.bfloat16):
        velocity = model(noisy, sigma, ids, region_ids, mask)
    flow: Tensor = (velocity.float() - (noise - clean)).square().mean()
    helping = MAP_WEIGHT * map_loss(model, scenes)
    if not with_regions:
        # Where scenes with regions stand is in their boxes, not in their captions.
        helping = helping + PLACE_WEIGHT * model.reader.loss(model.read, ids, scenes)[0]
    return flow, helping


def map_loss(model: Model, scenes: list[Scene]) -> Tensor:
    """How badly the image tokens half-way through tell which shape and colour stands where."""
    guessed: Tensor = model.mapper(model.middle[0].float())
    return F.binary_cross_entropy_with_logits(guessed, scene_maps(scenes).to(guessed.device))


# --- the run --------------------------------------------------------------------------------


def train_flow(
    work: Path, plan: TrainingPlan, device: torch.device, out: Path, compiled: bool, weights: Path | None = None
) -> None:
    """Train, or go on from the checkpoint in ``work``; export to ``out`` at the end (the rate is zero by then).

    Without a checkpoint, ``weights`` (a folder of an earlier export) gives the first weights and the autoencoder.
    """
    torch.manual_seed(plan.seed)
    pipeline = first_pipeline(work, plan, weights)
    data = Scenes(pipeline.vae, work, plan.seed, plan.shard, device)
    model = Model(pipeline).to(device)
    chain = optimisers(model, plan)
    average = Average(model.parameters(), 0.995)
    start = _resume(work / "mini.pt", model, chain, average)
    progress = TrainingProgress("mini", plan.steps, start, every=25)
    with compiling.compile_blocks(model.transformer, device=device, wanted=compiled):
        for step in range(start, plan.steps):
            data.grow(min(plan.most_shards, FIRST_SHARDS + step // plan.grow_every))
            progress.tell(step + 1, one_step(model, chain, data, plan, step, device))
            average.update(model.parameters(), step)
            if (step + 1) % SAVE_EVERY == 0 or step + 1 == plan.steps:
                save_atomically(_state(model, chain, average, step + 1), work / "mini.pt")
    export_checkpoint(work, out, averaged=False)


def one_step(
    model: Model, chain: list[torch.optim.Optimizer], data: Scenes, plan: TrainingPlan, step: int, device: torch.device
) -> float:
    """Learn from the batch of step ``step``; returns its flow-matching loss."""
    set_rate(chain, plan, step)
    flow, helping = loss_of(model, data, plan, step, device)
    for optimiser in chain:
        optimiser.zero_grad(set_to_none=True)
    (flow + helping).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimiser in chain:
        optimiser.step()
    return flow.item()


def first_pipeline(work: Path, plan: TrainingPlan, weights: Path | None) -> FluxPipeline:
    """The pipeline to train: around the autoencoder in ``work`` with text encoders that can read, or an export's."""
    if weights is None:
        pipeline = build_pipeline(AutoencoderKL.from_pretrained(work / "vae"))
        if plan.text_steps and not (work / "mini.pt").exists():
            teach(pipeline, work, plan.text_steps, batch=128, seed=plan.seed)
        return pipeline
    earlier = FluxPipeline.from_pretrained(weights, local_files_only=True)
    earlier.vae.save_pretrained(work / "vae")
    pipeline = build_pipeline(earlier.vae)
    adopt(pipeline, earlier)
    return pipeline


def _state(model: Model, chain: list[torch.optim.Optimizer], average: Average, step: int) -> dict[str, Any]:
    return {
        "model": model.state_dict(),
        "optimisers": [o.state_dict() for o in chain],
        "average": average.shadow,
        "step": step,
    }


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
    export_pipeline(pipeline, out)


def _arguments() -> argparse.ArgumentParser:
    """The command line of the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".mini-work"))
    parser.add_argument("--out", type=Path, help="the diffusers folder to write (default: where it ships)")
    parser.add_argument("--steps", type=int, default=30_000, help="optimiser steps (default 30000)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--decay", type=float, default=TrainingPlan.decay, help="share of the steps with a falling rate"
    )
    parser.add_argument("--regions-from", type=float, default=TrainingPlan.regions_from)
    parser.add_argument("--region-share", type=float, default=TrainingPlan.region_share)
    parser.add_argument("--most-shards", type=int, default=TrainingPlan.most_shards, help="shards of scenes at most")
    parser.add_argument("--noise-shift", type=float, default=TrainingPlan.noise_shift, help="where the times lie")
    parser.add_argument("--text-steps", type=int, default=4400, help="the text encoders' own lessons beforehand")
    parser.add_argument("--from", dest="weights", type=Path, help="start from the weights of an earlier export")
    parser.add_argument("--device")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--export-only", action="store_true", help="write the pipeline from the checkpoint and stop")
    parser.add_argument("--averaged", action="store_true", help="with --export-only: the moving average")
    return parser


def main() -> None:
    """Parse the command line and train."""
    args = _arguments().parse_args()
    out = args.out or shipped.WEIGHTS / "pipeline"
    if args.export_only:
        export_checkpoint(args.work, out, args.averaged)
        return
    plan = TrainingPlan(
        steps=args.steps,
        batch=args.batch,
        seed=args.seed,
        decay=args.decay,
        regions_from=args.regions_from,
        region_share=args.region_share,
        most_shards=args.most_shards,
        text_steps=args.text_steps,
        noise_shift=args.noise_shift,
    )
    train_flow(args.work, plan, pick_training_device(args.device), out, not args.no_compile, args.weights)


if __name__ == "__main__":
    main()
