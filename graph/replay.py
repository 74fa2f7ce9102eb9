"""Drawing a delivered picture again from its trace alone, and saying what differs here from where it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image
from pydantic import ValidationError

from imagewright.errors import BadInput
from imagewright.flow_format import graph_hash, parse_graph
from imagewright.graph import delivery
from imagewright.graph.draw import draw_attempt
from imagewright.graph.parts import Parts
from imagewright.graph.repairs.close_up import flow_of
from imagewright.graph.state import Attempt, State
from imagewright.ports import Drawn, Step
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, DrawRequest, Flow, Round, RunEvent, Value

_OnEvent = Callable[[RunEvent], None]


class Replay(Value):
    """What came of drawing a run's picture again."""

    run: str
    recorded: str
    """SHA-256 of the picture that was delivered."""
    image: str
    """SHA-256 of the one drawn now."""
    same: bool
    mean_difference: float | None = None
    """The mean absolute difference of the channels, 0 to 255, where the recorded picture is still kept."""
    differences: tuple[str, ...] = ()
    """What differs here from where it was made, in words."""


def replay(parts: Parts, trace: Mapping[str, Any], on_event: _OnEvent) -> Replay:
    """Draw the delivered picture of ``trace`` again.

    A picture that was redrawn in part starts from the one before it: from this run's rounds, which are drawn again,
    or from the store.

    Raises:
        BadInput: the trace is of a newer version, of a run without a picture, or of a picture whose base is gone.
        CannotDraw: the flow cannot be drawn here any more.
    """
    rounds, request = _rounds(trace), _request(trace)
    wanted = str(trace["image"])
    made: dict[str, Image.Image] = {}
    drawn = _again(parts, trace, request, rounds, wanted, made, on_event)
    image = parts.store.put_image(drawn.image)
    return Replay(
        run=str(trace["run"]), recorded=wanted, image=image, same=image == wanted,
        mean_difference=_difference(parts, wanted, drawn.image),
        differences=tuple(_differences(parts, trace, drawn, [r.image for r in rounds].index(wanted))),
    )  # fmt: skip


def _rounds(trace: Mapping[str, Any]) -> list[Round]:
    if trace.get("imagewright", 0) > delivery.TRACE_FORMAT:
        raise BadInput("the trace was written by a newer version of imagewright", "upgrade imagewright")
    if not trace.get("rounds") or "image" not in trace:
        raise BadInput(
            f"run {trace.get('id', '')} has delivered no picture", "`imagewright runs list` shows which have"
        )
    try:
        return [Round.model_validate(made) for made in trace["rounds"]]
    except ValidationError:
        raise BadInput("the trace cannot be read by this version", "replay it with the version that it names") from None


def _request(trace: Mapping[str, Any]) -> DrawRequest:
    return DrawRequest.recall(trace["request"])


def _again(
    parts: Parts, trace: Mapping[str, Any], request: DrawRequest, rounds: list[Round], wanted: str,
    made: dict[str, Image.Image], on_event: _OnEvent,
) -> Drawn:  # fmt: skip
    """Draw the round that gave picture ``wanted``, and before it the round that it starts from."""
    this = next(found for found in rounds if found.image == wanted)
    base = this.base
    if base is not None and base not in made and any(found.image == base for found in rounds):
        made[base] = _again(parts, trace, request, rounds, base, made, on_event).image
    if base is not None and base in made:
        base = parts.store.put_image(made[base])
    attempt = Attempt(flow=this.flow, seed=this.seed, prompt=this.prompt, layout=this.layout, repair=this.repair,
                      base=base, edited=base, regions=this.redrawn)  # fmt: skip
    state = State(run=str(trace["run"]), request=request, seed=this.seed, out="")

    def on_step(step: Step) -> None:
        text = f"step {step.step} of {step.total}"
        on_event(RunEvent(kind="step", run=state.run, text=text, step=step.step, total=step.total))

    flow = _flow(parts, trace, flow_of(this.flow, this.repair))
    return draw_attempt(parts, state, attempt, flow, on_step, parts.stop.is_set)


def _flow(parts: Parts, trace: Mapping[str, Any], name: str) -> Flow:
    """The flow as it was: the trace holds its graph and its slots; those of older traces are found in the graph."""
    facts = trace["flows"][name]
    graph = parse_graph(facts["graph"])
    slots = facts.get("slots") or find_slots(graph)
    return Flow(id=name, graph=graph, card=Card.model_validate({"title": facts["title"], "slots": slots}))


def _difference(parts: Parts, sha: str, image: Image.Image) -> float | None:
    if not parts.store.has(sha):
        return None
    before = parts.store.open(sha)
    if before.size != image.size:
        return None
    pair = [np.asarray(picture.convert("RGB"), dtype=np.float64) for picture in (before, image)]
    return round(float(np.abs(pair[0] - pair[1]).mean()), 4)


def _differences(parts: Parts, trace: Mapping[str, Any], drawn: Drawn, number: int) -> list[str]:
    """Versions, models and device that are not as they were, and a flow that has changed since."""
    found = [f"{name}: {before or 'none'} then, {now or 'none'} now"
             for name, before, now in _pairs(trace["versions"], delivery.versions())]  # fmt: skip
    facts = trace["facts"][number] if number < len(trace["facts"]) else {}
    watched = {k: v for k, v in facts.items() if k.startswith("model ") or k in ("device", "dtype", "backend")}
    found += [f"{name}: {before} then, {now or 'none'} now" for name, before, now in _pairs(watched, drawn.facts)]
    for name, was in trace["flows"].items():
        try:
            now_hash = graph_hash(parts.catalogue.flow(name).graph)
        except BadInput:
            found.append(f"flow {name} is no longer in the index; its graph was taken from the trace")
            continue
        if now_hash != was["graph_hash"]:
            found.append(f"flow {name} has changed since; its graph was taken from the trace")
    return found


def _pairs(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(name, value, now.get(name, "")) for name, value in before.items() if now.get(name, "") != value]
