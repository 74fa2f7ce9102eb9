"""The graph for LangGraph's server, which brings its own checkpointer and store: ``langgraph.json`` points here.

Input: ``prompt``, and if wanted ``seed`` and ``thread``. Output: what the run has delivered. Its custom stream holds
the run's events as plain JSON.
"""

from __future__ import annotations

from typing import Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from imagewright.api import Imagewright


class DrawInput(TypedDict, total=False):
    """What the server hands over."""

    prompt: str
    seed: int
    thread: str


class DrawOutput(TypedDict, total=False):
    """What it gets back."""

    run: str
    path: str
    image: str
    flow: str
    seed: int
    accepted: bool | None
    score: float | None
    notes: list[str]


class _Whole(DrawInput, DrawOutput, total=False):
    """Both, as the graph keeps them."""


def draw_once(wanted: DrawInput) -> DrawOutput:
    """Draw one picture; every event goes to the custom stream."""
    write = get_stream_writer()
    options: dict[str, Any] = {name: wanted[name] for name in ("seed", "thread") if name in wanted}
    result = _engine().draw(wanted["prompt"], on_event=lambda e: write(e.model_dump(mode="json")), **options)
    return DrawOutput(run=result.run, path=result.path, image=result.image, flow=result.flow, seed=result.seed,
                accepted=result.accepted, score=result.score, notes=list(result.notes))  # fmt: skip


_KEPT: list[Imagewright] = []


def _engine() -> Imagewright:
    """One engine a process, so that models stay loaded."""
    if not _KEPT:
        _KEPT.append(Imagewright())
    return _KEPT[0]


def _build() -> Any:
    builder: Any = StateGraph(_Whole, input_schema=DrawInput, output_schema=DrawOutput)
    builder.add_node("draw", draw_once)
    builder.add_edge(START, "draw")
    builder.add_edge("draw", END)
    return builder.compile(name="imagewright")


graph = _build()
