"""What the marks in a prompt come to with the flow that was chosen: LoRA tags, weights."""

from __future__ import annotations

from imagewright.agents.reading.syntax.marks import find_loras, find_weighed
from imagewright.graph.parts import Parts
from imagewright.intents import Settled
from imagewright.schemas import Flow

_UNWEIGHED = ("qwen-image", "z-image", "flux.2", "hunyuan", "ovis", "omnigen")
"""Models whose encoders are language models: ComfyUI takes the weights out of what they are told, brackets and all."""
_SHOWN = 3


def tell_marks(said: str, settled: Settled, parts: Parts, flow: str) -> tuple[str, ...]:
    """A line for each kind of mark in ``said`` of which ``flow`` makes less than its writer may think."""
    return (*_offer_loras(settled, parts, flow), *_tell_weights(said, settled, parts.catalogue.flow(flow)))


def _offer_loras(settled: Settled, parts: Parts, flow: str) -> tuple[str, ...]:
    """Which flows here load the LoRAs that tags in the prompt ask for; only a flow's own node loads one."""
    told = []
    for name in find_loras(settled.prompt):
        carriers = parts.catalogue.carry_lora(name)
        if flow in carriers:
            told.append(f"{flow} loads the LoRA {name} itself, at its own strength")
        elif carriers:
            told.append(
                f"the LoRA {name} is loaded by {', '.join(carriers[:3])}: ask for one with --flow {carriers[0]}"
            )
    return tuple(told)


def _tell_weights(said: str, settled: Settled, flow: Flow) -> tuple[str, ...]:
    """Which weights are not heard: the words were put plainly for a small world, or the encoder weighs nothing."""
    weighed = find_weighed(said)
    if not weighed:
        return ()
    shown = ", ".join(weighed[:_SHOWN]) + (", …" if len(weighed) > _SHOWN else "")
    model = flow.card.base_model or flow.id
    if not set(weighed) <= set(find_weighed(settled.prompt)):
        return (f"weights are left out: the words were put plainly for {model} ({shown})",)
    if any(name in model.lower() for name in _UNWEIGHED):
        return (f"weights are not heard: the encoder of {model} reads words alone ({shown})",)
    return ()
