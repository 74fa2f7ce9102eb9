"""Whether the text encoders and VAEs of a flow go with its models, where they come from several files; by headers and
configs alone."""

from __future__ import annotations

from collections.abc import Iterator

from imagewright.flow_format import Graph, links
from imagewright.schemas import Problem
from imagewright.t2i_backends.execution.control_check import list_upward
from imagewright.t2i_backends.execution.lora_check import find_named, follow_clip, follow_model
from imagewright.t2i_backends.execution.program import Program
from imagewright.t2i_backends.families import table
from imagewright.t2i_backends.models.model_files import (
    ModelFiles,
    ModelPath,
    channels_of,
    component,
    family_of,
    read_config,
    scale_of,
    vae_scale,
)

_LATENTS = frozenset({"samples", "samples1", "latent_image", "guider"})
"""The inputs that lead from a decoder to the sampler of what it decodes."""


def find_part_problems(program: Program, files: ModelFiles) -> Iterator[Problem]:
    """The text encoders and VAEs that are whole by themselves and belong to another model than they are used with."""
    found = []
    for node in program.nodes:
        linked = links(program.graph[node]["inputs"])
        if "model" in linked and {"positive", "conditioning"} & set(linked):
            found += list(_find_texts(program.graph, node, files))
        if program.graph[node]["class_type"].startswith("VAEDecode"):
            found += list(_find_vae(program.graph, node, files))
    yield from dict.fromkeys(found)


def _find_texts(graph: Graph, sampler: str, files: ModelFiles) -> Iterator[Problem]:
    base = follow_model(graph, sampler, files)
    its = table.find_family(family_of(base)) if base is not None else None
    for node in list_upward(graph, sampler):
        if base is None or its is None or "clip" not in links(graph[node]["inputs"]):
            continue
        sources, kind = follow_clip(graph, node, files)
        mine = table.find_by_clip_type(kind) if kind else table.find_family(family_of(sources[0])) if sources else None
        if sources and mine is not None and mine.name != its.name:
            said = f"holds text encoders of {mine.title}, and {base.path.name} is {its.title}: use those of {its.title}"
            yield Problem(kind="model", name=sources[0].path.name, remedy=f"{sources[0].path.name} {said}")


def _find_vae(graph: Graph, decoder: str, files: ModelFiles) -> Iterator[Problem]:
    link = links(graph[decoder]["inputs"]).get("vae")
    sampler = next(
        (node for node in list_upward(graph, decoder, _LATENTS) if "model" in links(graph[node]["inputs"])), ""
    )
    if link is None or not sampler:
        return
    inputs = graph[link[0]]["inputs"]
    named = [("checkpoints", inputs.get("ckpt_name")), ("vae", inputs.get("vae_name"))]
    vae = next((find_named(files, kind, name) for kind, name in named if isinstance(name, str)), None)
    base = follow_model(graph, sampler, files)
    if vae is None or base is None or vae == base or not (said := _describe_misfit(vae, base)):
        return
    yield Problem(kind="model", name=vae.path.name, remedy=f"{vae.path.name} {said}")


def _describe_misfit(vae: ModelPath, base: ModelPath) -> str:
    family, (_, out) = table.find_family(family_of(base)), channels_of(base)
    folders = component(vae, "vae")
    config = read_config(folders[0] / "config.json") if folders else {}
    made = config.get("latent_channels")
    if family is None or not out or not isinstance(made, int):
        return ""
    wanted = out // family.packed
    if made != wanted:
        return f"reads latents of {made} channels, and {base.path.name} draws {wanted}: use the model's own VAE"
    told = base.is_pipeline or not vae.is_pipeline
    if told and scale_of(config) != vae_scale(base):
        cells = f"{scale_of(config)} pixels a cell, and {base.path.name} draws {vae_scale(base)}"
        return f"reads latents of {cells}: use the model's own VAE"
    return ""
