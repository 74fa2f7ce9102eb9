"""Subgraphs: nested, with promoted widgets, bypassed, and those that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.retrieval.comfy.model import Unconvertible

Convert = Callable[[object], Any]


def encoder(kind: Any) -> dict[str, Any]:
    """A subgraph around one text encoder, with its clip and its text as inputs."""
    inside = kind()
    inside.node(1, "CLIPTextEncode", ["inside"], "CONDITIONING")
    inside.link(-10, 0, 1, "clip", "CLIP")
    inside.link(-10, 1, 1, "text", "STRING", widget=True)
    inside.link(1, 0, -20, "0", "CONDITIONING")
    made: dict[str, Any] = inside.subgraph("enc", [("clip", "CLIP"), ("text", "STRING")], [("cond", "CONDITIONING")])
    return made


def around(plain_flow: Any, values: Any = None, mode: int = 0, **properties: Any) -> Any:
    """The plain flow with its positive encoder replaced by an instance, node 20, of the subgraph."""
    made = plain_flow()
    made.subgraphs = [encoder(type(made))]
    made.nodes[4]["inputs"] = [row for row in made.nodes[4]["inputs"] if row["name"] != "positive"]
    made.node(20, "enc", values, "CONDITIONING", mode=mode, properties=properties)
    made.link(4, 1, 20, "clip", "CLIP")
    made.link(20, 0, 3, "positive", "CONDITIONING")
    return made


def test_an_instance_unfolds(plain_flow: Any, converted: Convert) -> None:
    graph = converted(around(plain_flow).json()).graph
    assert graph["3"]["inputs"]["positive"] == ["20:1", 0]
    assert graph["20:1"]["inputs"] == {"text": "inside", "clip": ["4", 1]}
    assert "20" not in graph


@pytest.mark.parametrize(
    ("values", "properties", "text"),
    [
        (["outside"], {}, "outside"),
        ([], {}, "inside"),
        (["outside"], {"proxyWidgets": [["-1", "text"]]}, "outside"),
        ([None, "outside"], {"proxyWidgets": [["1", "other"], ["-1", "text"]]}, "outside"),
        (["outside"], {"proxyWidgets": '[["-1", "text"]]'}, "outside"),
        ([], {"proxyWidgets": [["1", "text"]]}, "inside"),
        ([], {"proxyWidgets": "[[[["}, "inside"),
    ],
)
def test_promoted_values(plain_flow: Any, converted: Convert, values: Any, properties: Any, text: str) -> None:
    graph = converted(around(plain_flow, values, **properties).json()).graph
    assert graph["20:1"]["inputs"]["text"] == text


def test_two_instances_keep_their_own_values(plain_flow: Any, converted: Convert) -> None:
    made = around(plain_flow, ["one"])
    made.nodes[4]["inputs"] = [row for row in made.nodes[4]["inputs"] if row["name"] != "negative"]
    made.node(21, "enc", ["two"], "CONDITIONING")
    made.link(4, 1, 21, "clip", "CLIP")
    made.link(21, 0, 3, "negative", "CONDITIONING")
    graph = converted(made.json()).graph
    assert (graph["20:1"]["inputs"]["text"], graph["21:1"]["inputs"]["text"]) == ("one", "two")


def test_outer_link_and_outer_primitive_reach_the_inner_widget(plain_flow: Any, converted: Convert) -> None:
    for kind, outputs, wanted in (
        ("PrimitiveStringMultiline", "STRING", ["30", 0]),
        ("PrimitiveNode", "STRING", "told"),
    ):
        made = around(plain_flow, ["outside"])
        made.node(30, kind, ["told"], outputs)
        made.link(30, 0, 20, "text", "STRING", widget=True)
        assert converted(made.json()).graph["20:1"]["inputs"]["text"] == wanted


def test_nested_instances_pass_values_inwards(plain_flow: Any, converted: Convert) -> None:
    made = around(plain_flow, ["outermost"])
    inner = {**encoder(type(made)), "id": "inner"}
    outer = type(made)()
    outer.node(50, "inner", ["middle"], "CONDITIONING")
    outer.link(-10, 0, 50, "clip", "CLIP")
    outer.link(-10, 1, 50, "text", "STRING", widget=True)
    outer.link(50, 0, -20, "0", "CONDITIONING")
    made.subgraphs = [outer.subgraph("enc", [("clip", "CLIP"), ("text", "STRING")], [("c", "CONDITIONING")]), inner]
    graph = converted(made.json()).graph
    assert graph["20:50:1"]["inputs"] == {"text": "outermost", "clip": ["4", 1]}
    assert graph["3"]["inputs"]["positive"] == ["20:50:1", 0]


def test_a_bypassed_instance_passes_on_by_type_and_does_not_unfold(plain_flow: Any, converted: Convert) -> None:
    made = around(plain_flow, mode=4)
    made.subgraphs[0]["inputs"][0]["type"] = "CONDITIONING"
    made.nodes[-1]["inputs"][0]["type"] = "CONDITIONING"
    graph = converted(made.json()).graph
    assert graph["3"]["inputs"]["positive"] == ["4", 1]
    assert not any(name.startswith("20:") for name in graph)


def test_ids_that_the_canvas_or_an_earlier_subgraph_uses_count_on(plain_flow: Any, converted: Convert) -> None:
    made = around(plain_flow)
    (first,) = made.subgraphs
    first["nodes"][0]["id"] = 5
    for link in first["links"]:
        link.update({end: 5 for end in ("origin_id", "target_id") if link[end] == 1})
    second = type(made)()
    second.node(21, "CLIPTextEncode", ["other"], "CONDITIONING")
    made.subgraphs.append(second.subgraph("other", [], []))
    made.node(21, "other")
    graph = converted({**made.json(), "last_node_id": 40}).graph
    assert graph["20:41"]["inputs"] == {"text": "inside", "clip": ["4", 1]}
    assert graph["3"]["inputs"]["positive"] == ["20:41", 0]
    assert graph["21:42"]["inputs"] == {"text": "other"}


def test_a_link_straight_through(plain_flow: Any, converted: Convert) -> None:
    made = around(plain_flow)
    inside = type(made)()
    inside.link(-10, 0, -20, "0", "CLIP")
    made.subgraphs = [inside.subgraph("enc", [("clip", "CLIP")], [("cond", "CLIP")])]
    assert converted(made.json()).graph["3"]["inputs"]["positive"] == ["4", 1]


def test_a_subgraph_in_itself(plain_flow: Any, converted: Convert) -> None:
    made = around(plain_flow)
    made.subgraphs[0]["nodes"].append({"id": 2, "type": "enc"})
    with pytest.raises(Unconvertible, match="contains itself"):
        converted(made.json())


def test_subgraphs_that_double_and_double(plain_flow: Any, converted: Convert) -> None:
    made = around(plain_flow)
    made.subgraphs += [
        {
            "id": f"level {level}",
            "nodes": [{"id": n, "type": f"level {level - 1}" if level else "enc"} for n in range(8)],
        }
        for level in range(20)
    ]
    made.node(70, "level 19")
    with pytest.raises(BadInput, match="unfolds to more than"):
        converted(made.json())


def test_subgraphs_nested_too_deeply(plain_flow: Any, converted: Convert) -> None:
    made = around(plain_flow)
    made.subgraphs += [
        {"id": f"level {level}", "nodes": [{"id": 1, "type": f"level {level - 1}" if level else "enc"}]}
        for level in range(50)
    ]
    with pytest.raises(BadInput, match="nested deeper"):
        converted(made.json())
