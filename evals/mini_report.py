"""How well mini obeys: the model card's plain call on fresh prompts, judged by the exact checker.

Run it with ``make mini-report``. It loads the folder with stock diffusers, so it measures the weights and nothing of
imagewright's own loop. It prints a table with 95 % intervals (Wilson) and writes a contact sheet and a JSON report.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from imagewright.evals.exact_checker import judge, look
from imagewright.t2i_backends.mini import card
from imagewright.t2i_backends.mini.world import Scene, caption, sample_scene

PIPELINE = Path(__file__).resolve().parent.parent / "t2i_backends" / "mini" / "weights" / "pipeline"
KINDS = ("one object", "two objects", "two or three of a kind", "two groups, 3-4 things")


@dataclass(frozen=True)
class Case:
    """A prompt and the scene that it must show."""

    kind: str
    scene: Scene
    prompt: str
    seed: int


def kind_of(scene: Scene) -> str:
    """Which row of the table a scene belongs to."""
    counts = [g.count for g in scene.groups]
    if counts == [1]:
        return KINDS[0]
    if counts == [1, 1]:
        return KINDS[1]
    return KINDS[2] if len(counts) == 1 else KINDS[3]


def cases(each: dict[str, int], seed: int) -> list[Case]:
    """Fresh prompts: ``each[kind]`` of every kind, from a seed that training never used."""
    rng, left = random.Random(seed), dict(each)
    made: list[Case] = []
    while any(left.values()):
        scene = sample_scene(rng)
        kind, text = kind_of(scene), caption(scene, rng)
        if left.get(kind):
            left[kind] -= 1
            made.append(Case(kind, scene, text, len(made)))
    return sorted(made, key=lambda c: KINDS.index(c.kind))


def draw_all(made: Sequence[Case], folder: Path, steps: int, scale: float, batch: int = 20) -> list[Image.Image]:
    """The pictures of ``made`` by the card's call, each from its own seed."""
    import torch
    from diffusers import FluxPipeline
    from diffusers.utils import logging

    pipe = FluxPipeline.from_pretrained(folder, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    logging.set_verbosity_error()  # the longest captions lose their last words, here as in training
    pictures: list[Image.Image] = []
    for start in range(0, len(made), batch):
        part = made[start : start + batch]
        pictures += pipe(
            [c.prompt for c in part], negative_prompt=[""] * len(part), height=64, width=64,
            max_sequence_length=pipe.tokenizer_2.model_max_length, true_cfg_scale=scale, num_inference_steps=steps,
            generator=[torch.Generator("cpu").manual_seed(c.seed) for c in part],
        ).images  # fmt: skip
        print(f"\r{len(pictures)}/{len(made)} drawn", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return pictures


def interval(right: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share."""
    z, share = 1.96, right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def contact_sheet(
    made: Sequence[Case], pictures: Sequence[Image.Image], wrong: Sequence[tuple[str, ...]]
) -> Image.Image:
    """All pictures with their prompts; a red frame where the checker complains."""
    across, cell, text = 10, 140, 34
    rows = math.ceil(len(made) / across)
    sheet = Image.new("RGB", (across * cell, rows * (cell + text)), "white")
    brush = ImageDraw.Draw(sheet)
    for i, (case, picture, complaints) in enumerate(zip(made, pictures, wrong, strict=True)):
        x, y = (i % across) * cell, (i // across) * (cell + text)
        brush.rectangle((x + 3, y + 3, x + cell - 4, y + cell - 4), outline="red" if complaints else "#bbb", width=3)
        sheet.paste(picture.resize((128, 128), Image.Resampling.NEAREST), (x + 6, y + 6))
        words = case.prompt.split()
        lines = [" ".join(words[j : j + 4]) for j in range(0, len(words), 4)][:3]
        brush.multiline_text((x + 6, y + cell - 2), "\n".join(lines), fill="black", font_size=9, spacing=1)
    return sheet


def report(folder: Path, out: Path, count: int, others: int, seed: int, steps: int, scale: float) -> dict[str, object]:
    """Draw, judge, write ``sheet.png`` and ``report.json`` under ``out``, print the table."""
    made = cases({KINDS[0]: count, **dict.fromkeys(KINDS[1:], others)}, seed)
    pictures = draw_all(made, folder, steps, scale)
    wrong = [
        judge(look(p), c.scene.groups, c.scene.relation, c.scene.background if c.scene.background in c.prompt else None)
        for c, p in zip(made, pictures, strict=True)
    ]
    rows = []
    for kind in KINDS:
        verdicts = [not w for c, w in zip(made, wrong, strict=True) if c.kind == kind]
        if verdicts:
            low, high = interval(sum(verdicts), len(verdicts))
            share = sum(verdicts) / len(verdicts)
            rows.append({"kind": kind, "prompts": len(verdicts), "right": share, "low": low, "high": high})
            print(f"{kind:<26} {share:6.1%}  [{low:.1%} – {high:.1%}]  of {len(verdicts)} prompts")
    out.mkdir(parents=True, exist_ok=True)
    contact_sheet(made, pictures, wrong).save(out / "sheet.png")
    result: dict[str, object] = {
        "pipeline": str(folder), "seed": seed, "steps": steps, "true_cfg_scale": scale, "rows": rows,
        "wrong": [{"prompt": c.prompt, "seed": c.seed, "why": w} for c, w in zip(made, wrong, strict=True) if w],
    }  # fmt: skip
    (out / "report.json").write_text(json.dumps(result, indent=1), "utf-8")
    print(f"contact sheet: {out / 'sheet.png'}")
    return result


def main() -> None:
    """Parse the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline", type=Path, default=PIPELINE)
    parser.add_argument("--out", type=Path, default=Path("out/mini-report"))
    parser.add_argument("--count", type=int, default=200, help="prompts with one object")
    parser.add_argument("--others", type=int, default=60, help="prompts of each other kind")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--steps", type=int, default=card.STEPS)
    parser.add_argument("--scale", type=float, default=card.SCALE)
    args = parser.parse_args()
    report(args.pipeline, args.out, args.count, args.others, args.seed, args.steps, args.scale)


if __name__ == "__main__":
    main()
