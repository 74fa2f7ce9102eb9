"""How a node joins the table: one decorated function.

A node function takes the ``Runtime`` and its inputs by name, and returns its outputs. Nothing here or in the node
files imports torch, so that a flow can be checked without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from imagewright.t2i_backends.values.node_inputs import Input

Function = Callable[..., tuple[Any, ...]]
_F = TypeVar("_F", bound=Function)

MAX_SIDE = 2048
"""Pixels a side of a new picture; these models are trained to about one or two megapixels."""
MAX_SCALED = 8192
"""Pixels a side of a scaled picture."""
MAX_BATCH = 64
"""Pictures drawn or held at once."""
MAX_STEPS = 200


@dataclass(frozen=True)
class NodeClass:
    """A node class."""

    run: Function
    inputs: Mapping[str, Input]
    outputs: tuple[str, ...]
    loads: bool = False
    """It only names files: run every time, and known to the cache by what it names."""
    beside: bool = False
    """It uses what a job states beside its graph: regions and redraw."""


REGISTERED: dict[str, NodeClass] = {}


def node_class(
    name: str, inputs: Mapping[str, Input], outputs: tuple[str, ...], *, loads: bool = False, beside: bool = False
) -> Callable[[_F], _F]:
    """Register the function as node class ``name``."""

    def register(run: _F) -> _F:
        REGISTERED[name] = NodeClass(run, inputs, outputs, loads, beside)
        return run

    return register
