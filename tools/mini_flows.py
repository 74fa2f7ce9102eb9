"""The twenty-four flows of mini's world, written as ComfyUI graphs: what selection has to choose from.

They differ in what people vary: steps, guidance, sampler, scheduler, LoRA, a distilled variant, a second stage, and
whether the planned layout governs the picture. ``python -m imagewright.tools.mini_flows --out DIR`` writes one JSON
file for each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imagewright.errors import ImagewrightError
from imagewright.flow_format import Graph
from imagewright.memory.artifacts import write_whole
from imagewright.schemas import Card, Flow, LayoutUse

SIDE = 128
CHECKPOINT = "mini"
_FEW_STEPS = "mini-few-steps"


@dataclass(frozen=True)
class Recipe:
    """What sets one flow apart from the others."""

    id: str
    title: str
    description: str
    steps: int = 20
    cfg: float = 4.0
    sampler: str = "euler"
    scheduler: str = "simple"
    loras: tuple[tuple[str, float], ...] = ()
    few_steps: bool = False
    second: float = 0.0
    """How much of the picture a second sampler draws anew; 0 for no second stage."""
    tags: tuple[str, ...] = ()
    layout: LayoutUse = "words"


def _counting(recipe: Recipe, name: str, strength: float, title: str, words: str) -> Recipe:
    tags = (*recipe.tags, "lora", "counting")
    return replace(
        recipe, id=name, title=title, description=words, loras=(("counting.safetensors", strength),), tags=tags
    )


_BASE = Recipe("mini-plain", "Mini, plain", "Twenty Euler steps at guidance 4: the model card's own call.")
RECIPES: tuple[Recipe, ...] = (
    _BASE,
    replace(_BASE, id="mini-sketch", title="Mini, sketch", steps=6, cfg=3.0, tags=("fast",),
            description="Six steps: a quick look, good for one plain thing."),
    replace(_BASE, id="mini-quick", title="Mini, quick", steps=10, cfg=3.5, tags=("fast",),
            description="Ten steps with mild guidance."),
    replace(_BASE, id="mini-careful", title="Mini, careful", steps=40,
            description="Forty steps: slow, for crowded pictures."),
    replace(_BASE, id="mini-free", title="Mini, free", cfg=1.5,
            description="Hardly any guidance: soft styles and patterned backgrounds come out best."),
    replace(_BASE, id="mini-mild", title="Mini, mild", cfg=2.5, description="Mild guidance, for one or two things."),
    replace(_BASE, id="mini-strict", title="Mini, strict", cfg=6.0,
            description="Strong guidance: colours and things as named."),
    replace(_BASE, id="mini-stern", title="Mini, stern", steps=30, cfg=8.0,
            description="The strongest guidance with more steps, for several colours at once."),
    replace(_BASE, id="mini-heun", title="Mini, Heun", sampler="heun", steps=12,
            description="Heun's second-order sampler, twelve steps of two passes each."),
    replace(_BASE, id="mini-heun-long", title="Mini, Heun, long", sampler="heun", steps=20, cfg=5.0,
            description="Twenty Heun steps at firm guidance."),
    replace(_BASE, id="mini-multistep", title="Mini, DPM++ 2M", sampler="dpmpp_2m", steps=12,
            description="DPM++ 2M in twelve steps: as fast as quick, and sharper."),
    replace(_BASE, id="mini-multistep-long", title="Mini, DPM++ 2M, long", sampler="dpmpp_2m", steps=24, cfg=5.0,
            description="DPM++ 2M in twenty-four steps at firm guidance."),
    replace(_BASE, id="mini-beta", title="Mini, beta schedule", scheduler="beta",
            description="Steps crowded at both ends of the noise: layout first, edges last."),
    replace(_BASE, id="mini-beta-strict", title="Mini, beta schedule, strict", scheduler="beta", steps=28, cfg=6.0,
            description="The beta schedule with strong guidance."),
    replace(_BASE, id="mini-normal", title="Mini, normal schedule", scheduler="normal", steps=16,
            description="Sixteen steps on the normal schedule."),
    _counting(_BASE, "mini-counting", 1.0, "Mini, counting", "A LoRA taught on several of a kind: the right number."),
    _counting(replace(_BASE, cfg=6.0), "mini-counting-strict", 0.7, "Mini, counting, strict",
              "The counting LoRA at part strength with strong guidance."),
    replace(_BASE, id="mini-relations", title="Mini, relations", loras=(("relations.safetensors", 1.0),),
            tags=("lora", "relations"), description="A LoRA taught on left, right, above and below."),
    replace(_BASE, id="mini-relations-strict", title="Mini, relations, strict", cfg=6.0,
            loras=(("relations.safetensors", 0.7),), tags=("lora", "relations"),
            description="The relations LoRA at part strength with strong guidance."),
    replace(_BASE, id="mini-few-steps", title="Mini, few steps", few_steps=True, steps=4, cfg=1.0,
            tags=("fast", "distilled"), description="The distilled variant: four steps, no guidance: very fast."),
    replace(_BASE, id="mini-few-steps-double", title="Mini, few steps, doubled", few_steps=True, steps=8, cfg=1.0,
            tags=("fast", "distilled"), description="The distilled variant in eight steps."),
    replace(_BASE, id="mini-two-stage", title="Mini, two stages", steps=14, second=0.5, tags=("two-stage",),
            description="Drawn, then half-way noised and drawn again: cleaner edges."),
    replace(_BASE, id="mini-layout", title="Mini, with layout", layout="regions",
            description="Each thing governed by its own box and words: several things, counts, relations."),
    replace(_BASE, id="mini-layout-strict", title="Mini, with layout, strict", cfg=6.0, steps=28, layout="regions",
            description="Boxes with strong guidance and more steps, for crowded pictures."),
)  # fmt: skip


def _flow_of(recipe: Recipe) -> Flow:
    """The flow of a recipe: its graph, and a card without what the index reads off the graph."""
    card = Card(
        title=recipe.title, description=recipe.description, tags=("mini", "shapes", *recipe.tags),
        layout=recipe.layout, base_model="mini",
        family="flux", licence="Apache-2.0",
    )  # fmt: skip
    return Flow(id=recipe.id, graph=graph_of(recipe), card=card)


def graph_of(recipe: Recipe) -> Graph:
    """The recipe as a ComfyUI graph in API format."""
    graph: dict[str, dict[str, Any]] = {
        "1": _node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name=CHECKPOINT),
        "2": _node("CLIPTextEncode", "Positive prompt", text="", clip=["1", 1]),
        "3": _node("CLIPTextEncode", "Negative prompt", text="", clip=["1", 1]),
        "4": _node("EmptySD3LatentImage", "Empty latent", width=SIDE, height=SIDE, batch_size=1),
    }
    model: list[object] = ["1", 0]
    if recipe.few_steps:
        graph["8"] = _node("UNETLoader", "Load Diffusion Model", unet_name=_FEW_STEPS, weight_dtype="default")
        model = ["8", 0]
    for number, (name, strength) in enumerate(recipe.loras, start=9):
        lora = {"model": model, "lora_name": name, "strength_model": strength}
        graph[str(number)] = _node("LoraLoaderModelOnly", "Load LoRA", **lora)
        model = [str(number), 0]
    graph["5"] = _sampler(recipe, model, ["4", 0], 1.0)
    last = "5"
    if recipe.second:
        graph["15"] = _sampler(recipe, model, ["5", 0], recipe.second)
        last = "15"
    graph["6"] = _node("VAEDecode", "VAE Decode", samples=[last, 0], vae=["1", 2])
    graph["7"] = _node("SaveImage", "Save Image", images=["6", 0], filename_prefix="imagewright")
    return graph


def _node(class_type: str, title: str, **inputs: object) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}


def _sampler(recipe: Recipe, model: list[object], latent: list[object], denoise: float) -> dict[str, Any]:
    return _node(
        "KSampler", "KSampler", model=model, positive=["2", 0], negative=["3", 0], latent_image=latent, seed=0,
        steps=recipe.steps, cfg=recipe.cfg, sampler_name=recipe.sampler, scheduler=recipe.scheduler, denoise=denoise,
    )  # fmt: skip


def mini_flows() -> tuple[Flow, ...]:
    """All of them, in the order of ``RECIPES``."""
    return tuple(_flow_of(recipe) for recipe in RECIPES)


def flow_text(flow: Flow) -> str:
    """The JSON file of a flow as it ships: id, the stated part of the card, graph."""
    card = flow.card.model_dump(mode="json", exclude_defaults=True)
    return json.dumps({"id": flow.id, "card": card, "graph": flow.graph}, indent=1) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m imagewright.tools.mini_flows", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder for the JSON files")
    out = parser.parse_args(argv).out
    try:
        for flow in mini_flows():
            write_whole(out / f"{flow.id}.json", flow_text(flow).encode())
    except ImagewrightError as error:
        print(f"{error}\n{error.remedy}")
        return error.exit_code
    print(f"{len(RECIPES)} flows: {out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
