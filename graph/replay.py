"""Drawing a delivered picture again from its trace alone, and saying what differs here from where it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from imagewright.errors import BadInput
from imagewright.flow_format import graph_hash, parse_graph
from imagewright.graph import delivery
from imagewright.graph.draw import draw_attempt
from imagewright.graph.parts import Parts
from imagewright.graph.repairs.close_up import flow_of
from imagewright.graph.state import Attempt, State
from imagewright.ports import Drawn, Step
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, DrawRequest, Flow, Round, RunEvent
from imagewright.trace import Replay, Trace, TraceFlow, read_trace

FIRST_RULES = "1"
"""What backends call the rules of the time before they noted them."""
_WATCHED = ("device", "dtype", "backend", "rules")
_OnEvent = Callable[[RunEvent], None]


def replay(parts: Parts, trace: Trace | Mapping[str, Any], on_event: _OnEvent) -> Replay:
    """Draw the delivered picture of ``trace`` again.

    A picture that was redrawn in part starts from the one before it: from this run's rounds, which are drawn again,
    or from the store.

    Raises:
        BadInput: the trace is of a newer version, of a run without a picture, or of a picture whose base is gone.
        CannotDraw: the flow cannot be drawn here any more.
    """
    trace = read_trace(trace)
    request, number = _insist_on_picture(trace)
    made: dict[str, Image.Image] = {}
    drawn = _again(parts, trace, request, trace.rounds[number], made, on_event)
    image = parts.store.put_image(drawn.image)
    return Replay(
        run=trace.run, recorded=trace.image, image=image, same=image == trace.image,
        mean_difference=_difference(parts, trace.image, drawn.image),
        differences=tuple(_differences(parts, trace, drawn, number)),
    )  # fmt: skip


def _insist_on_picture(trace: Trace) -> tuple[DrawRequest, int]:
    """The request, and the number of the round whose picture was delivered."""
    if trace.is_newer:
        raise BadInput("the trace was written by a newer version of imagewright", "upgrade imagewright")
    if not trace.rounds or not trace.delivered:
        raise BadInput(f"run {trace.id} has delivered no picture", "`imagewright runs list` shows which have")
    images = [made.image for made in trace.rounds]
    names = {name for made in trace.rounds for name in (made.flow, flow_of(made.flow, made.repair))}
    if trace.request is None or trace.image not in images or not names <= trace.flows.keys():
        raise BadInput(f"the trace of run {trace.run} lacks what a replay needs", "it was cut, or edited by hand")
    return trace.request, images.index(trace.image)


def _again(
    parts: Parts, trace: Trace, request: DrawRequest, this: Round, made: dict[str, Image.Image], on_event: _OnEvent
) -> Drawn:  # fmt: skip
    """Draw round ``this``, and before it the round that it starts from."""
    base = this.base
    before = next((found for found in trace.rounds if found.image == base), None)
    if base is not None and base not in made and before is not None:
        made[base] = _again(parts, trace, request, before, made, on_event).image
    if base is not None and base in made:
        base = parts.store.put_image(made[base])
    attempt = Attempt(flow=this.flow, seed=this.seed, prompt=this.prompt, layout=this.layout, repair=this.repair,
                      base=base, edited=base, regions=this.redrawn)  # fmt: skip
    state = State(run=trace.run, request=request, seed=this.seed, out="")

    def on_step(step: Step) -> None:
        text = step.text or f"step {step.step} of {step.total}"
        on_event(RunEvent(kind="step", run=state.run, text=text, step=step.step, total=step.total))

    name = flow_of(this.flow, this.repair)
    flow = _flow(name, trace.flows[name])
    facts = _facts(trace, trace.rounds.index(this))
    by_then = replace(parts, rules=facts.get("rules", FIRST_RULES))
    return draw_attempt(by_then, state, attempt, flow, on_step, parts.stop.is_set)


def _facts(trace: Trace, number: int) -> Mapping[str, str]:
    return trace.facts[number] if number < len(trace.facts) else {}


def _flow(name: str, was: TraceFlow) -> Flow:
    """The flow as it was: the trace holds its graph and its slots; those of older traces are found in the graph."""
    graph = parse_graph(was.graph)
    slots = was.slots or dict(find_slots(graph))
    return Flow(id=name, graph=graph, card=Card(title=was.title, slots=slots, kind=was.kind))


def _difference(parts: Parts, sha: str, image: Image.Image) -> float | None:
    if not parts.store.has(sha):
        return None
    before = parts.store.open(sha)
    if before.size != image.size:
        return None
    pair = [np.asarray(picture.convert("RGB"), dtype=np.float64) for picture in (before, image)]
    return round(float(np.abs(pair[0] - pair[1]).mean()), 4)


def _differences(parts: Parts, trace: Trace, drawn: Drawn, number: int) -> list[str]:
    """Versions, models and device that are not as they were, and a flow that has changed since."""
    found = [f"{name}: {before or 'none'} then, {now or 'none'} now"
             for name, before, now in _pairs(trace.versions, delivery.versions())]  # fmt: skip
    facts = _facts(trace, number)
    watched = {k: v for k, v in facts.items() if k.startswith("model ") or k in _WATCHED}
    found += [f"{name}: {before} then, {now or 'none'} now" for name, before, now in _pairs(watched, drawn.facts)]
    for name, was in trace.flows.items():
        try:
            now_hash = graph_hash(parts.catalogue.flow(name).graph)
        except BadInput:
            found.append(f"flow {name} is no longer in the index; its graph was taken from the trace")
            continue
        if now_hash != was.graph_hash:
            found.append(f"flow {name} has changed since; its graph was taken from the trace")
    return found


def _pairs(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(name, value, now.get(name, "")) for name, value in before.items() if now.get(name, "") != value]
