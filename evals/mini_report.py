"""How well mini obeys: the model card's plain call on fresh prompts, judged by the exact checker.

Run it with ``make mini-report``. It loads the folder with stock diffusers, so it measures the weights and nothing of
imagewright's own loop. It prints a table with 95 % intervals (Wilson) and writes a contact sheet and a JSON report.
The prompts are worded as training never words them.
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

from PIL import Image

from imagewright.evals.exact_checker import Seen, judge, look
from imagewright.evals.sheets import SheetPicture, grid
from imagewright.t2i_backends.mini import shipped, sizes
from imagewright.t2i_backends.mini.captions import caption
from imagewright.t2i_backends.mini.render import SIZE
from imagewright.t2i_backends.mini.world import Scene, sample_scene


@dataclass(frozen=True)
class Row:
    """One line of the table: how many prompts, and which scenes belong to it."""

    name: str
    prompts: int
    counts: tuple[tuple[int, ...], ...]
    """How many things each group has; these alternatives in turn."""
    related: bool | None = None
    """Whether a relation is stated; None for either."""


ROWS: tuple[Row, ...] = (
    Row("one object and colour", 100, ((1,),)),
    Row("two objects with colours", 100, ((1, 1),), related=False),
    Row("exact count 1-4", 100, ((1,), (2,), (3,), (4,))),
    Row("relation of two objects", 100, ((1, 1),), related=True),
)


@dataclass(frozen=True)
class ReportCase:
    """A prompt and the scene that it must show."""

    kind: str
    scene: Scene
    prompt: str
    seed: int


def cases(seed: int, scale: float = 1.0, rows: Sequence[Row] = ROWS) -> list[ReportCase]:
    """Fresh prompts for ``rows`` (the report's), ``scale`` times as many, from a seed that training never used."""
    rng = random.Random(f"report/2/{seed}")  # the 2 keeps the prompts of earlier reports
    made: list[ReportCase] = []
    for row in rows:
        for number in range(max(1, round(row.prompts * scale))):
            scene = _scene(row, row.counts[number % len(row.counts)], rng)
            made.append(ReportCase(row.name, scene, caption(scene, rng, held_out=True), len(made)))
    return made


def _scene(row: Row, counts: tuple[int, ...], rng: random.Random) -> Scene:
    while True:
        scene = sample_scene(rng)
        if tuple(g.count for g in scene.groups) == counts and row.related in (None, scene.relation is not None):
            return scene


def _draw_all(made: Sequence[ReportCase], folder: Path, side: int, steps: int, scale: float) -> list[Image.Image]:
    """The pictures of ``made`` by the card's call, each from its own seed."""
    import torch
    from diffusers import FluxPipeline
    from diffusers.utils import logging

    pipe = FluxPipeline.from_pretrained(folder, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    logging.set_verbosity_error()  # the longest captions lose their last words, here as in training
    pictures: list[Image.Image] = []
    for start in range(0, len(made), 20):
        part = made[start : start + 20]
        pictures += pipe(
            [c.prompt for c in part],
            negative_prompt=[""] * len(part),
            height=side,
            width=side,
            max_sequence_length=pipe.tokenizer_2.model_max_length,
            true_cfg_scale=scale,
            num_inference_steps=steps,
            generator=[torch.Generator("cpu").manual_seed(c.seed) for c in part],
        ).images
        print(f"\r{len(pictures)}/{len(made)} drawn", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return pictures


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share."""
    z, share = 1.96, right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def contact_sheet(
    made: Sequence[ReportCase], pictures: Sequence[Image.Image], wrong: Sequence[tuple[str, ...]]
) -> Image.Image:
    """All pictures with their prompts; a red frame where the checker complains."""
    cards = []
    for case, picture, complaints in zip(made, pictures, wrong, strict=True):
        words = case.prompt.split()
        lines = [(" ".join(words[start : start + 4]), "black") for start in range(0, len(words), 4)][:3]
        cards.append(SheetPicture(picture, lines, "red" if complaints else "#bbbbbb"))
    return grid(cards, across=10, cell=140, side=128, font=9)


def complaints(case: ReportCase, seen: Seen) -> tuple[str, ...]:
    """What is wrong with a picture; its background counts where the prompt names it and the case says which."""
    named = "background" in case.prompt or "backdrop" in case.prompt
    return judge(seen, case.scene.groups, case.scene.relation, (case.scene.background or None) if named else None)


def tally(made: Sequence[ReportCase], wrong: Sequence[tuple[str, ...]]) -> list[dict[str, object]]:
    """A row for each kind of prompt: the share that is right in everything, with its interval."""
    rows: list[dict[str, object]] = []
    for kind in dict.fromkeys(case.kind for case in made):
        verdicts = [not w for case, w in zip(made, wrong, strict=True) if case.kind == kind]
        low, high = wilson_interval(sum(verdicts), len(verdicts))
        share = sum(verdicts) / len(verdicts)
        rows.append({"kind": kind, "prompts": len(verdicts), "right": share, "low": low, "high": high})
        print(f"{kind:<26} {share:6.1%}  [{low:.1%} – {high:.1%}]  of {len(verdicts)} prompts")
    return rows


def _report(folder: Path, out: Path, share: float, seed: int, steps: int, scale: float) -> dict[str, object]:
    """Draw, judge, write ``sheet.png`` and ``report.json`` under ``out``, print the table."""
    made = cases(seed, share)
    pictures = _draw_all(made, folder, SIZE, steps, scale)
    wrong = [complaints(c, look(p)) for c, p in zip(made, pictures, strict=True)]
    rows = tally(made, wrong)
    out.mkdir(parents=True, exist_ok=True)
    contact_sheet(made, pictures, wrong).save(out / "sheet.png")
    result: dict[str, object] = {
        "pipeline": str(folder),
        "seed": seed,
        "steps": steps,
        "true_cfg_scale": scale,
        "rows": rows,
        "wrong": [{"prompt": c.prompt, "seed": c.seed, "why": w} for c, w in zip(made, wrong, strict=True) if w],
    }
    (out / "report.json").write_text(json.dumps(result, indent=1), "utf-8")
    print(f"contact sheet: {out / 'sheet.png'}")
    return result


def main() -> None:
    """Parse the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline", type=Path, help="the diffusers folder (default: the one that ships)")
    parser.add_argument("--out", type=Path, default=Path("out/mini-report"))
    parser.add_argument("--share", type=float, default=1.0, help="the share of the prompts to draw")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--scale", type=float)
    args = parser.parse_args()
    _report(
        args.pipeline or shipped.WEIGHTS / "pipeline",
        args.out,
        args.share,
        args.seed,
        args.steps or sizes.CALL_STEPS,
        args.scale or sizes.CALL_GUIDANCE,
    )


if __name__ == "__main__":
    main()
