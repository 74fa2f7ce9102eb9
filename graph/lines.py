"""The lines of a thread: its checkpoints, where each run stands among them, and going back to an earlier one.

A thread is one chain of checkpoints that may fork. The newest checkpoint is the present; going back copies the
checkpoint with which an earlier run ended, so that the copy is the newest and the next run goes on from there.
"""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot

from imagewright.errors import BadInput, Fault
from imagewright.graph.build import build
from imagewright.graph.parts import Parts
from imagewright.graph.state import OWN_TYPES, State
from imagewright.intents import Answer, Question, Reference
from imagewright.memory.checkpoints import list_links, open_checkpoints
from imagewright.schemas import Round

CompiledGraph = CompiledStateGraph[State, Parts, State, State]
RUN_MARK = "imagewright_run"
"""The key under which each checkpoint's metadata names its run."""


@functools.cache
def _compiled() -> CompiledGraph:
    return build().compile()


def compile_with(saver: BaseCheckpointSaver[str]) -> CompiledGraph:
    """The graph with its checkpointer, to be run; compiled once a process, for that takes longer than most nodes."""
    return _compiled().copy({"checkpointer": saver})


def last_of(graph: CompiledGraph, config: RunnableConfig, run: str) -> StateSnapshot | None:
    """The newest checkpoint of ``run`` in its thread; None when it was stopped before its first node."""
    thread: RunnableConfig = {"configurable": {"thread_id": config["configurable"]["thread_id"]}}
    for snapshot in graph.get_state_history(thread, filter={RUN_MARK: run}, limit=1):
        return None if [task.name for task in snapshot.tasks] == ["__start__"] else snapshot
    return None


def is_open(snapshot: StateSnapshot) -> bool:
    """Whether a node is still to be done from this checkpoint, or was done and is not in the next one yet.

    ``next`` does not tell: it leaves out a node whose result is stored beside the checkpoint, which is where a kill
    between the two writes leaves a run.
    """
    return bool(snapshot.tasks)


def question_of(snapshot: StateSnapshot) -> Question | None:
    """What the run waits to be told; None where it does not wait."""
    for found in snapshot.interrupts:
        return Question.model_validate(found.value)
    return None


def go_back(graph: CompiledGraph, thread: str, by: str, to: str) -> None:
    """Make the end of run ``to`` the present of ``thread``, unless run ``by``, which asks for it, has done so before.

    Raises:
        Fault: that end is not among the checkpoints.
    """
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    if graph.get_state(config).values.get("run") != by:
        return
    for snapshot in graph.get_state_history(config, filter={RUN_MARK: to}):
        if not is_open(snapshot) and snapshot.values.get("result") is not None:
            graph.update_state(snapshot.config, None, as_node="__copy__")
            return
    raise Fault(f"the checkpoint of run {to} is gone")


def return_to(checkpoints: Path, thread: str, run: str) -> None:
    """Make the end of ``run`` the present of ``thread``, unless it is so already.

    The end of a turn that went back itself is where it went.

    Raises:
        BadInput: that run has no end among the checkpoints.
    """
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    with open_checkpoints(checkpoints, OWN_TYPES) as saver:
        graph = compile_with(saver)
        if graph.get_state(config).values.get("run") == run:
            return
        for snapshot in graph.get_state_history(config, filter={RUN_MARK: run}):
            answer = snapshot.values.get("answer")
            if isinstance(answer, Answer) and answer.back_to:
                break
            if not is_open(snapshot):
                graph.update_state(snapshot.config, None, as_node="__copy__")
                return
        else:
            raise BadInput(f"run {run} was never finished", "go on from another turn")
    return_to(checkpoints, thread, answer.back_to)


def find_unfinished(checkpoints: Path, thread: str) -> str:
    """The run that was cut off before its last node was done; empty where the present is the end of a run."""
    if not checkpoints.exists():
        return ""
    with open_checkpoints(checkpoints, OWN_TYPES) as saver:
        found = compile_with(saver).get_state({"configurable": {"thread_id": thread}})
    return str(found.values.get("run", "")) if is_open(found) else ""


def find_question(checkpoints: Path, thread: str) -> Question | None:
    """What the present turn of ``thread`` waits to be told; None where it does not wait."""
    if not checkpoints.exists():
        return None
    with open_checkpoints(checkpoints, OWN_TYPES) as saver:
        return question_of(compile_with(saver).get_state({"configurable": {"thread_id": thread}}))


def present(checkpoints: Path, thread: str) -> tuple[Reference, ...]:
    """The pictures on the present line of ``thread``, oldest first; none for a new one.

    Raises:
        BadInput: the checkpoints cannot be read, or were written by another version.
    """
    if not checkpoints.exists():
        return ()
    with open_checkpoints(checkpoints, OWN_TYPES) as saver:
        graph = compile_with(saver)
        values: dict[str, Any] = graph.get_state({"configurable": {"thread_id": thread}}).values
    turns = values.get("turns", ())
    if not all(isinstance(turn, Reference) for turn in turns):
        raise BadInput("the thread was written by another version of imagewright", "upgrade, or begin a new thread")
    return tuple(turns)


class ThreadLines(NamedTuple):
    """How the turns of a thread hang together."""

    before: dict[str, str]
    """For each run the one that it was said after; empty for the first."""
    present: str
    """The run that the next one would be said after; empty in a new thread."""


def trace_lines(checkpoints: Path, thread: str) -> ThreadLines:
    """The turns of ``thread`` as a tree. Reads the links between its checkpoints, not what they hold.

    Raises:
        BadInput: the checkpoints cannot be read.
    """
    links = list_links(checkpoints, thread, RUN_MARK)
    before, run_at, present = dict[str, str](), dict[str, str](), ""
    for link in links:
        came_from = run_at.get(link.before, "")
        present = run_at[link.id] = link.run or came_from  # a copy, made by going back, names no run
        if link.run:
            before.setdefault(link.run, came_from)
    return ThreadLines(before, present)


def list_drawn(checkpoints: Path, thread: str) -> frozenset[str]:
    """The pictures that the checkpoints of ``thread`` name, delivered or not; none where another version wrote them."""
    if not checkpoints.exists():
        return frozenset()
    found = set[str]()
    # What cannot be read any more names nothing; it must not keep anybody from deleting it.
    with contextlib.suppress(BadInput), open_checkpoints(checkpoints, OWN_TYPES) as saver:
        graph = compile_with(saver)
        for snapshot in graph.get_state_history({"configurable": {"thread_id": thread}}):
            found.update(made.image for made in snapshot.values.get("rounds", ()) if isinstance(made, Round))
    return frozenset(found)
