"""Layouts and redraws as core nodes: what is spliced, what is kept, why not, and that our own executor runs it too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagewright.errors import BadInput
from imagewright.flow_format import links, order, parse_graph
from imagewright.ports import Job, Redraw
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Region
from imagewright.t2i_backends.comfyui.splice import Unspliceable, splice_regions
from imagewright.t2i_backends.execution.graph_check import find_flaws

REGIONS = (
    Region(caption="a red circle", x=0.0, y=0.0, width=0.5, height=1.0),
    Region(caption="a blue square", x=0.5, y=0.25, width=0.5, height=0.5),
)


def spliced(graph: dict[str, Any], share: float | None = None) -> dict[str, Any]:
    found = splice_regions(graph, find_slots(graph), REGIONS, share)
    assert parse_graph(found)
    assert find_flaws(found) == []
    return found


def upstream(graph: dict[str, Any], node: str, name: str) -> list[str]:
    """The classes behind an input."""
    start = links(graph[node]["inputs"])[name][0]
    wanted = {start}
    for one in reversed(order(graph)):
        if one in wanted:
            wanted |= {source for source, _ in links(graph[one]["inputs"]).values()}
    return sorted(graph[one]["class_type"] for one in wanted)


def test_each_region_has_its_caption_area_and_steps(graph: dict[str, Any]) -> None:
    found = spliced(graph, 0.5)
    kinds = upstream(found, "5", "positive")
    assert kinds.count("ConditioningSetAreaPercentage") == 2
    assert kinds.count("CLIPTextEncode") == 3
    areas = [v["inputs"] for v in found.values() if v["class_type"] == "ConditioningSetAreaPercentage"]
    assert [(a["x"], a["y"], a["width"], a["height"]) for a in areas] == [(0, 0, 0.5, 1), (0.5, 0.25, 0.5, 0.5)]
    texts = [found[a["conditioning"][0]]["inputs"]["text"] for a in areas]
    assert texts == ["a red circle", "a blue square"]
    assert {v["inputs"]["end"] for v in found.values() if v["class_type"] == "ConditioningSetTimestepRange"} == {0.5}
    assert found["5"]["inputs"]["negative"] == graph["5"]["inputs"]["negative"]
    assert graph["5"]["inputs"]["positive"] == ["2", 0]


def test_loras_and_controlnets_stay_in_the_chain(graph: dict[str, Any]) -> None:
    graph["L"] = {
        "class_type": "LoraLoader",
        "inputs": {"model": ["1", 0], "clip": ["1", 1], "lora_name": "x", "strength_model": 1.0, "strength_clip": 1.0},
    }
    graph["2"]["inputs"]["clip"] = graph["3"]["inputs"]["clip"] = ["L", 1]
    graph["5"]["inputs"]["model"] = ["L", 0]
    graph["I"] = {"class_type": "LoadImage", "inputs": {"image": "a.png"}}
    graph["N"] = {"class_type": "ControlNetLoader", "inputs": {"control_net_name": "c"}}
    inputs = {"positive": ["2", 0], "negative": ["3", 0], "control_net": ["N", 0], "image": ["I", 0], "strength": 1.0}
    graph["C"] = {
        "class_type": "ControlNetApplyAdvanced",
        "inputs": {**inputs, "start_percent": 0.0, "end_percent": 1.0},
    }
    graph["5"]["inputs"].update(positive=["C", 0], negative=["C", 1])
    found = spliced(graph)
    assert found["5"]["inputs"]["positive"] == ["C", 0]
    assert found["C"]["inputs"]["negative"] == ["3", 0]
    assert found[found["C"]["inputs"]["positive"][0]]["class_type"] == "ConditioningCombine"
    encoders = [v["inputs"]["clip"] for v in found.values() if v["class_type"] == "CLIPTextEncode"]
    assert encoders == [["L", 1]] * 4


def test_a_guider_and_flux_guidance_are_passed_and_a_zeroed_negative_keeps_the_prompt(graph: dict[str, Any]) -> None:
    graph["3"] = {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["2", 0]}}
    graph["G"] = {"class_type": "FluxGuidance", "inputs": {"conditioning": ["2", 0], "guidance": 3.5}}
    graph["5"]["inputs"]["positive"] = ["G", 0]
    found = spliced(graph)
    assert found["3"]["inputs"]["conditioning"] == ["2", 0]
    assert found[found["G"]["inputs"]["conditioning"][0]]["class_type"] == "ConditioningCombine"


def test_two_samplers_share_one_splice(graph: dict[str, Any]) -> None:
    graph["8"] = json.loads(json.dumps(graph["5"]))
    graph["8"]["inputs"]["latent_image"] = ["5", 0]
    found = spliced(graph)
    assert found["5"]["inputs"]["positive"] == found["8"]["inputs"]["positive"] != ["2", 0]
    assert [v["class_type"] for v in found.values()].count("CLIPTextEncode") == 4


def test_a_prompt_that_comes_from_a_node_of_text(graph: dict[str, Any]) -> None:
    graph["P"] = {"class_type": "PrimitiveStringMultiline", "inputs": {"value": "x"}}
    graph["2"]["inputs"]["text"] = ["P", 0]
    found = splice_regions(graph, find_slots(graph), REGIONS)
    texts = [v["inputs"]["text"] for n, v in found.items() if v["class_type"] == "CLIPTextEncode" and n[0] == "i"]
    assert texts == ["a red circle", "a blue square"]


@pytest.mark.parametrize("kind", ["ConditioningConcat", "SomethingElse"])
def test_where_regions_would_be_mixed_it_says_why(graph: dict[str, Any], kind: str) -> None:
    graph["M"] = {"class_type": kind, "inputs": {"conditioning_to": ["2", 0], "conditioning_from": ["3", 0]}}
    graph["5"]["inputs"]["positive"] = ["M", 0]
    with pytest.raises(Unspliceable, match=kind):
        splice_regions(graph, find_slots(graph), REGIONS)


def test_what_cannot_be_spliced_is_drawn_by_words_and_says_why(
    serve: Callable[..., Any], connect: Callable[..., Any], make_flow: Any, graph: dict[str, Any]
) -> None:
    graph["M"] = {
        "class_type": "ConditioningConcat",
        "inputs": {"conditioning_to": ["2", 0], "conditioning_from": ["3", 0]},
    }
    graph["5"]["inputs"]["positive"] = ["M", 0]
    job = Job(flow=make_flow(graph), prompt="a", regions=REGIONS)
    drawn = connect(serve()).draw(job, lambda step: None, lambda: False)
    assert "drawn by words" in drawn.facts["fallbacks"]
    assert drawn.graph == ""


def test_only_the_flow_s_own_classes_and_ours_go_out_and_no_key(
    serve: Callable[..., Any], connect: Callable[..., Any], make_flow: Any, graph: dict[str, Any]
) -> None:
    server = serve()
    backend = connect(server)
    drawn = backend.draw(Job(flow=make_flow(), prompt="a", regions=REGIONS), lambda step: None, lambda: False)
    own = {v["class_type"] for v in graph.values()}
    sent = {v["class_type"] for v in json.loads(drawn.graph).values()}
    assert sent - own == {
        "ConditioningSetAreaPercentage",
        "ConditioningSetAreaStrength",
        "ConditioningSetTimestepRange",
        "ConditioningCombine",
    }
    graph["7"]["inputs"]["api_key"] = "sk-abcdefghijklmnop1234"
    with pytest.raises(BadInput, match="looks like a key"):
        backend.draw(Job(flow=make_flow(graph), prompt="a"), lambda step: None, lambda: False)
    server.classes["VAEDecode"]["api_node"] = True
    backend.pool.servers[0].look(anew=True)
    assert "paid service" in backend.check(make_flow()).why_not


def test_a_redraw_sends_picture_and_mask_under_names_of_ours(
    serve: Callable[..., Any], connect: Callable[..., Any], make_flow: Any
) -> None:
    server = serve()
    backend = connect(server)
    base = Image.new("RGB", (64, 64), "white")
    box = Region(caption="a", x=0.0, y=0.0, width=0.25, height=0.25)
    job = Job(flow=make_flow(), prompt="a", redraw=Redraw(base, (box,), 0.7))
    drawn = backend.draw(job, lambda step: None, lambda: False)
    assert len(server.uploads) == 2
    assert all(name.startswith("imagewright/") and len(name) == 48 for name in server.uploads)
    sent = json.loads(drawn.graph)
    assert sent["5"]["inputs"]["denoise"] == 0.7
    assert "EmptySD3LatentImage" not in {v["class_type"] for v in sent.values()}
    assert sent[sent["5"]["inputs"]["latent_image"][0]]["class_type"] == "SetLatentNoiseMask"
    assert np.array_equal(np.asarray(drawn.image)[40:, 40:], np.asarray(base)[40:, 40:])
    assert not np.array_equal(np.asarray(drawn.image)[:8, :8], np.asarray(base)[:8, :8])
