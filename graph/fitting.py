"""Wording a request for the model of a small world that would draw it, before anything is chosen or estimated.

What such a model was never taught is completed or changed by the prompt writer, so that what is estimated, laid out,
drawn, checked and remembered is one and the same. A request for any other model is left as it is, and so is one about
a picture of the person's own, which has a background and colours of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from imagewright.agents.writer.rules import Fitted, WorldWriter
from imagewright.graph.parts import Parts
from imagewright.intents import Settled
from imagewright.ports import StatesWorlds
from imagewright.schemas import Categories, DrawRequest, Flow, ParsedPrompt


def fit_request(parts: Parts, request: DrawRequest, settled: Settled, said: Sequence[str] = ()) -> Fitted:
    """``settled`` as the models that may draw ``request`` can draw it; ``said`` is what the thread has said before.

    Raises:
        BadInput: there is no flow of the name that the request gives.
    """
    if not isinstance(parts.backend, StatesWorlds) or request.image is not None:
        return Fitted(settled)
    writers = [writer_for(parts, flow) for flow in _flows_for(parts, request)]
    if not writers or any(writer is None or writer.world != _world(writers[0]) for writer in writers):
        return Fitted(settled)
    return writers[0].fit(settled, request.anyway, said) if writers[0] is not None else Fitted(settled)


def _world(writer: WorldWriter | None) -> object:
    return writer and writer.world


def _flows_for(parts: Parts, request: DrawRequest) -> tuple[Flow, ...]:
    """The flow that is asked for by name; else those that may be chosen from here, whatever the prompt is."""
    if request.flow is not None:
        return (parts.catalogue.flow(request.flow),)
    return list_offered(parts)


def list_offered(parts: Parts) -> tuple[Flow, ...]:
    """The flows that can run here and may be chosen from, the best over all prompts first."""
    nothing = Categories(labels=(), decided_by="no prompt")
    offered = parts.catalogue.offer(parts.catalogue.rank("", ParsedPrompt(), nothing))
    return tuple(parts.catalogue.flow(candidate.flow) for candidate in offered)


def writer_for(parts: Parts, flow: Flow) -> WorldWriter | None:
    """The writer for the flow's model; None where the model states no world."""
    world = parts.backend.state_world(flow) if isinstance(parts.backend, StatesWorlds) else None
    if world is None:
        return None
    return WorldWriter(world, flow.card.base_model or flow.id, partial(parts.backend.limits, flow), parts.is_word)


def needs_boxes(parts: Parts, flow: Flow, prompt: str, parsed: ParsedPrompt) -> bool:
    """Whether only boxes can tell the flow's model where things stand."""
    writer = writer_for(parts, flow) if parsed.relations else None
    return writer is not None and writer.needs_boxes(prompt, parsed)
