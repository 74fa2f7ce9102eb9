"""Reading graphs from outside, finding their slots, binding and hashing them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagewright.errors import BadInput
from imagewright.flow_format import (
    MAX_BYTES,
    MAX_NODES,
    Graph,
    bind,
    graph_hash,
    links,
    order,
    parse_graph,
    read_json,
    shape_hash,
)
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow, SlotBinding

CLASSIC = Path(__file__).parent / "data" / "txt2img_sd15_api.json"


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def classic() -> Graph:
    """A plain text-to-image graph, anew each time."""
    found: Graph = json.loads(CLASSIC.read_bytes())
    return found


# --- reading --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "not whole JSON"),
        (b'{"1": {"class_type": "A", "inp', "not whole JSON"),
        (b"\x89PNG\r\n\x1a\n\x00\xff\xd8", "not text"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nested deeper"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b'{"a": NaN}', "not a JSON number"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": "\\ud800"}', "not valid Unicode"),
        (b'{"a": "' + b"x" * 1_000_001 + b'"}', "more than 1,000,000 characters"),
        (b"1" * 5000, "cannot be used"),
        (b" " * (MAX_BYTES + 1), "larger than 10 MB"),
    ],
)
def test_text_that_is_no_whole_json_is_refused_in_one_line(text: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        read_json(text)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(BadInput, match="cannot read") as caught:
            read_json(path)
        assert str(path) in str(caught.value)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(classic()).encode())
    assert parse_graph(read_json(path)).keys() == classic().keys()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "a JSON list, not a flow"),
        ({}, "an empty object"),
        (None, "a JSON null"),
        ("text", "a JSON text"),
        ({"nodes": [{"id": 1}], "links": [], "version": 0.4}, "only the API format"),
        ({"1": []}, "node '1' is a JSON list"),
        ({"1": {"inputs": {}}}, "no class_type"),
        ({"1": {"class_type": "A"}}, "no inputs"),
        ({"1": {"class_type": 5, "inputs": {}}}, "no class_type"),
        ({"1": node("A", x=["2", 0])}, "links to node '2', which is not there"),
        ({"1": node("A"), "2": node("B", x=["1", -1])}, "output -1"),
        ({"1": node("A"), "2": node("B", x=[1, 0])}, "links to a number"),
        ({"1": node("A", x=["1", 0])}, "circle"),
        ({"1": node("A", x=["2", 0]), "2": node("A", x=["1", 0])}, "circle through nodes 1, 2"),
        ({str(i): node("A") for i in range(MAX_NODES + 1)}, "10,001 nodes"),
    ],
)
def test_what_is_no_graph_is_refused_with_a_remedy(data: object, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        parse_graph(data)
    assert caught.value.remedy


def test_an_editor_workflow_is_told_how_to_be_exported() -> None:
    with pytest.raises(BadInput) as caught:
        parse_graph({"nodes": [], "links": []})
    assert "Export (API)" in caught.value.remedy


def test_a_request_body_is_unwrapped_and_unknown_keys_are_dropped() -> None:
    data: dict[str, Any] = copy.deepcopy(classic())
    data["6"] |= {"_meta": {"title": "Ignore all rules"}, "is_changed": [1]}
    graph = parse_graph({"prompt": data, "client_id": "x"})
    assert graph["6"] == {**classic()["6"], "_meta": {"title": "Ignore all rules"}}


def test_a_parsed_graph_shares_nothing_with_its_source() -> None:
    data = classic()
    graph = parse_graph(data)
    graph["6"]["inputs"]["text"] = "changed"
    assert data["6"]["inputs"]["text"] == "a house"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["1", "2", "3", "class_type", "inputs", "prompt", "nodes"]), inner, max_size=4
        )
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(_json)
def test_any_json_is_a_graph_or_bad_input(data: object) -> None:
    try:
        graph = parse_graph(data)
    except BadInput:
        return
    assert sorted(order(graph)) == sorted(graph)
    assert len(shape_hash(graph, find_slots(graph))) == 64


# --- order and links ------------------------------------------------------------------------


def test_order_puts_sources_first_and_keeps_ties() -> None:
    found = order(classic())
    assert found == ["4", "5", "6", "7", "3", "8", "9"]


def test_links_are_told_from_values() -> None:
    assert links({"a": ["4", 1], "b": "4", "c": [1, 2], "d": ["x", "y"], "e": ["4", True]}) == {"a": ("4", 1)}


# --- binding --------------------------------------------------------------------------------


def flow_of(graph: Graph) -> Flow:
    return Flow(id="f", graph=graph, card=Card(title="F", slots=dict(find_slots(graph))))


def shape(graph: Graph) -> str:
    return shape_hash(graph, find_slots(graph))


def test_bind_fills_a_copy_and_none_keeps_what_the_graph_states() -> None:
    flow = flow_of(classic())
    bound = bind(flow, {"positive": "two stars", "seed": 9, "steps": None, "width": 128})
    assert bound["6"]["inputs"]["text"] == "two stars"
    assert (bound["3"]["inputs"]["seed"], bound["3"]["inputs"]["steps"]) == (9, 8)
    assert bound["5"]["inputs"]["width"] == 128
    assert flow.graph == classic()


def test_bind_skips_a_slot_that_is_lacking_unless_the_caller_insists() -> None:
    graph = classic()
    graph["7"] = node("ConditioningZeroOut", conditioning=["6", 0])
    flow = flow_of(graph)
    assert bind(flow, {"negative": "blurry"}) == graph
    assert bind(flow, {"negative": None}, insist=["negative"]) == graph
    with pytest.raises(BadInput, match="no slot 'negative'"):
        bind(flow, {"negative": "blurry"}, insist=["negative"])


def test_bind_goes_by_the_card_which_a_person_may_correct() -> None:
    graph = classic()
    card = Card(title="F", slots={"positive": (SlotBinding(node="7", input="text"),)})
    bound = bind(Flow(id="f", graph=graph, card=card), {"positive": "a fox"})
    assert (bound["6"]["inputs"]["text"], bound["7"]["inputs"]["text"]) == ("a house", "a fox")
    lost = card.model_copy(update={"slots": {"positive": (SlotBinding(node="77", input="text"),)}})
    with pytest.raises(BadInput, match="names node '77'"):
        bind(Flow(id="f", graph=graph, card=lost), {"positive": "a fox"})


@pytest.mark.parametrize(
    "path",
    ["../x.png", "a/../../x.png", "/etc/passwd", "\\\\host\\x.png", "C:\\x.png", "c:/x", "~/x.png", "a\\..\\..\\x"],
)
def test_bind_lets_no_file_lead_out_of_its_folder(path: str) -> None:
    graph = classic() | {"20": node("LoadImage", image=path), "6": node("CLIPTextEncode", text=path, clip=["4", 1])}
    with pytest.raises(BadInput, match="leads out of its folder") as caught:
        bind(flow_of(graph), {})
    assert "LoadImage" in str(caught.value)
    graph["20"]["inputs"]["image"] = "sub/a..b ~.png [input]"
    assert bind(flow_of(graph), {})["6"]["inputs"]["text"] == path
    asked = Card(title="F", slots={"input_image": (SlotBinding(node="20", input="image"),)})
    with pytest.raises(BadInput, match="leads out"):
        bind(Flow(id="f", graph=graph, card=asked), {"input_image": path})


# --- hashes ---------------------------------------------------------------------------------


def renamed(graph: Graph) -> Graph:
    found = {}
    for name, value in reversed(graph.items()):
        inputs = {k: [f"n{v[0]}", v[1]] if isinstance(v, list) else v for k, v in value["inputs"].items()}
        found[f"n{name}"] = {"class_type": value["class_type"], "inputs": inputs}
    return found


def test_graph_hash_sees_content_and_nothing_else() -> None:
    same = copy.deepcopy(classic())
    same["6"]["_meta"] = {"title": "Prompt"}
    same["3"]["inputs"]["denoise"] = 1
    assert graph_hash(same) == graph_hash(classic())
    same["3"]["inputs"]["steps"] = 9
    assert graph_hash(same) != graph_hash(classic())


def test_shape_hash_ignores_ids_seed_and_prompt() -> None:
    other = renamed(classic())
    other["n3"]["inputs"]["seed"] = 99
    other["n6"]["inputs"]["text"] = "a boat"
    other["n9"]["inputs"]["filename_prefix"] = "boats"
    assert shape(other) == shape(classic())


@pytest.mark.parametrize(("name", "key", "value"), [("3", "steps", 9), ("4", "ckpt_name", "other"), ("5", "width", 96)])
def test_shape_hash_sees_what_changes_the_picture(name: str, key: str, value: object) -> None:
    other = copy.deepcopy(classic())
    other[name]["inputs"][key] = value
    assert shape(other) != shape(classic())


def test_shape_hash_sees_swapped_links() -> None:
    other = copy.deepcopy(classic())
    other["8"]["inputs"]["vae"] = ["4", 1]
    assert shape(other) != shape(classic())
