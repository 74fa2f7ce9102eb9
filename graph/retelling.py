"""The story of a run once more, from its trace alone: the events that were told while it was drawn."""

from __future__ import annotations

from collections.abc import Iterator

from imagewright.graph.events import flow_in_words, phrase_layout, phrase_repair, phrase_verdict
from imagewright.schemas import RunEvent
from imagewright.trace import Trace, TraceRound


def retell(trace: Trace) -> Iterator[RunEvent]:
    """The events of a delivered run, in their order, without steps and previews."""
    run = trace.run
    yield RunEvent(kind="run", run=run, text=f"run {run}, seed {trace.first_seed or trace.seed}")
    if trace.categories:
        told = trace.categorised.telling if trace.categorised else trace.categories
        yield RunEvent(kind="categories", run=run, text=", ".join(told) or "none that is sure")
    yield RunEvent(kind="flow", run=run, text=_flow(trace))
    yield phrase_layout(run, trace.rounds[0].layout if trace.rounds else trace.layout)
    for number, made in enumerate(trace.rounds, 1):
        yield from _round(run, number, made)
    for note in trace.notes:
        yield RunEvent(kind="note", run=run, text=note)
    yield RunEvent(kind="delivered", run=run, text=trace.path, image=trace.image)


def _flow(trace: Trace) -> str:
    if trace.choice is None:
        return trace.flow
    able = tuple(candidate.flow for candidate in trace.candidates if candidate.runnable)
    return flow_in_words(trace.choice.flow, trace.choice.reason, trace.candidates, able)


def _round(run: str, number: int, made: TraceRound) -> Iterator[RunEvent]:
    if made.repair is not None:
        yield phrase_repair(run, made.repair, made.layout)
    text = f"picture {number}, seed {made.seed}"
    yield RunEvent(kind="image", run=run, text=text, image=made.image)
    if made.verdict is not None:
        yield phrase_verdict(run, made.verdict, made.image)
