"""Made-up workflows: stored as they stand, or refused in one line; no value in another's place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagewright.errors import BadInput
from imagewright.retrieval.comfy.catalogue import InputSpec, load_catalogue
from imagewright.retrieval.comfy.convert import convert
from imagewright.retrieval.comfy.model import Unconvertible
from imagewright.retrieval.comfy.widgets import CONTROL_WORDS, is_widget
from imagewright.retrieval.intake import read_flow_file

Json = dict[str, Any]
GRAPH: Json = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "mini"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red circle", "clip": ["1", 1]}},
    "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "4": {"class_type": "KSampler", "inputs": {
        "seed": 7, "steps": 10, "cfg": 2.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0,
        "model": ["1", 0], "positive": ["2", 0], "negative": ["2", 0], "latent_image": ["3", 0]}},
    "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
    "6": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "out"}},
}  # fmt: skip


def simple(spec: InputSpec) -> bool:
    return is_widget(spec) and spec.type in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")


CATALOGUE = load_catalogue()
CLASSES = [
    name for name, spec in CATALOGUE.items()
    if sum(map(simple, spec.inputs)) >= 2 and all(simple(row) or not is_widget(row) for row in spec.inputs)
    and not any(row.options.get("forceInput") or "template" in row.options for row in spec.inputs)
    and name not in ("CustomCombo", "LoadImageOutput")
]  # fmt: skip


def value_for(spec: InputSpec, place: int) -> Any:
    """A value that no other widget of the node has."""
    if spec.type == "BOOLEAN":
        return bool(place % 2)
    if spec.type in ("INT", "FLOAT"):
        return 1000 + place
    return f"word {chr(97 + place % 26)}{place}"


def has_control(spec: InputSpec) -> bool:
    said = spec.options.get("control_after_generate")
    seed = spec.type == "INT" and spec.name in ("seed", "noise_seed") if said is None else bool(said)
    return seed and spec.type in ("INT", "FLOAT", "COMBO")


def saved_node(kind: str, foreign: int | None) -> tuple[Json, Json]:
    """A node as a newer editor saves it, with one foreign widget at a place, and the values that are its own."""
    rows, values, own = [], [], {}
    specs = [row for row in CATALOGUE[kind].inputs if is_widget(row)]
    for place, spec in enumerate([*specs, None]):
        if place == foreign:
            rows.append({"name": "newer", "type": "COMBO", "link": None, "widget": {"name": "newer"}})
            values.append("newer value")
        if spec is not None:
            own[spec.name] = value_for(spec, place)
            if "socketless" not in spec.options:
                rows.append({"name": spec.name, "type": spec.type, "link": None, "widget": {"name": spec.name}})
            values.append(own[spec.name])
            if has_control(spec):
                values += ["fixed"] + [""] * (spec.type == "COMBO")
    sockets = [{"name": r.name, "type": r.type, "link": None} for r in CATALOGUE[kind].inputs if not is_widget(r)]
    return {"id": 1, "type": kind, "inputs": sockets + rows, "widgets_values": values}, own


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_value_is_moved_in_silence(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(CLASSES))
    count = sum(is_widget(row) for row in CATALOGUE[kind].inputs)
    foreign = data.draw(st.none() | st.integers(0, count))
    node, own = saved_node(kind, foreign)
    try:
        graph = convert({"nodes": [node], "links": []}, CATALOGUE).graph
    except Unconvertible as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert foreign is not None, refused
        assert f"({kind})" in refused
        return
    sent = graph["1"]["inputs"]
    assert {name: sent[name] for name in own} == own
    assert not CONTROL_WORDS & {str(value) for value in sent.values()}


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_made_up_values_in_every_place(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever stands in the places of an API graph: stored as it stands, or refused in one line."""
    graph = copy.deepcopy(GRAPH)
    node = data.draw(st.sampled_from(sorted(graph)))
    name = data.draw(st.sampled_from([*graph[node]["inputs"], "class_type"]))
    value = data.draw(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
        | st.sampled_from(["%prompt%", "%seed%", "{{model}}", "64", "NaN", "1e999", "true", "__SEED__", "${x}"])
        | st.lists(st.integers(-3, 9), max_size=3) | st.dictionaries(st.text(max_size=3), st.floats(), max_size=2)
    )  # fmt: skip
    graph[node]["inputs"][name] = value
    path = tmp_path / "made.json"
    path.write_text(json.dumps(graph), "utf-8")
    try:
        read = read_flow_file(path)
    except BadInput as error:
        refused = [str(error), error.remedy]
    else:
        refused = []
    if refused:
        assert all(line and "\n" not in line for line in refused)
        return
    stored = read.flow.graph[node]["inputs"][name]
    assert stored == value or any(f"node {node}" in note for note in read.notes)
