"""Workflows as people have them: with marks that play no role, from templates, from other tools, older and newer."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagewright.errors import BadInput
from imagewright.retrieval.comfy.catalogue import load_catalogue
from imagewright.retrieval.comfy.model import Unconvertible
from imagewright.retrieval.intake import Brought, read_flow_file

Json = dict[str, Any]
Typed = Callable[..., tuple[int, str, str]]
KIND = "workflows"
case = pytest.mark.case


def api_graph() -> Json:
    """The plainest flow, in API format."""
    nodes = {
        "4": ("CheckpointLoaderSimple", {"ckpt_name": "mini"}),
        "6": ("CLIPTextEncode", {"text": "a red circle", "clip": ["4", 1]}),
        "7": ("CLIPTextEncode", {"text": "blurry", "clip": ["4", 1]}),
        "5": ("EmptyLatentImage", {"width": 64, "height": 48, "batch_size": 1}),
        "3": (
            "KSampler",
            {"seed": 7, "steps": 10, "cfg": 2.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0,
             "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]},
        ),
        "8": ("VAEDecode", {"samples": ["3", 0], "vae": ["4", 2]}),
        "9": ("SaveImage", {"images": ["8", 0], "filename_prefix": "out"}),
    }  # fmt: skip
    return {node: {"class_type": kind, "inputs": copy.deepcopy(inputs)} for node, (kind, inputs) in nodes.items()}


VALUES: Json = {
    "4": ["mini"], "6": ["a red circle"], "7": ["blurry"], "5": [64, 48, 1],
    "3": [7, "fixed", 10, 2.0, "euler", "simple", 1.0], "8": None, "9": ["out"],
}  # fmt: skip


def editor_file(graph: Json | None = None) -> Json:
    """The same flow as the editor saves it."""
    graph, links, rows = graph or api_graph(), [], []
    for node, value in graph.items():
        sockets = []
        for name, item in value["inputs"].items():
            if isinstance(item, list):
                links.append([len(links) + 1, int(item[0]), item[1], int(node), len(sockets), "*"])
                sockets.append({"name": name, "type": "*", "link": len(links)})
        outputs = [{"name": kind, "type": kind} for kind in load_catalogue()[value["class_type"]].outputs]
        rows.append(
            {"id": int(node), "type": value["class_type"], "mode": 0, "pos": [0, 0], "inputs": sockets,
             "outputs": outputs, "properties": {}, "widgets_values": copy.deepcopy(VALUES[node])}
        )  # fmt: skip
    return {"version": 0.4, "last_node_id": 9, "nodes": rows, "links": links, "groups": [], "extra": {}}


def node_of(made: Json, number: int) -> Json:
    found: Json = next(row for row in made["nodes"] if row["id"] == number)
    return found


@pytest.fixture
def bring(tmp_path: Path) -> Callable[..., Brought]:
    """Writes a file and reads it as ``flows add`` does."""

    def written(data: object, name: str = "mine.json") -> Brought:
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        return read_flow_file(path)

    return written


# --- parts that play no role ----------------------------------------------------------------


@case("a01", KIND)
def test_nan_in_is_changed_of_a_picture(tmp_path: Path) -> None:
    graph = api_graph()
    graph["3"]["is_changed"] = [float("nan")]
    info = PngInfo()
    info.add_text("prompt", json.dumps(graph))
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    assert read_flow_file(tmp_path / "a.png").flow.graph == api_graph()


@case("a27", KIND)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_nan_in_the_view(bring: Callable[..., Brought], number: str) -> None:
    made = editor_file()
    made["extra"] = {"ds": {"scale": 1, "offset": ["HERE", 0]}}
    node_of(made, 3)["pos"] = ["HERE", 1]
    read = bring(json.dumps(made).replace('"HERE"', number).encode())
    assert {node: value["inputs"] for node, value in read.flow.graph.items()} == {
        node: value["inputs"] for node, value in api_graph().items()
    }


@case("a27", KIND)
def test_nan_where_it_counts_is_named(bring: Callable[..., Brought]) -> None:
    graph = api_graph()
    graph["3"]["inputs"]["cfg"] = float("nan")
    with pytest.raises(BadInput, match=r"node 3 \(KSampler\): cfg is no finite number"):
        bring(graph)
    made = editor_file()
    node_of(made, 3)["widgets_values"][3] = float("inf")
    with pytest.raises(BadInput, match=r"node 3 \(KSampler\): cfg is no finite number"):
        bring(made)


# --- templates ------------------------------------------------------------------------------


@case("a02", KIND)
def test_numbers_as_texts(bring: Callable[..., Brought]) -> None:
    graph = api_graph()
    graph["5"]["inputs"].update(width="64", height=" 48 ")
    graph["3"]["inputs"].update(cfg="2.0", steps="10", seed="7")
    read = bring(graph)
    assert read.flow.graph == api_graph()
    assert "node 5 (EmptyLatentImage): width was the text '64', taken as 64" in read.notes
    assert len(read.notes) == 5


@case("a03", KIND)
@pytest.mark.parametrize("marks", ["%{}%", "{{{{{}}}}}", "${{{}}}"])
def test_placeholders_are_slots(bring: Callable[..., Brought], marks: str) -> None:
    graph = api_graph()
    graph["6"]["inputs"]["text"] = marks.format("prompt")
    graph["7"]["inputs"]["text"] = marks.format("negative_prompt")
    graph["5"]["inputs"]["width"] = marks.format("width")
    graph["3"]["inputs"].update(seed=marks.format("seed"), steps=marks.format("steps"), cfg=marks.format("scale"))
    graph["3"]["inputs"]["sampler_name"] = marks.format("sampler")
    read = bring(graph)
    assert {"positive", "negative", "seed", "steps", "guidance", "width"} <= set(read.flow.card.slots)
    assert read.flow.graph["3"]["inputs"]["steps"] == 20
    assert read.flow.graph["3"]["inputs"]["sampler_name"] == "euler"
    assert len(read.notes) == 7
    assert "%" not in json.dumps(read.flow.graph)


@case("a03", KIND)
def test_a_placeholder_that_no_request_fills_is_refused(bring: Callable[..., Brought]) -> None:
    graph = api_graph()
    graph["4"]["inputs"]["ckpt_name"] = "%model%"
    with pytest.raises(BadInput, match=r"this is a template: node 4 .*placeholder %model% for ckpt_name") as caught:
        bring(graph)
    assert "file's name" in caught.value.remedy


def test_what_is_no_placeholder_stays(bring: Callable[..., Brought]) -> None:
    graph = api_graph()
    graph["10"] = {
        "class_type": "StringReplace",
        "inputs": {"string": "a", "find": "{{prompt}}", "replace": "%prompt%"},
    }
    graph["9"]["inputs"]["filename_prefix"] = "%date:yyyy%/%KSampler.seed%"
    graph["6"]["inputs"]["text"] = "100% wool, 50% off"
    assert bring(graph).flow.graph == graph


# --- links and nodes that only the editor knows -----------------------------------------------


def everywhere() -> Json:
    """The plain flow, whose model, clip and vae reach their places through node 20."""
    made = editor_file()
    made["nodes"].append(
        {
            "id": 20,
            "type": "Anything Everywhere3",
            "mode": 0,
            "inputs": [{"name": "anything", "type": "MODEL", "link": 90}],
        }
    )
    made["links"] = [row for row in made["links"] if row[1] != 4] + [[90, 4, 0, 20, 0, "MODEL"]]
    rows = []
    for target, slot, origin, kind in ((3, 0, 0, "MODEL"), (6, 0, 1, "CLIP"), (7, 0, 1, "CLIP"), (8, 1, 2, "VAE")):
        node_of(made, target)["inputs"][slot]["link"] = None
        rows.append({"downstream": target, "downstream_slot": slot, "upstream": "4", "upstream_slot": origin,
                     "controller": 20, "type": kind})  # fmt: skip
    made["extra"] = {"ue_links": rows}
    return made


@case("a04", KIND)
def test_links_of_use_everywhere(bring: Callable[..., Brought]) -> None:
    read = bring(everywhere())
    assert {node: value["inputs"] for node, value in read.flow.graph.items()} == {
        node: value["inputs"] for node, value in api_graph().items()
    }
    assert read.notes == ["node 20 (Anything Everywhere3): its 4 links are those of extra.ue_links"]
    assert read.skipped == []


@case("a04", KIND)
def test_links_that_the_file_lost_are_named(bring: Callable[..., Brought]) -> None:
    made = everywhere()
    made["extra"] = {}
    with pytest.raises(BadInput, match=r"node 20 \(Anything Everywhere3\) makes links that the file does not hold"):
        bring(made)


def grouped(values: list[Any]) -> Json:
    """The plain flow with a group node, 1, for both texts and the latent."""
    made = editor_file()
    made["nodes"] = [row for row in made["nodes"] if row["id"] not in (6, 7, 5)]
    made["links"] = [row for row in made["links"] if not {row[1], row[3]} & {6, 7, 5}]
    inner = [
        {"type": "CLIPTextEncode", "index": n, "inputs": [{"name": "clip", "type": "CLIP", "link": None}],
         "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING"}], "widgets_values": [f"inside {n}"]}
        for n in range(2)
    ]  # fmt: skip
    inner.append(
        {"type": "EmptyLatentImage", "index": 2, "inputs": [], "outputs": [{"name": "LATENT", "type": "LATENT"}],
         "widgets_values": [32, 32, 1]}
    )  # fmt: skip
    made["nodes"].append(
        {"id": 1, "type": "workflow/Texts", "mode": 0, "widgets_values": values, "properties": {},
         "inputs": [{"name": name, "type": "CLIP", "link": link}
                    for name, link in (("clip", 91), ("CLIPTextEncode 2 clip", 92))],
         "outputs": [{"name": k, "type": k} for k in ("CONDITIONING", "CONDITIONING", "LATENT")]}
    )  # fmt: skip
    made["links"] += [[91, 4, 1, 1, 0, "CLIP"], [92, 4, 1, 1, 1, "CLIP"]]
    for slot, (name, origin) in enumerate((("positive", 0), ("negative", 1), ("latent_image", 2)), 1):
        socket = node_of(made, 3)["inputs"][slot]
        assert socket["name"] == name
        socket["link"] = 92 + slot
        made["links"].append([92 + slot, 1, origin, 3, slot, "*"])
    made["extra"] = {"groupNodes": {"Texts": {"nodes": inner, "links": [], "external": []}}}
    return made


@case("a05", KIND)
def test_a_group_node_unfolds(bring: Callable[..., Brought]) -> None:
    graph = bring(grouped(["a red circle", "blurry", 64, 48, 1])).flow.graph
    assert graph["1:0"]["inputs"] == {"text": "a red circle", "clip": ["4", 1]}
    assert graph["1:1"]["inputs"] == {"text": "blurry", "clip": ["4", 1]}
    assert graph["1:2"]["inputs"] == {"width": 64, "height": 48, "batch_size": 1}
    sampler = graph["3"]["inputs"]
    assert [sampler[name][0] for name in ("positive", "negative", "latent_image")] == ["1:0", "1:1", "1:2"]


@case("a05", KIND)
def test_a_group_node_that_cannot_be_told_apart_is_named(bring: Callable[..., Brought]) -> None:
    with pytest.raises(BadInput, match=r"node 1 \(workflow/Texts\).* has 4 values for 5 places"):
        bring(grouped(["a red circle", "blurry", 64, 48]))
    made = grouped([])
    made["extra"] = {}
    with pytest.raises(BadInput, match=r"extra\.groupNodes does not define") as caught:
        bring(made)
    assert "--comfyui" not in caught.value.remedy


# --- containers and names -------------------------------------------------------------------


@case("a13", KIND)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda graph: {"0f0f": {"prompt": [3, "0f0f", graph, {"client_id": "c"}, ["9"]], "outputs": {}}},
        lambda graph: {"prompt": [3, "0f0f", graph, {}, ["9"]], "outputs": {}, "status": {"completed": True}},
        lambda graph: [3, "0f0f", graph, {}, ["9"]],
        lambda graph: {"queue_running": [], "queue_pending": [[3, "0f0f", graph, {}, ["9"]]]},
        lambda graph: {"prompt": graph, "client_id": "c", "extra_data": {"extra_pnginfo": {"workflow": editor_file()}}},
        lambda graph: {"output": graph},
    ],
)
def test_requests_and_rows_as_they_come(bring: Callable[..., Brought], wrap: Callable[[Json], object]) -> None:
    assert bring(wrap(api_graph())).flow.graph == api_graph()


@case("a13", KIND)
def test_a_history_of_several_runs_is_refused(bring: Callable[..., Brought]) -> None:
    rows = {name: {"prompt": [1, name, api_graph(), {}, []]} for name in ("a", "b")}
    with pytest.raises(BadInput, match="holds 2 runs"):
        bring(rows)


@case("a15", KIND)
def test_names_in_any_script_stay_apart(bring: Callable[..., Brought]) -> None:
    names = ["水墨山水", "赛博朋克城市", "Зимний лес", "غروب", "हिन्दी चित्र", "Été à Paris"]
    ids = [bring(api_graph(), f"{name}.json").flow.id for name in names]
    assert ids == ["水墨山水", "赛博朋克城市", "зимний-лес", "غروب", "हिन्दी-चित्र", "été-à-paris"]


@case("a16", KIND)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32", "utf-8"])
def test_encodings_of_editors(bring: Callable[..., Brought], encoding: str) -> None:
    graph = api_graph()
    graph["6"]["inputs"]["text"] = "水墨山水 é"
    assert bring(json.dumps(graph, ensure_ascii=False).encode(encoding)).flow.graph == graph


@case("a16", KIND)
def test_other_encodings_are_refused_with_a_remedy(bring: Callable[..., Brought]) -> None:
    with pytest.raises(BadInput, match="is not text in UTF-8 or UTF-16") as caught:
        bring(json.dumps({"a": "é"}, ensure_ascii=False).encode("latin-1"))
    assert "save it as UTF-8" in caught.value.remedy


# --- newer nodes ----------------------------------------------------------------------------


@case("a30", KIND)
def test_values_of_a_newer_node_do_not_shift(bring: Callable[..., Brought]) -> None:
    made = editor_file()
    latent = node_of(made, 5)
    latent["inputs"] = [
        {"name": n, "type": "INT", "link": None, "widget": {"name": n}} for n in ("unit", "width", "height")
    ]
    latent["widgets_values"] = [8, 64, 48, 1]
    with pytest.raises(
        Unconvertible, match=r"node 5 \(EmptyLatentImage\) has a value that the catalogue does not know"
    ):
        bring(made)
    latent["inputs"] = []
    latent["widgets_values"] = ["pixels", 64, 48, 1]
    with pytest.raises(Unconvertible, match="'pixels' where the number width belongs"):
        bring(made)


@case("a30", KIND)
def test_values_with_names_are_read_by_them(bring: Callable[..., Brought]) -> None:
    made = editor_file()
    named = {"unit": "pixels", "width": 64, "height": 48, "batch_size": 1}
    node_of(made, 5).update(widgets_values=list(named.values()), widgets_values_named=named)
    read = bring(made)
    assert read.flow.graph["5"]["inputs"] == named
    assert read.notes == [
        "node 5 (EmptyLatentImage) is newer than the catalogue; its values were read by the names in the file"
    ]


@case("a30", KIND)
def test_a_value_behind_all_others_is_left_out_and_said(bring: Callable[..., Brought]) -> None:
    made = editor_file()
    latent = node_of(made, 5)
    names = ("width", "height", "batch_size", "unit")
    latent["inputs"] = [{"name": n, "type": "INT", "link": None, "widget": {"name": n}} for n in names]
    latent["widgets_values"] = [64, 48, 1, "pixels"]
    read = bring(made)
    assert read.flow.graph["5"]["inputs"] == {"width": 64, "height": 48, "batch_size": 1}
    assert read.notes == ["node 5 (EmptyLatentImage): unit is left out: the catalogue does not know it"]


# --- the command -----------------------------------------------------------------------------


@case("a99", KIND)
def test_the_command_ends_in_0_or_2(
    tmp_path: Path, typed: Callable[..., Typed], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "brought"
    folder.mkdir()
    made: list[Any] = [
        api_graph(),
        editor_file(),
        everywhere(),
        grouped([1]),
        [],
        {"nodes": [{}]},
        {"extra": float("nan")},
    ]
    for number, data in enumerate(made):
        (folder / f"{number}.json").write_text(json.dumps(data))
    code, out, err = typed(capsys)("flows", "add", str(folder), "--json")
    assert code == 2
    assert [flow["id"] for flow in json.loads(out)["flows"]] == ["0", "1", "2"]
    assert "a bug of ours" not in err
