"""Where a request enters a graph: prompt, seed, size, steps and the rest, traced back from its samplers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imagewright.flow_format import Graph, Slots
from imagewright.retrieval.comfy.tracer import Tracer
from imagewright.schemas import SlotBinding, SlotName


def find_slots(graph: Graph, outputs: Iterable[str] = ()) -> Slots:
    """Where a request enters ``graph``; ``outputs`` are its output nodes, where they are known.

    There is no ``negative`` where the negative conditioning is zeroed out or the same as the positive. ``guidance`` is
    the guidance of a FLUX-like model where there is one, else the sampler's ``cfg``; ``width``, ``height`` and
    ``batch`` come from the empty latent, ``steps`` and ``denoise`` from the samplers that start at it.
    """
    tracer = Tracer(graph, outputs)
    samplers = tracer.samplers()
    latents = {node: tracer.latents(node) for node in samplers}
    first = [node for node in samplers if latents[node]] or samplers
    sizes = list(dict.fromkeys(latent for node in samplers for latent in latents[node]))
    positive = _merged(tracer.prompts(node, "positive") for node in samplers)
    negative = _merged(tracer.prompts(node, "negative") for node in samplers)
    found: dict[SlotName, tuple[SlotBinding, ...]] = {
        "positive": positive or _plain_prompt(tracer),
        "negative": tuple(binding for binding in negative if binding not in positive),
        "seed": _merged(tracer.seeds(node) for node in samplers),
        "width": _merged(tracer.literal(node, "width") for node in sizes),
        "height": _merged(tracer.literal(node, "height") for node in sizes),
        "batch": _merged(tracer.literal(node, "batch_size") for node in sizes),
        "steps": () if _split(graph, samplers) else _merged(tracer.setting(node, "steps") for node in first),
        "guidance": _guidance(tracer, first),
        "denoise": _merged(tracer.setting(node, "denoise") for node in first),
        "input_image": _files(tracer, ("LoadImage", "LoadImageOutput")),
        "mask": _files(tracer, ("LoadImageMask",)),
    }
    return {name: bindings for name, bindings in found.items() if bindings}


def _merged(parts: Iterable[tuple[SlotBinding, ...]]) -> tuple[SlotBinding, ...]:
    return tuple(dict.fromkeys(binding for part in parts for binding in part))


def _split(graph: Graph, samplers: Sequence[str]) -> bool:
    """Whether one run of steps is split between samplers, so that no single number of steps can be set."""
    return len(samplers) > 1 and any(graph[node]["class_type"] == "KSamplerAdvanced" for node in samplers)


def _guidance(tracer: Tracer, samplers: Sequence[str]) -> tuple[SlotBinding, ...]:
    behind = dict.fromkeys(node for sampler in samplers for node in tracer.conditioning(sampler, "positive"))
    flux = [node for node in behind if "guidance" in tracer.inputs(node)]
    if flux:
        return _merged(tracer.literal(node, "guidance") for node in flux)
    guiders = [tracer.link(node, "guider") for node in samplers]
    holders = [guider[0] if guider else node for guider, node in zip(guiders, samplers, strict=True)]
    return _merged(tracer.literal(node, "cfg") for node in holders)


def _files(tracer: Tracer, classes: Sequence[str]) -> tuple[SlotBinding, ...]:
    nodes = [node for node in tracer.graph if node in tracer.live and tracer.type_of(node) in classes]
    return tuple(
        SlotBinding(node=node, input="image") for node in nodes if isinstance(tracer.inputs(node).get("image"), str)
    )


def _plain_prompt(tracer: Tracer) -> tuple[SlotBinding, ...]:
    """Without a sampler that takes text: the first node behind an output that has a ``prompt`` of its own."""
    sampled = bool(tracer.samplers())
    for node in () if sampled else tracer.live:
        if "prompt" in tracer.inputs(node):
            found = tracer.texts(node)
            if found:
                return found
    return ()
