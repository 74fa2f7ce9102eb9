"""Trains what can be put on or beside mini: LoRAs that are better at one thing, and a variant of few steps.

``python -m imagewright.t2i_backends.mini.training.train_variants counting`` (``relations``, ``few-steps``) starts from
the exported pipeline and resumes from its checkpoint in the work folder. A LoRA (Hu et al. 2021, arXiv:2106.09685) sees
only scenes of its lesson. The few-step variant learns to go in one step where the base, with its guidance, goes in
several (after Salimans & Ho 2022, "Progressive distillation", arXiv:2202.00512), and needs no guidance then.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn

from imagewright.t2i_backends.mini import shipped, sizes
from imagewright.t2i_backends.mini.training import compiling
from imagewright.t2i_backends.mini.training.scenes import Scenes
from imagewright.t2i_backends.mini.training.train import SAVE_EVERY, Model, TrainingPlan, caption_all, loss_of
from imagewright.t2i_backends.mini.training.training import (
    TrainingProgress,
    load_if_there,
    pick_training_device,
    save_atomically,
)
from imagewright.t2i_backends.mini.world import Scene

LESSONS: Mapping[str, Callable[[Scene], bool]] = {
    "counting": lambda scene: any(group.count > 1 for group in scene.groups),
    "relations": lambda scene: scene.relation is not None,
}
"""The scenes that each LoRA sees."""
FEW = "few-steps"
RANK = 8
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "proj_mlp", "proj_out"]
"""The matrices of the blocks that a LoRA changes."""
STUDENT_STEPS = 4
TEACHER_STEPS = 3
"""Steps of the base for one of the few-step variant."""
SHARDS = 6


class Focused(Scenes):
    """The training set with only the scenes of one lesson in its batches."""

    def __init__(self, lesson: Callable[[Scene], bool], *details: Any) -> None:
        super().__init__(*details)
        self.lesson = lesson

    def batch(self, rng: random.Random, size: int, along: float, things: int | None) -> list[int]:
        """``size`` random indexes into the lesson's scenes."""
        pool = [i for found in self.by_kind.values() for i in found] if things is None else self.by_count[things]
        fits = [i for i in pool if self.lesson(self.scenes[i])]
        return rng.choices(fits, k=size) if fits else super().batch(rng, size, along, things)


# --- LoRAs ----------------------------------------------------------------------------------


def with_lora(pipeline: FluxPipeline) -> Model:
    """The frozen model of ``pipeline`` with an untrained LoRA on its transformer."""
    model = Model(pipeline)
    model.requires_grad_(False)
    matrices = [n for n, m in pipeline.transformer.named_modules() if isinstance(m, nn.Linear) and _is_target(n)]
    pipeline.transformer.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=matrices))
    return model


def _is_target(name: str) -> bool:
    return "transformer_blocks" in name and name.endswith(tuple(f".{target}" for target in TARGETS))


def train_lora(
    lesson: str,
    base: Path,
    work: Path,
    out: Path,
    plan: TrainingPlan,
    rate: float,
    device: torch.device,
    compiled: bool = True,
) -> Path:
    """Train the LoRA of ``lesson`` on the pipeline in ``base`` and write ``out/<lesson>.safetensors``."""
    torch.manual_seed(plan.seed)
    pipeline = FluxPipeline.from_pretrained(base, local_files_only=True)
    model = with_lora(pipeline).to(device)
    data = Focused(LESSONS[lesson], pipeline.vae, work, plan.seed, plan.shard, device)
    data.grow(SHARDS)
    learning = [p for p in model.transformer.parameters() if p.requires_grad]

    def state() -> dict[str, Tensor]:
        return dict(get_peft_model_state_dict(model.transformer))

    def restore(saved: dict[str, Tensor]) -> None:
        set_peft_model_state_dict(model.transformer, saved)

    def loss(step: int) -> Tensor:
        return loss_of(model, data, plan, step, device)[0]

    with compiling.compile_blocks(model.transformer, device=device, wanted=compiled):
        _learn(f"LoRA {lesson}", work / f"lora-{lesson}.pt", learning, rate, plan, loss, state, restore)
    FluxPipeline.save_lora_weights(out, transformer_lora_layers=state(), weight_name=f"{lesson}.safetensors")
    return out / f"{lesson}.safetensors"


# --- few steps ------------------------------------------------------------------------------


