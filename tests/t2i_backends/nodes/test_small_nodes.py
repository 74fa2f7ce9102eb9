"""The small core nodes: arithmetic, switches, sizes."""

from __future__ import annotations

from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.t2i_backends.execution.graph_check import find_flaws, nodes_needed
from imagewright.t2i_backends.nodes.table import NODES
from imagewright.t2i_backends.values.expressions import compute, find_fault


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def run(class_type: str, **inputs: Any) -> tuple[Any, ...]:
    return NODES[class_type].run(None, **inputs)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a + b", 5), ("a * 2 ** 3", 16), ("b // a", 1), ("-a", -2), ("round(b / a, 1)", 1.5), ("max(a, b, 9)", 9),
        ("sum(values)", 5), ("values[1]", 3), ("a if a > b else b", 3), ("1 < a < b", True), ("not a", False),
        ("a and b", 3), ("sqrt(a * 8)", 4), ("int(b / a)", 1),
    ],
)  # fmt: skip
def test_arithmetic(text: str, value: float) -> None:
    assert compute(text, {"a": 2, "b": 3}) == value


@pytest.mark.parametrize(
    "text", ["", "a +", "__import__('os')", "a.real", "[1]", "lambda: 1", "'x'", "open(a)", "a" * 2000]
)
def test_what_is_no_arithmetic_is_refused(text: str) -> None:
    assert find_fault(text)


@pytest.mark.parametrize(
    "text", ["1 / 0", "9 ** 9 ** 9", "pow(10, 5000)", "c", "sqrt(-1)", "(-8) ** 0.5", "1e308 * 10"]
)
def test_what_has_no_value_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        compute(text, {"a": 2.0})


def test_outputs_of_the_expression() -> None:
    assert run("ComfyMathExpression", expression="a / 2", **{"values.a": 5, "values.b": None}) == (2.5, 2, True)


def test_sizes_by_shape() -> None:
    size = {"aspect_ratio": "16:9 (Widescreen)", "megapixels": 1.0, "multiple": 8}
    assert run("ResolutionSelector", **size) == (1368, 768)
    assert run("ResolutionSelector", **{**size, "aspect_ratio": "1:1 (Square)", "multiple": 64}) == (1024, 1024)


def test_a_switch_hands_on_one_branch_and_needs_no_other() -> None:
    graph = {
        "one": node("PrimitiveInt", value=1), "two": node("PrimitiveInt", value=2),
        "pick": node("ComfySwitchNode", switch=False, on_false=["one", 0], on_true=["two", 0]),
        "size": node("EmptyLatentImage", width=16, height=16, batch_size=["pick", 0]),
    }  # fmt: skip
    assert run("ComfySwitchNode", switch=True, on_false=1, on_true=2) == (2,)
    assert nodes_needed(graph, list(graph), "size") == ["one", "pick", "size"]
    assert find_flaws(graph) == []
    graph["two"] = node("PrimitiveString", value="x")
    assert [flaw.name for flaw in find_flaws(graph)] == ["EmptyLatentImage size.batch_size"]


def test_the_advanced_save_is_a_result(studio: Any) -> None:
    graph = studio.graph_of("sd15")
    plain = studio.draw(graph)
    graph["out"] = studio.node("SaveImageAdvanced", images=["dec", 0], filename_prefix="x", format="png")
    graph["say"] = studio.node("PreviewAny", source=["dec", 0])
    found = studio.draw(graph)
    assert found.image.tobytes() == plain.image.tobytes()
    graph["out"]["inputs"]["format.bit_depth"] = "16-bit"
    assert "16-bit" in studio.draw(graph).facts["fallbacks"]
