"""Telling the person how it goes: typed events on LangGraph's custom stream, the same for every interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from langgraph.config import get_stream_writer

from imagewright.agents.critic.verdict import why_unchecked
from imagewright.graph.state import State
from imagewright.schemas import Candidate, Layout, Repair, RunEvent, Verdict

_plainly: ContextVar[bool] = ContextVar("plainly", default=False)
"""Whether whoever reads the stream reads JSON."""


@contextmanager
def tell_plainly() -> Iterator[None]:
    """Inside, events are told as plain JSON: a server that sends the stream on knows no types of ours."""
    token = _plainly.set(True)
    try:
        yield
    finally:
        _plainly.reset(token)


def tell(event: RunEvent) -> None:
    """Put ``event`` on the stream of the graph that is running."""
    get_stream_writer()(event.model_dump(mode="json") if _plainly.get() else event)


def tell_node(state: State, node: str) -> None:
    """Say that a node begins."""
    tell(RunEvent(kind="node", run=state.run, text=node))


def tell_notes(state: State, notes: tuple[str, ...]) -> None:
    """Say things that the person should know."""
    for note in notes:
        tell(RunEvent(kind="note", run=state.run, text=note))


def phrase_layout(run: str, layout: Layout | None) -> RunEvent:
    """Where things go, in words and as boxes."""
    boxes = layout.boxes if layout is not None else ()
    places = "; ".join(f"{b.caption} at {b.x:.2f},{b.y:.2f} ({b.width:.2f} x {b.height:.2f})" for b in boxes)
    text = places or "no boxes; the model places things itself"
    return RunEvent(kind="layout", run=run, text=text, layout=layout if boxes else None)


def phrase_repair(run: str, repair: Repair, layout: Layout | None) -> RunEvent:
    """What is done about a picture that is not right, and where things go from here on."""
    return RunEvent(kind="repair", run=run, text=repair.tell(), layout=layout if layout and layout.boxes else None)


def phrase_verdict(run: str, verdict: Verdict, image: str) -> RunEvent:
    """What the critic says of a picture."""
    counts = any(check.counts for check in verdict.checks)
    accepted = verdict.accepted if counts else None
    return RunEvent(kind="verdict", run=run, text=say_verdict(verdict), image=image, accepted=accepted)


def say_verdict(verdict: Verdict) -> str:
    """A verdict in one line."""
    if silent := why_unchecked(verdict):
        return f"not checked: {silent}"
    failed = [check.detail for check in verdict.checks if not check.passed]
    head = "accepted" if verdict.accepted else "not yet"
    return f"{head}, score {verdict.score:.2f}" + (f": {'; '.join(failed)}" if failed else "")


def flow_in_words(flow: str, reason: str, candidates: tuple[Candidate, ...], able: tuple[str, ...]) -> str:
    """The choice of a flow: its estimate and interval, the runner-up, and what would have been chosen otherwise."""
    known = {candidate.flow: candidate for candidate in candidates}
    parts = [f"{_estimate(known[flow])}: {reason}" if flow in known else f"{flow}: {reason}"]
    others = [known[name] for name in able if name != flow and name in known]
    if others:
        parts.append(f"runner-up {_estimate(others[0])}")
    if flow in known and (better := _better_elsewhere(known[flow], candidates)):
        parts.append(f"{better.title} ({better.flow}) would be preferred, but {better.why_not}")
    return "; ".join(parts)


def _estimate(candidate: Candidate) -> str:
    return f"{candidate.flow} {candidate.estimate:.2f} ({candidate.low:.2f} to {candidate.high:.2f})"


def _better_elsewhere(chosen: Candidate, candidates: tuple[Candidate, ...]) -> Candidate | None:
    """The first flow that ranks before the chosen one and cannot run here."""
    for candidate in candidates:
        if candidate.flow == chosen.flow:
            return None
        if not candidate.runnable:
            return candidate
    return None