def few_step_loss(
    student: Model, teacher: Model, data: Scenes, plan: TrainingPlan, step: int, device: torch.device
) -> Tensor:
    """How far one step of the student is from ``TEACHER_STEPS`` guided steps of the teacher."""
    rng = random.Random(plan.seed * 6_700_417 + step)
    source = torch.Generator().manual_seed(plan.seed * 15_485_863 + step)
    chosen = data.batch(rng, plan.batch, 1.0, None)
    scenes = [data.scenes[i] for i in chosen]
    clean = data.latents(chosen).to(device)
    start = torch.randint(0, STUDENT_STEPS, (len(chosen),), generator=source).to(device)
    sigma = 1 - start / STUDENT_STEPS
    noise = torch.randn(clean.shape, generator=source).to(device)
    noisy = torch.lerp(clean, noise, sigma[:, None, None])
    ids = student.tokens(caption_all(scenes, rng))
    empty = student.tokens([""] * len(scenes))
    with torch.autocast(device.type, torch.bfloat16):
        with torch.no_grad():
            goal = _guided(teacher, noisy, sigma, ids, empty, sizes.CALL_GUIDANCE)
        velocity = student(noisy, sigma, ids, None, None)
    loss: Tensor = (velocity.float() - (noisy - goal) * STUDENT_STEPS).square().mean()
    return loss


def _guided(teacher: Model, noisy: Tensor, sigma: Tensor, ids: Tensor, empty: Tensor, scale: float) -> Tensor:
    """Where the teacher goes from ``sigma`` in one student step: Euler steps under classifier-free guidance."""
    stride = 1 / (STUDENT_STEPS * TEACHER_STEPS)
    for number in range(TEACHER_STEPS):
        now = sigma - number * stride
        asked = teacher(noisy, now, ids, None, None).float()
        against = teacher(noisy, now, empty, None, None).float()
        noisy = noisy - stride * (against + scale * (asked - against))
    return noisy


def train_few_steps(
    base: Path, work: Path, out: Path, plan: TrainingPlan, rate: float, device: torch.device, compiled: bool = True
) -> Path:
    """Distil the pipeline in ``base`` and write the transformer alone to ``out/mini-few-steps``, bf16."""
    torch.manual_seed(plan.seed)
    teacher, student = (Model(FluxPipeline.from_pretrained(base, local_files_only=True)).to(device) for _ in range(2))
    teacher.requires_grad_(False)
    vae = FluxPipeline.from_pretrained(base, local_files_only=True).vae
    data = Scenes(vae, work, plan.seed, plan.shard, device)
    data.grow(SHARDS)
    learning = list(student.transformer.parameters())
    # The text encoders stay the base's: flows take them from there.
    student.clip.requires_grad_(False)
    student.t5.requires_grad_(False)

    def loss(step: int) -> Tensor:
        return few_step_loss(student, teacher, data, plan, step, device)

    path, transformer = work / "few-steps.pt", student.transformer
    with compiling.compile_blocks(transformer, teacher.transformer, device=device, wanted=compiled):
        _learn(FEW, path, learning, rate, plan, loss, transformer.state_dict, transformer.load_state_dict)
    folder = out / "mini-few-steps"
    transformer.to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)
    return folder


def _learn(
    name: str,
    path: Path,
    learning: Sequence[nn.Parameter],
    rate: float,
    plan: TrainingPlan,
    loss: Callable[[int], Tensor],
    state: Callable[[], dict[str, Any]],
    restore: Callable[[dict[str, Any]], object],
) -> None:
    """AdamW with a warm-up and a linear decay, resumable; ``state`` and ``restore`` are the variant's weights."""
    optimiser = torch.optim.AdamW(learning, lr=rate, weight_decay=0.0, betas=(0.9, 0.98))
    start = 0
    if (saved := load_if_there(path)) is not None:
        restore(saved["weights"])
        optimiser.load_state_dict(saved["optimiser"])
        start = saved["step"]
    progress = TrainingProgress(name, plan.steps, start, every=25)
    for step in range(start, plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 50, (plan.steps - step) / (0.7 * plan.steps))
        found = loss(step)
        optimiser.zero_grad(set_to_none=True)
        found.backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        progress.tell(step + 1, found.item())
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == plan.steps:
            save_atomically({"weights": state(), "optimiser": optimiser.state_dict(), "step": step + 1}, path)


def main() -> None:
    """Parse the command line and train one variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=(*LESSONS, FEW))
    parser.add_argument("--base", type=Path, help="the pipeline to start from (default: the one that ships)")
    parser.add_argument("--work", type=Path, default=Path(".mini-work"))
    parser.add_argument("--out", type=Path, help="the folder to write to (default: beside the pipeline)")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device")
    parser.add_argument("--no-compile", action="store_true")
    args = parser.parse_args()
    base, out = args.base or shipped.WEIGHTS / "pipeline", args.out or shipped.WEIGHTS
    plan = TrainingPlan(steps=args.steps, batch=args.batch, seed=args.seed, region_share=0.0)
    device = pick_training_device(args.device)
    if args.name == FEW:
        print(train_few_steps(base, args.work, out, plan, args.rate, device, not args.no_compile))
    else:
        folder = out / "loras"
        print(train_lora(args.name, base, args.work, folder, plan, args.rate, device, not args.no_compile))


if __name__ == "__main__":
    main()
