"""Files of every kind, and files that mean harm."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagewright.errors import BadInput
from imagewright.retrieval.comfy.catalogue import Catalogue
from imagewright.retrieval.comfy.png import SIGNATURE, workflow_texts
from imagewright.retrieval.comfy.read import read_workflow

API = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 8}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
}


def chunk(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return size.to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def png(*chunks: bytes, end: bool = True) -> bytes:
    return (
        SIGNATURE
        + chunk(b"IHDR", b"\0\0\0\1\0\0\0\1\x08\0\0\0\0")
        + b"".join(chunks)
        + (chunk(b"IEND", b"") if end else b"")
    )


def saved(path: Path, **texts: str) -> Path:
    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGB", (2, 2)).save(path, pnginfo=info)
    return path


def test_api_files(tmp_path: Path, catalogue: Catalogue) -> None:
    path = tmp_path / "a.json"
    for data in (API, {"prompt": API}):
        path.write_text(json.dumps(data))
        assert read_workflow(path, catalogue).graph == API


def test_editor_files(tmp_path: Path, catalogue: Catalogue, plain_flow: Any) -> None:
    made = plain_flow().json()
    path = tmp_path / "a.json"
    path.write_text(json.dumps(made))
    read = read_workflow(path, catalogue)
    assert read.graph["3"]["inputs"]["positive"] == ["6", 0]
    assert read.workflow == made


def test_pictures_prefer_the_prompt_that_ran(tmp_path: Path, catalogue: Catalogue, plain_flow: Any) -> None:
    workflow = json.dumps(plain_flow().json())
    read = read_workflow(saved(tmp_path / "both.png", prompt=json.dumps(API), workflow=workflow), catalogue)
    assert read.graph == API
    assert read.workflow == json.loads(workflow)
    assert "3" in read_workflow(saved(tmp_path / "one.png", workflow=workflow), catalogue).graph
    assert "3" in read_workflow(saved(tmp_path / "nan.png", prompt='{"a": NaN}', workflow=workflow), catalogue).graph
    assert read_workflow(saved(tmp_path / "stub.png", prompt=json.dumps(API), workflow="{}"), catalogue).graph == API


@pytest.mark.parametrize(
    "body",
    [
        chunk(b"tEXt", b"prompt\0" + json.dumps(API).encode()),
        chunk(b"zTXt", b"prompt\0\0" + zlib.compress(json.dumps(API).encode())),
        chunk(b"iTXt", b"prompt\0\0\0\0\0" + json.dumps(API).encode()),
        chunk(b"iTXt", b"prompt\0\1\0en\0\0" + zlib.compress(json.dumps(API).encode())),
    ],
)
def test_every_kind_of_text_chunk(catalogue: Catalogue, body: bytes) -> None:
    assert read_workflow(png(body), catalogue).graph == API


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png(), "no ComfyUI workflow"),
        (png(chunk(b"tEXt", b"parameters\0a fox")), "no ComfyUI workflow"),
        (png(chunk(b"tEXt", b"prompt\0{}"), end=False), "cut off"),
        (png(chunk(b"tEXt", b"prompt\0{}", 2**31)), "cut off"),
        (png(chunk(b"tEXt", b"prompt\0{}")[:-1] + b"x"), "damaged|cut off"),
        (png(chunk(b"zTXt", b"prompt\0\0" + zlib.compress(b" " * 50_000_000))), "larger than 10 MB"),
        (png(chunk(b"zTXt", b"prompt\0\0nonsense")), "damaged"),
        (png(chunk(b"tEXt", b"prompt\0{")), "not whole JSON"),
        (png(chunk(b"tEXt", b"workflow\0{")), "not whole JSON"),
        (SIGNATURE, "cut off"),
        (b"", "not whole JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested"),
        (b'{"nodes":[' + b'{"id":1,"type":"Note"},' * 400_000 + b"{}]}", "far too many|larger"),
        (b'{"nodes":[' + b",".join([b"{}"] * 1_000_000) + b"]}", "far too many"),
        (b"[" + b"0," * 2_000_000 + b"0]", "far too many"),
        (b"{}", "an empty object"),
        (b"3", "number"),
    ],
)
def test_bombs_and_broken_files_are_refused(catalogue: Catalogue, data: bytes, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_workflow(data, catalogue)


def test_not_a_png() -> None:
    with pytest.raises(BadInput, match="not a PNG"):
        workflow_texts(b"GIF89a")


def test_missing_and_oversized_files(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        read_workflow(tmp_path / "nowhere.json", catalogue)
    (tmp_path / "big.json").write_bytes(b" " * 10_000_001)
    with pytest.raises(BadInput, match="larger than 10 MB"):
        read_workflow(tmp_path / "big.json", catalogue)


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("api_key", "anything", ""),
        ("auth_token", "anything", ""),
        ("text", "use sk-abcdefghijklmnopqrstuvwx now", "use  now"),
        ("text", "hf_abcdefghijklmnopqrstuvwx", ""),
        ("headers", {"Authorization": "Bearer abcdefghijklmnopqrstuvwx"}, {"Authorization": ""}),
        ("extra", {"token": "x", "n": [1, "r8_abcdefghijklmnopqrstuvwx"]}, {"token": "", "n": [1, ""]}),
    ],
)
def test_keys_are_dropped_and_said(catalogue: Catalogue, name: str, value: object, left: object) -> None:
    graph = {"1": {"class_type": "Ask", "inputs": {name: value}}}
    read = read_workflow(json.dumps(graph).encode(), catalogue)
    assert read.graph["1"]["inputs"][name] == left
    assert read.notes == [f"node 1: what looks like a key in {name!r} was dropped"]


@pytest.mark.parametrize(
    ("name", "value"), [("token_normalization", "none"), ("max_tokens", 7), ("text", "a task-board, hf_x"), ("seed", 1)]
)
def test_what_is_no_key_stays(catalogue: Catalogue, name: str, value: object) -> None:
    read = read_workflow(json.dumps({"1": {"class_type": "Ask", "inputs": {name: value}}}).encode(), catalogue)
    assert read.graph["1"]["inputs"][name] == value
    assert read.notes == []


def test_a_circle_of_links(catalogue: Catalogue, plain_flow: Callable[..., Any]) -> None:
    made = plain_flow()
    made.nodes[1]["inputs"] = []
    made.link(9, 0, 6, "clip", "CLIP")
    made.nodes[6]["outputs"] = [{"name": "CLIP", "type": "CLIP"}]
    with pytest.raises(BadInput, match="circle"):
        read_workflow(json.dumps(made.json()).encode(), catalogue)
