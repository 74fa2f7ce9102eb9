"""``plan``: the graph's decisions without its pictures."""

from __future__ import annotations

from imagewright.agents.conversation.kinds import insist
from imagewright.errors import CannotDraw
from imagewright.graph import choose
from imagewright.graph.parts import Parts
from imagewright.intents import CreateIntent
from imagewright.schemas import Candidate, Categories, DrawRequest, Layout, Plan


def plan_request(parts: Parts, request: DrawRequest) -> Plan:
    """What ``request`` would be drawn with, what else there is, and where things would go.

    A prompt that nothing here can draw is no error: the notes say so.

    Raises:
        BadInput: the prompt is empty or not text, or there is no flow of the name that the request gives.
    """
    said = insist(parts.interpreter.interpret(request.prompt, ()))
    intent = said if isinstance(said, CreateIntent) else CreateIntent()
    categories = choose.label(parts, request, intent.prompt, intent.parsed)
    found = choose.rank_flows(parts, request, intent.prompt, intent.parsed, categories)
    notes = list(_notes(parts, found, intent, request))
    candidates = found.candidates
    if (first := _chosen(parts, found, request, categories)) is not None:
        candidates = (first, *(c for c in candidates if c.flow != first.flow))
    layout = parts.planner.plan(intent.prompt).layout if request.use_layout else Layout()
    return Plan(
        prompt=request.prompt,
        categories=categories.labels,
        candidates=candidates,
        layout=layout,
        notes=(*notes, *parts.take_fallbacks()),
    )


def _chosen(parts: Parts, found: choose.Ranked, request: DrawRequest, categories: Categories) -> Candidate | None:
    """The candidate that would draw; None when nothing here can run."""
    if request.flow is not None:
        return next((c for c in found.candidates if c.flow == request.flow), None)
    among = found.able or found.offered
    if not among:
        return None
    choice = choose.choose_flow(parts, request, categories, among)
    return next(c for c in among if c.flow == choice.flow)


def _notes(parts: Parts, found: choose.Ranked, intent: CreateIntent, request: DrawRequest) -> tuple[str, ...]:
    """What the person should know before drawing this."""
    try:
        found = choose.narrow_to_named(
            parts, request.model_copy(update={"prompt": intent.prompt}), found, intent.parsed
        )
    except CannotDraw as error:
        return (str(error),)
    if not found.offered:
        return ("no flow of the index can run here", choose.why_elsewhere(found))
    warning = choose.cannot_draw(found)
    return tuple(note for note in (warning, choose.why_elsewhere(found)) if note) if warning else ()
