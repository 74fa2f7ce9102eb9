"""The graph with its own nodes for LangGraph's server, which brings its own checkpointer and knows no parts of ours.

What a run works with is made for each run from the request in its state. A thread of the server is a conversation: its
turns outlive a run, the way they do in ours. Questions to the person are interrupts, which a client's resume answers.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from langgraph.config import get_config
from langgraph.errors import GraphInterrupt
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from imagewright.errors import ImagewrightError
from imagewright.graph import nodes, talk
from imagewright.graph.build import DRAWING, TALKING, build
from imagewright.graph.events import tell_plainly
from imagewright.graph.nodes import GraphNode
from imagewright.graph.parts import Parts
from imagewright.graph.state import State, fresh
from imagewright.limits import MAX_THREAD
from imagewright.memory.runs import RunRow
from imagewright.schemas import DrawRequest

MOST_RUNS = 16
"""Runs whose parts are kept: a run that goes on after a question finds its own or has them made anew."""
PartsFor = Callable[[DrawRequest], Parts]
BeginRun = Callable[[DrawRequest, int | None], tuple[Parts, RunRow]]


class DrawInput(TypedDict, total=False):
    """What the server hands over."""

    prompt: str
    seed: int
    thread: str
    """The conversation of the home that the pictures join; that of the server's thread, where none is named."""
    flow: str
    max_images: int
    use_critic: bool


class DrawOutput(TypedDict, total=False):
    """What it gets back: a picture, or ``reply``."""

    run: str
    path: str
    image: str
    flow: str
    seed: int
    notes: tuple[str, ...]
    reply: str


class ServedState(State):
    """The state of a run, with what came in and what goes out."""

    run: str = ""
    request: DrawRequest = DrawRequest.model_construct(prompt="")
    seed: int = 0
    out: str = ""
    prompt: str = ""
    thread: str = ""
    flow: str = ""
    max_images: int = 4
    use_critic: bool = True
    path: str = ""
    image: str = ""
    reply: str = ""


class _Served:
    """The nodes of one process."""

    def __init__(self, begin: BeginRun, parts_for: PartsFor) -> None:
        self._begin, self._parts_for = begin, parts_for
        self._kept: OrderedDict[str, Parts] = OrderedDict()

    def begin(self, state: ServedState) -> dict[str, Any]:
        """Set a new run up from what came in; the turns of the thread stay."""
        last = state.result
        seed = None if last is not None and state.seed == last.seed else state.seed or None
        flow = None if last is not None and state.flow == last.flow else state.flow or None
        request = DrawRequest(
            prompt=state.prompt,
            seed=seed,
            thread=state.thread or _thread_of_server(),
            flow=flow,
            max_images=state.max_images,
            use_critic=state.use_critic,
        )
        parts, row = self._begin(request, seed)
        parts = _asking(parts)
        parts.runs.start(row.id, row.thread, row.request, row.seed, Path(row.out))
        self._keep(row.id, parts)
        return {**fresh(row.id, row.request, row.seed, row.out), "path": "", "image": "", "reply": ""}

    def fit(self, node: GraphNode) -> Callable[[ServedState, Runtime[Any]], Any]:
        """A node of the graph, given the parts of its run; its events are plain JSON."""

        @functools.wraps(node)
        def work(state: ServedState, runtime: Runtime[Any]) -> Any:
            parts = self._parts_of(state)
            with parts.runs.working_on(state.run), tell_plainly():
                parts.runs.mark(state.run, "running")
                try:
                    return node(state, runtime.override(context=parts))
                except GraphInterrupt as asked:
                    parts.runs.mark(state.run, "asked", str(asked.args[0][0].value.get("text", ""))[:500])
                    raise
                except ImagewrightError as error:
                    parts.runs.mark(state.run, "failed", str(error))
                    raise

        work.__annotations__ = {"state": ServedState, "runtime": Runtime[Any]}
        del work.__wrapped__  # LangGraph reads the signature to know what to pass
        return work

    def hand_over(self, state: ServedState) -> dict[str, Any]:
        """What goes out; an answer is recorded, and the thread goes back where it says so."""
        parts = self._parts_of(state)
        self._kept.pop(state.run, None)
        if state.answer is not None:
            parts.runs.answer(state.run, state.answer.text)
            return {"reply": state.answer.text, **_go_back(state)}
        result = state.result
        if result is None:
            return {}
        facts = {"path": result.path, "image": result.image, "flow": result.flow, "seed": result.seed}
        return {**facts, "notes": result.notes}

    def _parts_of(self, state: ServedState) -> Parts:
        if state.run not in self._kept:
            self._keep(state.run, _asking(self._parts_for(state.request)))
        return self._kept[state.run]

    def _keep(self, run: str, parts: Parts) -> None:
        self._kept[run] = parts
        while len(self._kept) > MOST_RUNS:
            self._kept.popitem(last=False)


def _asking(parts: Parts) -> Parts:
    """The parts of a run that may ask where its question is kept: without a thread nobody could answer it."""
    return replace(parts, asks=_thread_of_server() is not None)


def _thread_of_server() -> str | None:
    """The server's own thread, under whose name the pictures are kept here; None for a run without one."""
    thread = get_config().get("configurable", {}).get("thread_id")
    return str(thread)[:MAX_THREAD] if thread else None


def _go_back(state: ServedState) -> dict[str, Any]:
    """The turns up to the one that the answer goes back to: what is said next is about its picture."""
    to = state.answer.back_to if state.answer else ""
    runs = [turn.run for turn in state.turns]
    return {"turns": state.turns[: runs.index(to) + 1]} if to in runs else {}


def build_served(begin: BeginRun, parts_for: PartsFor) -> StateGraph[ServedState, None, Any, Any]:
    """The graph, to be compiled by whoever serves it.

    ``begin`` sets a new run up, ``parts_for`` makes the parts of one that goes on.
    """
    served = _Served(begin, parts_for)
    graph: Any = StateGraph(ServedState, input_schema=DrawInput, output_schema=DrawOutput)
    graph.add_node("begin", served.begin)
    graph.add_node("hand_over", served.hand_over)
    graph.add_edge(START, "begin")
    _lay_between(graph, served.fit)
    graph.add_edge("hand_over", END)
    return graph  # type: ignore[no-any-return]


def _lay_between(graph: Any, fit: Callable[[GraphNode], Any]) -> None:
    """Put the nodes and edges of the graph between ``begin`` and ``hand_over``, as the one wiring has them."""
    wired, ends = build(), {START: "begin", END: "hand_over"}
    for module, names in ((talk, TALKING), (nodes, DRAWING)):
        for name in names:
            graph.add_node(name, fit(getattr(module, name)))
    for before, behind in wired.edges:
        graph.add_edge(ends.get(before, before), ends.get(behind, behind))
    for name, branches in wired.branches.items():
        for branch in branches.values():
            ways = {key: ends.get(way, way) for key, way in (branch.ends or {}).items()}
            graph.add_conditional_edges(name, branch.path, ways)
