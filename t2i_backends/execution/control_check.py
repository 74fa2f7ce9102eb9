"""Whether the ControlNets of a flow go with the models that they steer, by headers and configs alone."""

from __future__ import annotations

from collections.abc import Iterator

from imagewright.flow_format import Graph, links
from imagewright.schemas import Problem
from imagewright.t2i_backends.execution.lora_check import find_named, follow_model
from imagewright.t2i_backends.execution.program import Program
from imagewright.t2i_backends.models.control_fit import describe_control_misfit
from imagewright.t2i_backends.models.model_files import ModelFiles

CONDITIONINGS = frozenset({
    "positive", "negative", "conditioning", "conditioning_1", "conditioning_2", "conditioning_to",
    "conditioning_from", "control_net",
})  # fmt: skip
"""The inputs that lead from a sampler to its ControlNets."""


def find_control_problems(program: Program, files: ModelFiles) -> Iterator[Problem]:
    """The ControlNets that are whole by themselves and are made for another model than the one they steer."""
    seen = set()
    for node in program.nodes:
        inputs = program.graph[node]["inputs"]
        if "model" not in inputs or not CONDITIONINGS & set(inputs):
            continue
        base = follow_model(program.graph, node, files)
        for name in _list_controls(program.graph, node):
            control = find_named(files, "controlnet", name)
            if base is None or control is None or name in seen:
                continue
            if said := describe_control_misfit(control, base):
                seen.add(name)
                yield Problem(kind="model", name=name, remedy=f"{name} {said}")


def _list_controls(graph: Graph, node: str) -> Iterator[str]:
    """The ControlNets on the conditionings of a sampler."""
    names = (graph[each]["inputs"].get("control_net_name") for each in list_upward(graph, node))
    yield from (name for name in names if isinstance(name, str))


def list_upward(graph: Graph, node: str, inputs: frozenset[str] = CONDITIONINGS) -> Iterator[str]:
    """``node`` and all that it comes from by way of ``inputs``."""
    waiting, done = [node], set[str]()
    while waiting:
        node = waiting.pop(0)
        if node in done or node not in graph:
            continue
        done.add(node)
        yield node
        waiting += [source for key, (source, _) in links(graph[node]["inputs"]).items() if key in inputs]
