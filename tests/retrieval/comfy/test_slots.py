"""Where a request enters a graph: the plain cases, one at a time."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from imagewright.flow_format import Graph, parse_graph
from imagewright.retrieval.comfy.slots import find_slots

CLASSIC = Path(__file__).parents[2] / "data" / "txt2img_sd15_api.json"


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def classic() -> Graph:
    """A plain text-to-image graph, anew each time."""
    found: Graph = json.loads(CLASSIC.read_bytes())
    return found


def places(graph: Graph, slot: str) -> list[tuple[str, str]]:
    return [(binding.node, binding.input) for binding in find_slots(graph).get(slot, ())]  # type: ignore[call-overload]


def test_slots_of_a_classic_graph() -> None:
    found = {name: [(b.node, b.input) for b in bindings] for name, bindings in find_slots(classic()).items()}
    assert found == {
        "positive": [("6", "text")],
        "negative": [("7", "text")],
        "seed": [("3", "seed")],
        "width": [("5", "width")],
        "height": [("5", "height")],
        "batch": [("5", "batch_size")],
        "steps": [("3", "steps")],
        "guidance": [("3", "cfg")],
        "denoise": [("3", "denoise")],
    }


def test_a_zeroed_negative_is_no_slot_and_flux_guidance_comes_before_cfg() -> None:
    graph = classic()
    graph["7"] = node("ConditioningZeroOut", conditioning=["6", 0])
    graph["10"] = node("FluxGuidance", conditioning=["6", 0], guidance=3.5)
    graph["3"]["inputs"]["positive"] = ["10", 0]
    assert places(graph, "negative") == []
    assert places(graph, "positive") == [("6", "text")]
    assert places(graph, "guidance") == [("10", "guidance")]


def test_a_negative_that_is_the_positive_is_no_slot() -> None:
    graph = classic()
    graph["3"]["inputs"]["negative"] = ["6", 0]
    assert places(graph, "negative") == []


def test_sides_stay_apart_through_a_control_net() -> None:
    graph = classic()
    graph["20"] = node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0], strength=1.0)
    graph["3"]["inputs"] |= {"positive": ["20", 0], "negative": ["20", 1]}
    assert places(graph, "positive") == [("6", "text")]
    assert places(graph, "negative") == [("7", "text")]


def test_values_in_primitive_nodes_are_bound_there() -> None:
    graph = classic()
    graph["30"] = node("PrimitiveInt", value=5)
    graph["31"] = node("SomethingElse", low=5, high=9)
    graph["3"]["inputs"] |= {"seed": ["30", 0], "steps": ["31", 0]}
    assert places(graph, "seed") == [("30", "value")]
    assert places(graph, "steps") == []


def test_a_second_sampler_shares_the_seed_but_not_the_steps() -> None:
    graph = classic()
    graph["40"] = node("LatentUpscale", samples=["3", 0], width=128, height=128)
    graph["41"] = copy.deepcopy(graph["3"])
    graph["41"]["inputs"] |= {"latent_image": ["40", 0], "denoise": 0.5}
    assert places(graph, "seed") == [("3", "seed"), ("41", "seed")]
    assert places(graph, "steps") == [("3", "steps")]
    assert places(graph, "width") == [("5", "width")]


def test_slots_behind_the_helpers_of_a_custom_sampler() -> None:
    graph = classic()
    graph["3"] = node(
        "SamplerCustomAdvanced", noise=["50", 0], guider=["51", 0], sigmas=["52", 0], latent_image=["5", 0]
    )
    graph["50"] = node("RandomNoise", noise_seed=7)
    graph["51"] = node("BasicGuider", model=["4", 0], conditioning=["6", 0])
    graph["52"] = node("BasicScheduler", model=["4", 0], steps=20, denoise=1.0, scheduler="simple")
    assert places(graph, "seed") == [("50", "noise_seed")]
    assert places(graph, "steps") == [("52", "steps")]
    assert places(graph, "positive") == [("6", "text")]
    assert places(graph, "negative") == []


def test_thousands_of_samplers_behind_a_long_chain_are_no_trap() -> None:
    graph = {"c0": node("CLIPTextEncode", text="x")}
    graph |= {f"c{i}": node("ConditioningCombine", conditioning_1=[f"c{i - 1}", 0]) for i in range(1, 5000)}
    graph |= {f"k{i}": node("KSampler", positive=["c4999", 0], seed=1) for i in range(4999)}
    assert places(parse_graph(graph), "positive") == [("c0", "text")]
