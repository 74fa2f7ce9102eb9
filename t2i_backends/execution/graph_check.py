"""What a graph needs of this backend, and what in it cannot be run. Loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagewright.flow_format import Graph, links
from imagewright.t2i_backends.nodes.table import NODES, OUTPUTS, RESULTS
from imagewright.t2i_backends.values.node_inputs import Flaw, flaws_of

BRANCHING = ("ComfySwitchNode",)
"""Nodes that hand on one of two inputs."""


def find_flaws(graph: Graph) -> list[Flaw]:
    """What in ``graph`` this backend cannot run: unknown node classes and bad inputs, in the graph's order."""
    found = []
    for node, value in graph.items():
        known = NODES.get(value["class_type"])
        if known is None:
            name = value["class_type"]
            found.append(Flaw(name, f"the diffusers backend has no node {name[:80]!r}", "run this flow in ComfyUI"))
        else:
            found += flaws_of(node, graph, known.inputs, OUTPUTS)
    return found


def skipped_branch(inputs: Mapping[str, Any]) -> str:
    """The input that a switch set in the flow itself leaves out; empty where a link sets it."""
    switch = inputs.get("switch")
    return ("on_false" if switch else "on_true") if isinstance(switch, bool) else ""


def find_output(graph: Graph, ordered: Sequence[str]) -> str | None:
    """The node whose picture is the flow's result: the last SaveImage in running order, else the last PreviewImage."""
    found = (node for name in RESULTS for node in reversed(ordered) if graph[node]["class_type"] == name)
    return next(found, None)


def nodes_needed(graph: Graph, ordered: Sequence[str], output: str) -> list[str]:
    """The nodes that ``output`` depends on, itself included, in running order."""
    wanted = {output}
    for node in reversed(ordered):
        if node in wanted:
            skipped = skipped_branch(graph[node]["inputs"]) if graph[node]["class_type"] in BRANCHING else ""
            linked = links(graph[node]["inputs"])
            wanted |= {source for name, (source, _) in linked.items() if name != skipped}
    return [node for node in ordered if node in wanted]
