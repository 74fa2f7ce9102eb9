"""Workflows in WebP and JPEG: read where one is, else one true line; and nothing that a broken file can do."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagewright.errors import BadInput
from imagewright.retrieval.comfy.catalogue import Catalogue
from imagewright.retrieval.comfy.exif import exif_texts
from imagewright.retrieval.comfy.read import read_workflow

GRAPH = {"1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "mini — größer"}}}
WORKFLOW: dict[str, Any] = {"nodes": [], "links": [], "extra": {"info": {"name": "Ink"}}}
MODEL, MAKE, DESCRIPTION, CAMERA, COMMENT = 0x0110, 0x010F, 0x010E, 0x8769, 0x9286


def picture(path: Path, tags: dict[int, str] | None = None, comment: bytes = b"") -> Path:
    exif = Image.Exif()
    for tag, text in (tags or {}).items():
        exif[tag] = text
    if comment:
        exif.get_ifd(CAMERA)[COMMENT] = comment
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    more: dict[str, Any] = {"save_all": True, "append_images": frames[1:]} if path.suffix == ".webp" else {}
    frames[0].save(path, exif=exif, **more)
    return path


@pytest.mark.parametrize("suffix", [".webp", ".jpg"])
def test_what_comfyui_writes_is_read(suffix: str, tmp_path: Path, catalogue: Catalogue) -> None:
    tags = {MODEL: f"prompt:{json.dumps(GRAPH)}", MAKE: f"workflow:{json.dumps(WORKFLOW)}"}
    read = read_workflow(picture(tmp_path / f"a{suffix}", tags), catalogue)
    assert read.graph == GRAPH
    assert read.workflow == WORKFLOW


@pytest.mark.parametrize(
    "comment",
    [
        b"ASCII\0\0\0Prompt:" + json.dumps(GRAPH).encode(),
        b"UNICODE\0" + f"prompt: {json.dumps(GRAPH, ensure_ascii=False)}".encode("utf-16-le"),
        bytes(8) + f"prompt:{json.dumps(GRAPH, ensure_ascii=False)}".encode(),
    ],
)
@pytest.mark.parametrize("suffix", [".webp", ".jpg"])
def test_the_comment_of_other_savers_is_read(comment: bytes, suffix: str, tmp_path: Path, catalogue: Catalogue) -> None:
    path = picture(tmp_path / f"a{suffix}", comment=comment)
    data = path.read_bytes()
    if b"MM\0*" in data and comment.startswith(b"UNICODE"):  # the picture's byte order is the comment's
        path = picture(path, comment=b"UNICODE\0" + comment[8:].decode("utf-16-le").encode("utf-16-be"))
    assert read_workflow(path, catalogue).graph == GRAPH


@pytest.mark.parametrize("suffix", [".webp", ".jpg", ".gif", ".bmp", ".tiff", ".avif"])
def test_a_picture_without_one_is_called_what_it_is(suffix: str, tmp_path: Path, catalogue: Catalogue) -> None:
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (8, 8)).save(path)
    with pytest.raises(BadInput, match=r"the file is an? \w+, and it carries no ComfyUI workflow") as caught:
        read_workflow(path, catalogue)
    assert "PNG" in caught.value.remedy


def test_one_that_carries_something_broken_is_refused_in_words(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(BadInput, match="JSON"):
        read_workflow(picture(tmp_path / "a.webp", {MODEL: 'prompt:{"1": '}), catalogue)


@pytest.mark.parametrize("suffix", [".webp", ".jpg"])
def test_no_harm_to_the_bytes_ends_otherwise_than_in_words(suffix: str, tmp_path: Path) -> None:
    tags = {MODEL: f"prompt:{json.dumps(GRAPH)}", DESCRIPTION: "workflow:{}"}
    whole, rng = picture(tmp_path / f"a{suffix}", tags, b"ASCII\0\0\0prompt:{}").read_bytes(), random.Random(3)
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(12, len(data))] = rng.choice((0, 255, rng.randrange(256)))
        cut = bytes(data[: rng.randrange(13, len(data) + 1)])
        try:
            found = exif_texts(cut)
        except BadInput:
            continue
        assert set(found) <= {"prompt", "workflow"}
