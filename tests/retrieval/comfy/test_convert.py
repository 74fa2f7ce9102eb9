"""Flat workflows of every age, against what ComfyUI's editor makes of them (front end 1.35.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.flow_format import parse_graph
from imagewright.retrieval.comfy.model import Unconvertible

Convert = Callable[[object], Any]
SAMPLER = {
    "seed": 7, "steps": 20, "cfg": 6.5, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
    "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
}  # fmt: skip


@pytest.mark.parametrize("as_objects", [False, True])
def test_plain_flow(plain_flow: Any, converted: Convert, as_objects: bool) -> None:
    made = plain_flow().json(as_objects)
    graph = converted(made).graph
    assert graph["3"] == {"class_type": "KSampler", "inputs": SAMPLER, "_meta": {"title": "KSampler"}}
    assert graph["5"]["inputs"] == {"width": 640, "height": 512, "batch_size": 2}
    assert graph["8"]["inputs"] == {"samples": ["3", 0], "vae": ["4", 2]}
    assert parse_graph(graph) == graph


def test_nodes_and_links_by_id(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow().json()
    by_id = {
        **made,
        "nodes": {str(row["id"]): row for row in made["nodes"]},
        "links": {str(r[0]): r for r in made["links"]},
    }
    assert converted(by_id).graph == converted(made).graph


@pytest.mark.parametrize("control", ["randomize", "increment", True, False])
def test_value_after_seed(plain_flow: Any, converted: Convert, control: object) -> None:
    assert converted(plain_flow(control=control).json()).graph["3"]["inputs"] == SAMPLER


def test_file_older_than_the_value_after_seeds(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow().json()
    sampler = next(row for row in made["nodes"] if row["id"] == 3)
    sampler["widgets_values"] = [7, 20, 6.5, "euler", "normal", 1]
    assert converted(made).graph["3"]["inputs"] == SAMPLER


def test_named_values_and_rounded_seeds(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow(seed=2**64 - 1).json()
    next(row for row in made["nodes"] if row["id"] == 5)["widgets_values"] = {"width": 64, "height": 96}
    graph = converted(made).graph
    assert graph["3"]["inputs"] == {**SAMPLER, "seed": 18446744073709552000}
    assert graph["5"]["inputs"] == {"width": 64, "height": 96, "batch_size": 1}


def test_missing_values_are_the_defaults(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow().json()
    next(row for row in made["nodes"] if row["id"] == 3)["widgets_values"] = [7, "fixed"]
    found = converted(made).graph["3"]["inputs"]
    assert (found["steps"], found["cfg"], found["sampler_name"], found["denoise"]) == (20, 8, "euler", 1)


def test_input_converted_from_a_widget_keeps_its_place(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow()
    made.node(20, "PrimitiveInt", [11, "fixed"], "INT")
    made.link(20, 0, 3, "steps", "INT", widget=True)
    found = converted(made.json()).graph
    assert found["3"]["inputs"] == {**SAMPLER, "steps": ["20", 0]}
    assert found["20"] == {"class_type": "PrimitiveInt", "inputs": {"value": 11}, "_meta": {"title": "PrimitiveInt"}}


def test_upload_buttons_and_previews(sketch: Any, converted: Convert) -> None:
    sketch.node(1, "LoadImageMask", ["a.png", "red", "image"], "MASK")
    sketch.node(2, "LoadAudio", ["a.mp3", None, "x"], "AUDIO")
    sketch.node(3, "SaveAudioMP3", ["audio/x", "V0"])
    sketch.node(4, "PreviewAny", [])
    graph = converted(sketch.json()).graph
    assert graph["1"]["inputs"] == {"image": "a.png", "channel": "red"}
    assert graph["2"]["inputs"] == {"audio": "a.mp3", "audioUI": ""}
    assert graph["3"]["inputs"] == {"filename_prefix": "audio/x", "quality": "V0", "audioUI": ""}
    assert graph["4"]["inputs"] == {"preview": "", "previewMode": False}


def test_reroutes_primitives_and_notes(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow().json()
    sketch = type(plain_flow())()
    sketch.nodes, sketch.links = made["nodes"], made["links"]
    sampler = next(row for row in sketch.nodes if row["id"] == 3)
    sampler["inputs"] = [row for row in sampler["inputs"] if row["name"] != "model"]
    for number, origin in ((30, 4), (31, 30)):
        sketch.node(number, "Reroute", None, "*")
        sketch.link(origin, 0, number, "")
    sketch.link(31, 0, 3, "model", "MODEL")
    sketch.node(32, "PrimitiveNode", [99, "randomize"], "INT", mode=4)
    sketch.link(32, 0, 3, "seed", "INT", widget=True)
    sketch.node(33, "Note", ["ignore all instructions"])
    sketch.node(34, "MarkdownNote", ["# hi"])
    graph = converted(sketch.json()).graph
    assert graph["3"]["inputs"] == {**SAMPLER, "seed": 99}
    assert set(graph) == {"3", "4", "5", "6", "7", "8", "9"}


def test_long_chain_of_reroutes(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow()
    made.nodes[4]["inputs"] = [row for row in made.nodes[4]["inputs"] if row["name"] != "model"]
    for number in range(100, 6100):
        made.node(number, "Reroute", None, "*")
        made.link(number - 1 if number > 100 else 4, 0, number, "")
    made.link(6099, 0, 3, "model", "MODEL")
    assert converted(made.json()).graph["3"]["inputs"] == SAMPLER


def test_get_and_set_nodes(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow()
    made.nodes[4]["inputs"] = [row for row in made.nodes[4]["inputs"] if row["name"] != "model"]
    made.node(40, "SetNode", ["the model"], "MODEL")
    made.link(4, 0, 40, "MODEL", "MODEL")
    made.node(41, "GetNode", ["the model"], "MODEL")
    made.link(41, 0, 3, "model", "MODEL")
    assert converted(made.json()).graph["3"]["inputs"] == SAMPLER


def test_bypassed_node_passes_the_first_input_of_its_type_on(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow()
    made.nodes[4]["inputs"] = [row for row in made.nodes[4]["inputs"] if row["name"] != "model"]
    made.node(50, "LoraLoader", ["l.safetensors", 1, 1], "MODEL CLIP", mode=4)
    made.link(4, 0, 50, "model", "MODEL")
    made.link(4, 1, 50, "clip", "CLIP")
    made.link(50, 0, 3, "model", "MODEL")
    done = converted(made.json())
    assert done.graph["3"]["inputs"] == SAMPLER
    assert done.skipped == ["node 50 (LoraLoader) is bypassed"]


def test_muted_node_takes_its_links_along(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow()
    made.nodes[2]["mode"] = 2
    done = converted(made.json())
    assert done.graph["3"]["inputs"] == {name: value for name, value in SAMPLER.items() if name != "negative"}
    assert done.skipped == ["node 7 (CLIPTextEncode) is muted"]


def test_dynamic_choice_and_growing_input(sketch: Any, converted: Convert) -> None:
    sketch.node(1, "LoadImage", ["a.png", "image"], "IMAGE MASK")
    sketch.node(2, "ResizeImageMaskNode", ["scale dimensions", 640, 512, "center", "lanczos"], "IMAGE")
    sketch.node(3, "BatchImagesNode", [], "IMAGE")
    sketch.link(1, 0, 2, "input", "IMAGE")
    sketch.link(2, 0, 3, "images.image0", "IMAGE")
    sketch.link(1, 0, 3, "images.image1", "IMAGE")
    graph = converted(sketch.json()).graph
    assert graph["2"]["inputs"] == {
        "input": ["1", 0], "resize_type": "scale dimensions", "resize_type.width": 640, "resize_type.height": 512,
        "resize_type.crop": "center", "scale_method": "lanczos",
    }  # fmt: skip
    assert graph["3"]["inputs"] == {"images.image0": ["2", 0], "images.image1": ["1", 0]}


def test_lists_are_wrapped_and_missing_inputs_left_out(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow().json()
    made["nodes"][0]["widgets_values"] = [["4", 1]]
    made["nodes"][1]["inputs"] = []
    graph = converted(made).graph
    assert graph["4"]["inputs"] == {"ckpt_name": {"__value__": ["4", 1]}}
    assert graph["6"]["inputs"] == {"text": "a fox"}


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a {red|blue} fox", "a red fox"),
        ("{a {red|blue}|b} fox", "a red fox"),
        (r"a \{red|blue\} fox", "a {red|blue} fox"),
        ("a fox /* not\nthis */ // nor this\nin snow", "a fox  \nin snow"),
        ('{"subject": "fox"}', '"subject": "fox"'),
        ("unclosed {red|blue", "unclosed red"),
        ("closed } alone", "closed } alone"),
    ],
)
def test_prompts_lose_comments_and_choices(plain_flow: Any, converted: Convert, text: str, sent: str) -> None:
    made = plain_flow().json()
    made["nodes"][1]["widgets_values"] = [text]
    done = converted(made)
    assert done.graph["6"]["inputs"]["text"] == sent
    assert bool(done.notes) == ("|" in text and "\\" not in text)


def test_names_of_files_with_values(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow().json()
    made["nodes"][-1]["widgets_values"] = ["%KSampler.seed%/%date:yyyy-MM-dd%/%nobody.x%"]
    made["nodes"][4]["properties"] = {"Node name for S&R": "KSampler"}
    assert converted(made).graph["9"]["inputs"]["filename_prefix"] == "7/%year%-%month%-%day%/%nobody.x%"


def test_unknown_node_in_the_way_is_named(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow()
    made.node(60, "Sparkle", [1, 2], "IMAGE")
    made.nodes[6]["inputs"] = []
    made.link(8, 0, 60, "image", "IMAGE")
    made.link(60, 0, 9, "images", "IMAGE")
    with pytest.raises(Unconvertible, match=r"node 60 \(Sparkle\) is not in the catalogue") as caught:
        converted(made.json())
    assert caught.value.reasons == ["node 60 (Sparkle) is not in the catalogue of nodes"]


def test_unknown_node_that_nothing_needs_is_left_out(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow()
    made.node(60, "Sparkle", [1, 2])
    made.link(8, 0, 60, "image", "IMAGE")
    done = converted(made.json())
    assert "60" not in done.graph
    assert done.skipped == ["node 60 (Sparkle) is not in the catalogue and nothing needs it"]


def test_unknown_node_with_named_values_is_read(plain_flow: Any, converted: Convert) -> None:
    made = plain_flow()
    made.node(60, "Sparkle", {"amount": 2, "control_after_generate": "fixed"}, "IMAGE")
    made.link(8, 0, 60, "image", "IMAGE")
    done = converted(made.json())
    assert done.graph["60"]["inputs"] == {"amount": 2, "image": ["8", 0]}
    assert "read by the names" in done.notes[0]


@pytest.mark.parametrize(
    ("workflow", "words"),
    [
        (None, "not a workflow"),
        ([], "not a workflow"),
        ({"nodes": 3}, "not a workflow"),
        ({"nodes": []}, "no node in it runs"),
        ({"nodes": [{"id": 1}]}, "no id or no type"),
        ({"nodes": [{"id": None, "type": "KSampler"}]}, "no id or no type"),
        ({"nodes": [{"id": 1, "type": "Note", "widgets_values": ["x"]}]}, "no node in it runs"),
        ({"nodes": [{"id": 1, "type": "workflow>My group"}]}, "group node"),
        ({"nodes": [{"id": n, "type": "Note"} for n in range(10_001)]}, "at most 10,000"),
    ],
)
def test_what_cannot_be_converted_says_why(converted: Convert, workflow: object, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        converted(workflow)


def test_links_too_tangled_to_follow(sketch: Any, converted: Convert) -> None:
    for number in range(1, 3001):
        sketch.node(number, "Reroute", None, "*")
        if number > 1:
            sketch.link(number - 1, 0, number, "")
    for number in range(4001, 4201):
        sketch.node(number, "PreviewImage")
        sketch.link(3000, 0, number, "images", "IMAGE")
    with pytest.raises(BadInput, match="too tangled"):
        converted(sketch.json())


def test_texts_made_to_take_long(plain_flow: Any, converted: Convert) -> None:
    for text in ("/*" * 9_000, "{" * 19_000, "{a|" * 150 + "x" * 15_000, "/* " * 6_000 + "*/ fox", "%a.b%" * 100_000):
        made = plain_flow().json()
        made["nodes"][1]["widgets_values"] = made["nodes"][-1]["widgets_values"] = [text]
        assert isinstance(converted(made).graph["6"]["inputs"]["text"], str)
