"""Nodes that hold a plain value for others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagewright.t2i_backends.nodes.registry import node_class
from imagewright.t2i_backends.values.node_inputs import Input, real, truth, whole

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime

_LARGE = 2**63 - 1


@node_class("PrimitiveInt", {"value": whole(-_LARGE, _LARGE)}, ("INT",))
def primitive_int(run: Runtime, value: int) -> tuple[int]:
    """A whole number."""
    return (value,)


@node_class("PrimitiveFloat", {"value": real(-1e30, 1e30)}, ("FLOAT",))
def primitive_float(run: Runtime, value: float) -> tuple[float]:
    """A number."""
    return (value,)


@node_class("PrimitiveBoolean", {"value": truth()}, ("BOOLEAN",))
def primitive_boolean(run: Runtime, value: bool) -> tuple[bool]:
    """A truth value."""
    return (value,)


@node_class("PrimitiveStringMultiline", {"value": Input("text")}, ("STRING",))
@node_class("PrimitiveString", {"value": Input("text")}, ("STRING",))
def primitive_string(run: Runtime, value: str) -> tuple[str]:
    """A text."""
    return (value,)


@node_class(
    "StringConcatenate",
    {"string_a": Input("text"), "string_b": Input("text"), "delimiter": Input("text", default="")},
    ("STRING",),
)
def string_concatenate(run: Runtime, string_a: str, string_b: str, delimiter: str) -> tuple[str]:
    """Two texts with a third between them."""
    return (f"{string_a}{delimiter}{string_b}",)


@node_class("StringReplace", {"string": Input("text"), "find": Input("text"), "replace": Input("text")}, ("STRING",))
def string_replace(run: Runtime, string: str, find: str, replace: str) -> tuple[str]:
    """A text with some words replaced; an empty search changes nothing."""
    return (string.replace(find, replace) if find else string,)
