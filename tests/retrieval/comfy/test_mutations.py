"""Workflows that chance has damaged: converted or refused, never a traceback, never a path that is opened."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagewright.errors import BadInput
from imagewright.flow_format import parse_graph
from imagewright.retrieval.comfy.catalogue import load_catalogue
from imagewright.retrieval.comfy.describe import describe_workflow
from imagewright.retrieval.comfy.read import read_parsed

PATHS = ["../../etc/passwd", "/etc/passwd", "C:\\x", "..\\x", "a\x00b", "\x1b[2J", "workflow>x"]
WORDS = [
    "",
    "id",
    "nodes",
    "enc",
    "inner",
    "-10",
    "-20",
    "PrimitiveNode",
    "Reroute",
    "SetNode",
    "GetNode",
    "KSampler",
    "*",
]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-30, 70), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(PATHS + WORDS), st.text(max_size=8),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], new: Any, how: str) -> None:
    """Replace, remove or double what stands at ``path``."""
    for key in path[:-1]:
        value = value[key]
    if how == "remove":
        del value[path[-1]]
    elif how == "double" and isinstance(value, list):
        value.append(copy.deepcopy(value[path[-1]]))
    else:
        value[path[-1]] = new


def check(data: Any) -> None:
    """Convert and describe: a graph that is whole, or ``BadInput``."""
    try:
        read = read_parsed(data, load_catalogue())
    except BadInput:
        return
    assert parse_graph(read.graph) == read.graph
    found = describe_workflow(read.graph, read.workflow, load_catalogue())
    assert all(place.input in read.graph[place.node]["inputs"] for row in found.slots.values() for place in row)
    assert not any(model.folder.startswith(("/", ".")) for model in found.models)
    json.dumps(read.graph, allow_nan=False)


@pytest.fixture(scope="module")
def seeds() -> list[str]:
    """Workflows to damage: flat, with nested subgraphs, a group node, links without wires, all that editors know."""
    folder = Path(__file__).with_name("workflows")
    return [path.read_text() for path in sorted(folder.glob("*.json"))]


def damaged(seeds: list[str], data: st.DataObject) -> Any:
    made = json.loads(seeds[data.draw(st.integers(0, len(seeds) - 1))])
    for _ in range(data.draw(st.integers(1, 6))):
        path = data.draw(st.sampled_from(places(made)))
        if path:
            put(made, path, data.draw(VALUES), data.draw(st.sampled_from(["replace", "replace", "remove", "double"])))
    return made


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_mutations(seeds: list[str], data: st.DataObject) -> None:
    check(damaged(seeds, data))


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_ten_thousand_mutations(seeds: list[str], data: st.DataObject) -> None:
    check(damaged(seeds, data))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(VALUES)
def test_anything_at_all(value: Any) -> None:
    check(value)
