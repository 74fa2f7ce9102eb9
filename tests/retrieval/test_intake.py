"""From people's files to flows with cards."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.retrieval.card import card_text, example_prompt, flow_json
from imagewright.retrieval.intake import build_flow, read_flow_file
from imagewright.schemas import ModelFile, Problem, Readiness, SlotBinding


def write(folder: Path, name: str, data: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(data))
    return path


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def test_a_bare_graph_gets_a_card_of_its_own(tmp_path: Path, kit: ModuleType) -> None:
    flow = read_flow_file(write(tmp_path, "Red_House at-night.json", kit.graph(text="a red house at night"))).flow
    assert flow.id == "red-house-at-night"
    assert flow.card.title == "Red House at night"
    assert flow.card.kind == "text-to-image"
    assert (flow.card.base_model, flow.card.family) == ("mini", "flux")
    assert flow.card.models == (ModelFile(name="mini", folder="checkpoints"),)
    assert flow.card.samplers == ("euler/simple",)
    assert "KSampler" in flow.card.node_classes
    assert flow.card.slots["positive"][0].node == "2"
    assert example_prompt(flow) == "a red house at night"
    assert card_text(flow) == "Red House at night. a red house at night"


def test_an_authors_words_are_kept_and_facts_are_read_off_the_graph(tmp_path: Path, kit: ModuleType) -> None:
    card = {
        "title": "Night houses",
        "description": "houses\x1b[31m at\nnight",
        "tags": ["house", "night"],
        "licence": "MIT",
        "benchmarks": {"GenEval": 0.5},
        "slots": {"positive": [{"node": "3", "input": "text"}]},
        "node_classes": ["Harmless"],
        "models": [{"name": "mini", "folder": "checkpoints", "url": "https://example.org/mini"},
                   {"name": "/etc/passwd", "folder": "..", "url": "https://example.org/x"}],
    }  # fmt: skip
    flow = read_flow_file(write(tmp_path, "x.json", {"id": "My Flow!", "card": card, "graph": kit.graph()})).flow
    assert flow.id == "my-flow"
    assert flow.card.title == "Night houses"
    assert flow.card.description == "houses [31m at night"
    assert flow.card.tags == ("house", "night")
    assert flow.card.slots == {"positive": (SlotBinding(node="3", input="text"),)}
    assert "KSampler" in flow.card.node_classes
    assert flow.card.models == (ModelFile(name="mini", folder="checkpoints", url="https://example.org/mini"),)


@pytest.mark.parametrize(
    ("card", "says"),
    [
        ({"titel": "x"}, "no field 'titel'"),
        ({"benchmarks": {"GenEval": "high"}}, "wrong at benchmarks"),
        ({"kind": "song"}, "wrong at kind"),
        (["x"], "not a JSON object"),
        ({"slots": {"positive": [{"node": "../../etc", "input": "x"}]}}, "which the graph does not have"),
        ({"slots": {"colour": []}}, "wrong at slots"),
    ],
)
def test_a_wrong_card_is_refused_in_one_line(tmp_path: Path, kit: ModuleType, card: object, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        read_flow_file(write(tmp_path, "x.json", {"card": card, "graph": kit.graph()}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "base", "family"),
    [
        ("flux1-dev-fp8.safetensors", "FLUX.1-dev", "flux"),
        ("FLUX1/flux1-schnell.safetensors", "FLUX.1-schnell", "flux"),
        ("sd_xl_base_1.0.safetensors", "SDXL 1.0", "sdxl"),
        ("ponyDiffusionV6XL.safetensors", "ponyDiffusionV6XL", "sdxl"),
        ("v1-5-pruned-emaonly.safetensors", "SD 1.5", "sd15"),
        ("sd3.5_large.safetensors", "SD 3.5", "sd3"),
        ("minimalist.safetensors", "minimalist", ""),
    ],
)
def test_the_model_is_guessed_from_its_file(kit: ModuleType, name: str, base: str, family: str) -> None:
    card = build_flow(kit.graph(model=name), "x", {}).card
    assert (card.base_model, card.family) == (base, family)


def test_every_loaders_files_are_listed_with_their_folders(kit: ModuleType) -> None:
    graph = kit.graph()
    graph["1"] = node("UNETLoader", unet_name="flux1-dev.safetensors")
    graph["a"] = node("DualCLIPLoader", clip_name1="t5.safetensors", clip_name2="l.safetensors", type="flux")
    graph["b"] = node("VAELoader", vae_name="ae.safetensors")
    graph["c"] = node("LoraLoaderModelOnly", model=["1", 0], lora_name="ink.safetensors", strength_model=1.0)
    card = build_flow(graph, "x", {}).card
    assert [(model.folder, model.name) for model in card.models] == [
        ("diffusion_models", "flux1-dev.safetensors"),
        ("text_encoders", "t5.safetensors"),
        ("text_encoders", "l.safetensors"),
        ("vae", "ae.safetensors"),
        ("loras", "ink.safetensors"),
    ]
    assert card.loras == ("ink.safetensors",)


@pytest.mark.parametrize(
    ("extra", "kind"),
    [
        ({}, "text-to-image"),
        ({"a": node("LoadImage", image="left-over.png")}, "text-to-image"),
        ({"a": node("LoadImage", image="x.png"), "4": node("VAEEncode", pixels=["a", 0], vae=["1", 2])},
         "image-to-image"),
        ({"a": node("LoadImage", image="x.png"), "4": node("VAEEncodeForInpaint", pixels=["a", 0], mask=["a", 1])},
         "inpaint"),
        ({"7": node("SaveVideo", video=["6", 0], filename_prefix="x")}, "video"),
        ({"7": node("SaveAudio", audio=["6", 0], filename_prefix="x")}, "audio"),
        ({"5": node("SomeOtherSampler", model=["1", 0])}, "other"),
    ],
)  # fmt: skip
def test_the_kind_is_told_from_what_the_outputs_need(kit: ModuleType, extra: dict[str, Any], kind: str) -> None:
    assert build_flow(kit.graph() | extra, "x", {}).card.kind == kind


def test_a_file_whose_name_says_nothing_takes_the_title_of_its_last_node(kit: ModuleType) -> None:
    graph = kit.graph()
    graph["7"]["_meta"] = {"title": "Ink landscapes"}
    assert build_flow(graph, "workflow_api (3)", {}).card.title == "Ink landscapes"
    assert build_flow(kit.graph(), "workflow_api", {}).card.title == "Workflow api"


def test_the_json_of_a_flow_is_flat(kit: ModuleType) -> None:
    flow = kit.flow("red-hearts")
    missing = Readiness(problems=(Problem(kind="model", name="m", remedy="put m into checkpoints/"),))
    found = flow_json(flow, missing, with_graph=True)
    assert list(found) == ["id", "title", "kind", "slots", "runnable", "why_not", "duplicate_of", "graph"]
    assert found["slots"]["positive"] == [{"node": "2", "input": "text"}]
    assert (found["runnable"], found["why_not"]) == (False, "put m into checkpoints/")
    assert found["graph"] == flow.graph
    assert "graph" not in flow_json(flow, Readiness())
    json.dumps(found)
