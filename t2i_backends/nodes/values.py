"""Nodes that hold a plain value for others."""

from __future__ import annotations

import math
import string
from typing import TYPE_CHECKING, Any

from imagewright.t2i_backends.nodes.registry import node_class
from imagewright.t2i_backends.values.expressions import compute
from imagewright.t2i_backends.values.node_inputs import ANY, Input, choice, real, truth, whole

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
    """A text with some words replaced; an empty search is found between all letters, as in ComfyUI."""
    return (string.replace(find, replace),)


_VALUE = Input("number", optional=True)


@node_class(
    "ComfyMathExpression",
    {
        "expression": Input("expression", default="a + b"),
        **{f"values.{name}": _VALUE for name in string.ascii_lowercase},
    },
    ("FLOAT", "INT", "BOOLEAN"),
)
def math_expression(run: Runtime, expression: str, **values: float | None) -> tuple[float, int, bool]:
    """Arithmetic over values called a, b, c…: as a number, cut to a whole one, and as a truth."""
    given = {name.rpartition(".")[2]: value for name, value in values.items() if value is not None}
    found = compute(expression, given)
    return float(found), int(found), bool(found)


@node_class("ComfySwitchNode", {"switch": truth(), "on_false": Input(ANY), "on_true": Input(ANY)}, (ANY,))
def switch_node(run: Runtime, switch: bool, on_false: Any, on_true: Any) -> tuple[Any]:
    """One of two values, of whatever type; the other branch is not run where the switch is set in the flow itself."""
    return (on_true if switch else on_false,)


@node_class("PreviewAny", {"source": Input(ANY)}, ("STRING",))
def preview_any(run: Runtime, source: Any) -> tuple[str]:
    """A value as text."""
    return (str(source) if isinstance(source, (str, int, float)) else type(source).__name__,)


_RATIOS = {
    "1:1 (Square)": (1, 1), "2:3 (Portrait Photo)": (2, 3), "3:2 (Photo)": (3, 2), "3:4 (Portrait Standard)": (3, 4),
    "4:3 (Standard)": (4, 3), "9:16 (Portrait Widescreen)": (9, 16), "16:9 (Widescreen)": (16, 9),
    "21:9 (Ultrawide)": (21, 9),
}  # fmt: skip


@node_class(
    "ResolutionSelector",
    {
        "aspect_ratio": choice(*_RATIOS, default="1:1 (Square)"), "megapixels": real(0.1, 16, default=1.0),
        "multiple": whole(8, 128, default=8),
    },
    ("INT", "INT"),
)  # fmt: skip
def resolution_selector(run: Runtime, aspect_ratio: str, megapixels: float, multiple: int) -> tuple[int, int]:
    """Width and height of a shape with about so many pixels (a megapixel has 1024 x 1024), in multiples."""
    across, down = _RATIOS[aspect_ratio]
    unit = math.sqrt(megapixels * 1024 * 1024 / (across * down))
    return round(across * unit / multiple) * multiple, round(down * unit / multiple) * multiple
