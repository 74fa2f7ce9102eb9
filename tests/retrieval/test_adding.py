"""Files, folders and pictures into an index."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagewright.errors import BadInput
from imagewright.retrieval.adding import BATCH, Added, AlreadyThere, Refused, add_files, files_below
from imagewright.retrieval.comfy.catalogue import Catalogue, load_catalogue
from imagewright.retrieval.index import FlowIndex


def write(folder: Path, name: str, data: object) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def picture(path: Path, **texts: object) -> Path:
    chunks = PngInfo()
    for key, value in texts.items():
        chunks.add_text(key, json.dumps(value))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path, pnginfo=chunks)
    return path


def test_a_folder_stands_for_its_json_and_png_files_once(tmp_path: Path) -> None:
    wanted = [write(tmp_path, "a.json", {}), picture(tmp_path / "b" / "c.PNG"), write(tmp_path, "d.json", {})]
    write(tmp_path, ".hidden.json", {})
    (tmp_path / "e.txt").write_text("")
    assert files_below([tmp_path, wanted[0]]) == sorted(wanted)
    assert files_below([tmp_path / "e.txt"]) == [tmp_path / "e.txt"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"no \.json or \.png file"):
        files_below([tmp_path / "empty"])


def test_files_fail_one_by_one_and_ids_stay_apart(tmp_path: Path, kit: ModuleType, index: FlowIndex) -> None:
    index.add(kit.flow("a", steps=3))
    files = [
        write(tmp_path, "a.json", kit.graph()),
        write(tmp_path, "b.json", []),
        write(tmp_path, "other/A.json", kit.graph()),
        tmp_path / "none.json",
        picture(tmp_path / "p.png", prompt=kit.graph(steps=21)),
        picture(tmp_path / "bare.png"),
    ]
    told = list(add_files(index, files, load_catalogue()))
    assert [each.path for each in told] == files
    stored = [each.flow for each in told if isinstance(each, Added)]
    assert [flow.id for flow in stored] == ["a-2", "p"]
    again = [each for each in told if isinstance(each, AlreadyThere)]
    assert [(each.path.name, each.flow.id) for each in again] == [("A.json", "a-2")]
    refused = [each for each in told if isinstance(each, Refused)]
    assert [each.path.name for each in refused] == ["b.json", "none.json", "bare.png"]
    assert "JSON list" in str(refused[0].error)
    assert [flow.id for flow in index.list()] == ["a", "a-2", "p"]


def test_replace_takes_the_place_of_the_old_flow(tmp_path: Path, kit: ModuleType, index: FlowIndex) -> None:
    path = write(tmp_path, "a.json", kit.graph(steps=3))
    for _ in range(2):
        assert len(list(add_files(index, [path], load_catalogue(), replace=True))) == 1
    assert [flow.id for flow in index.list()] == ["a"]


def test_a_workflow_of_the_editor_brings_its_title_addresses_and_packs(tmp_path: Path, index: FlowIndex) -> None:
    model = {"name": "x.safetensors", "directory": "checkpoints", "url": "https://example.org/x.safetensors"}
    nodes: list[dict[str, Any]] = [
        {"id": 1, "type": "CheckpointLoaderSimple", "widgets_values": ["x.safetensors"],
         "outputs": [{"name": "MODEL", "type": "MODEL"}], "properties": {"models": [model]}},
        {"id": 2, "type": "Fancy Saver", "inputs": [{"name": "model", "type": "MODEL", "link": 1}],
         "widgets_values": {"note": "x", "api_key": "sk-0123456789abcdefghij"}, "properties": {"cnr_id": "fancy-pack"}},
        {"id": 3, "type": "SaveImage", "mode": 4},
    ]  # fmt: skip
    workflow = {"nodes": nodes, "links": [[1, 1, 0, 2, 0, "MODEL"]], "extra": {"info": {"name": "Fancy\x1b[31m flow"}}}
    (told,) = add_files(index, [write(tmp_path, "workflow (2).json", workflow)], load_catalogue())
    assert isinstance(told, Added)
    card = index.get(told.flow.id).card
    assert card.title == "Fancy [31m flow"
    assert [(file.folder, file.name, file.url) for file in card.models] == [
        ("checkpoints", "x.safetensors", "https://example.org/x.safetensors")
    ]
    assert card.packs == {"Fancy Saver": "fancy-pack"}
    assert told.skipped == ("node 3 (SaveImage) is bypassed",)
    assert any("api_key" in note for note in told.notes)
    assert "sk-0123456789abcdefghij" not in json.dumps(index.get(told.flow.id).model_dump())


def test_a_node_in_the_way_is_named_and_a_server_that_knows_it_helps(tmp_path: Path, index: FlowIndex) -> None:
    nodes = [{"id": 1, "type": "Sparkle", "widgets_values": [5]}]
    path = write(tmp_path, "s.json", {"nodes": nodes, "links": []})
    (refused,) = add_files(index, [path], load_catalogue())
    assert isinstance(refused, Refused)
    assert refused.reasons == ("node 1 (Sparkle) is not in the catalogue of nodes",)
    info = {"Sparkle": {"input": {"required": {"strength": ["INT", {"default": 1}]}}, "output_node": True}}
    (told,) = add_files(index, [path], Catalogue.from_object_info(info).over(load_catalogue()))
    assert isinstance(told, Added)
    assert told.flow.graph["1"]["inputs"] == {"strength": 5}


def test_more_files_than_one_batch(tmp_path: Path, kit: ModuleType, index: FlowIndex) -> None:
    files = [write(tmp_path, f"{n:03}.json", kit.graph(steps=n + 1)) for n in range(BATCH + 3)]
    told = list(add_files(index, files, load_catalogue()))
    assert [each.path for each in told] == files
    assert len(index.list()) == BATCH + 3


def test_what_is_there_is_told_and_not_added_again(tmp_path: Path, kit: ModuleType, index: FlowIndex) -> None:
    files = [write(tmp_path, f"{n}/same name.json", kit.graph(steps=1 + n % 20)) for n in range(60)]
    first = list(add_files(index, files, load_catalogue()))
    assert [type(each) for each in first] == [Added] * 20 + [AlreadyThere] * 40
    generation = index.generation
    assert [type(each) for each in add_files(index, files, load_catalogue())] == [AlreadyThere] * 60
    assert index.generation == generation
    assert {flow.id for flow in index.list()} == {"same-name", *(f"same-name-{n}" for n in range(2, 21))}


def test_a_folder_that_is_killed_again_and_again_is_stored_once(
    tmp_path: Path, kit: ModuleType, index: FlowIndex, process: Callable[..., subprocess.Popen[str]]
) -> None:
    rng, kills = random.Random(4), 0
    for number in range(150):
        steps = 1 + number % 120  # thirty are there twice, under another name: twins
        write(tmp_path / "made", f"{number:03}.json", kit.graph(steps=steps))
        write(tmp_path / "made" / "again", f"{number:03}.json", kit.graph(steps=steps))
    while True:
        adding = process("folder", str(tmp_path / "made"))
        assert adding.stdout is not None
        adding.stdout.readline()
        time.sleep(rng.random() * 0.3)
        if kills < 5 and adding.poll() is None:
            adding.kill()
            kills += adding.wait() < 0
        else:
            adding.communicate()
            assert adding.returncode == 0
            break
    assert kills
    assert [flow.id for flow in index.list()] == [f"{number:03}" for number in range(150)]
    assert sum(flow.card.duplicate_of is not None for flow in index.list()) == 30
    assert index.mirror_ids("flows") == {flow.id for flow in index.list()}


def test_an_edited_card_is_found_by_its_new_words(kit: ModuleType, index: FlowIndex) -> None:
    for name in ("plain", "other"):
        index.add(kit.flow(name))
    edited = index.edit("plain", lambda flow: flow.card.model_copy(update={"title": "Watercolour castles"}))
    assert edited.graph == index.get("plain").graph
    assert index.search("castles", 1)[0][0] == "plain"
    with pytest.raises(BadInput, match="no flow is called 'plane'"):
        index.edit("plane", lambda flow: flow.card)
