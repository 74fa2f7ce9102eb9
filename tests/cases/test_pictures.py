"""Pictures as cameras and tools write them: the right pixels, or one line with a remedy that helps."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagewright.errors import BadInput
from imagewright.t2i_backends.pictures.inputs import read_picture

KIND = "pictures"
case = pytest.mark.case
SIZE = (24, 16)


def sample(mode: str = "RGB") -> Image.Image:
    """Red above and to the left, blue below and to the right, green in the corner."""
    image = Image.new("RGB", SIZE, (200, 30, 30))
    image.paste((30, 30, 200), (12, 8, 24, 16))
    image.paste((30, 200, 30), (0, 12, 4, 16))
    return image.convert(mode)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return data[:33] + chunk(kind, body) + data[33:]


def read(folder: Path, data: bytes, name: str = "mine.png") -> Image.Image:
    (folder / name).write_bytes(data)
    return read_picture(folder / name)


def same(one: Image.Image, other: Image.Image, within: int = 0) -> bool:
    difference = np.abs(np.asarray(one, dtype=int) - np.asarray(other.convert(one.mode), dtype=int))
    return one.size == other.size and int(difference.max()) <= within


# --- broken metadata ------------------------------------------------------------------------


@case("d02", KIND)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Tag data", "ignore:Truncated")
@pytest.mark.parametrize("cut", [6, 12, 20, 30, 44])
def test_a_jpeg_with_broken_camera_data(tmp_path: Path, cut: int) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0131] = "maker " * 10, "software " * 10
    whole = saved(sample(), "JPEG", quality=95, subsampling=0, exif=exif.tobytes()[:cut] + b"\xff" * 40)
    assert same(read(tmp_path, whole, "a.jpg"), Image.open(io.BytesIO(whole)).convert("RGB"))


@case("d02", KIND)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_that_was_held_another_way(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turns = [None, 0, 3, 1, 5, 4, 6, 2]
    turn = turns[orientation - 1]
    expected = sample() if turn is None else sample().transpose(Image.Transpose(turn))
    found = read(tmp_path, saved(sample(), exif=exif))
    back = found if turn is None else found.transpose(Image.Transpose({2: 4, 4: 2}.get(turn, turn)))
    assert same(back, sample())
    assert found.size == expected.size


@case("d03", KIND)
@pytest.mark.parametrize("body", [b"", b"nonsense", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"])
def test_a_png_with_a_bad_exif_chunk(tmp_path: Path, body: bytes) -> None:
    assert same(read(tmp_path, with_chunk(saved(sample()), b"eXIf", body)), sample())


@case("d15", KIND)
@pytest.mark.parametrize("body", [b"", b"x\0\0nonsense", b"x\0\0" + zlib.compress(b" " * 3_000_000)])
def test_a_png_with_a_bad_profile(tmp_path: Path, body: bytes) -> None:
    assert same(read(tmp_path, with_chunk(saved(sample()), b"iCCP", body)), sample())


@case("d20", KIND)
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"tEXt"])
def test_a_png_with_a_large_workflow(tmp_path: Path, kind: bytes) -> None:
    text = b'{"nodes": [' + b"0," * 2_000_000 + b"0]}"
    bodies = {
        b"zTXt": b"workflow\0\0" + zlib.compress(text),
        b"iTXt": b"workflow\0\1\0\0\0" + zlib.compress(text),
        b"tEXt": b"workflow\0" + text,
    }
    assert same(read(tmp_path, with_chunk(saved(sample()), kind, bodies[kind])), sample())


@case("d20", KIND)
def test_a_png_with_very_many_texts(tmp_path: Path) -> None:
    info = PngInfo()
    for number in range(300):
        info.add_text(f"key {number}", "x" * 300_000, zip=True)
    assert same(read(tmp_path, saved(sample(), pnginfo=info)), sample())


# --- cut, empty, other ------------------------------------------------------------------------


@case("d11", KIND)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_cut_files(tmp_path: Path, kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    whole = saved(noise, kind)
    for share in (0.02, 0.3, 0.6, 0.9):
        with pytest.raises(BadInput, match=r"cut off|not whole|no picture") as caught:
            read(tmp_path, whole[: int(len(whole) * share)])
        assert "again" in caught.value.remedy or "whole" in caught.value.remedy


@case("d08", KIND)
@pytest.mark.parametrize(
    ("data", "what"),
    [
        (saved(sample(), "GIF"), "a GIF"),
        (saved(sample(), "BMP"), "a BMP"),
        (saved(sample(), "TIFF"), "a TIFF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "an AVIF"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"<svg xmlns='x'/>", "an SVG"),
        (b"", "empty"),
        (b"hello", "no picture"),
    ],
)
def test_other_files_are_named(tmp_path: Path, data: bytes, what: str) -> None:
    with pytest.raises(BadInput, match=what) as caught:
        read(tmp_path, data)
    assert caught.value.remedy


# --- modes and depths -------------------------------------------------------------------------


@case("d05", KIND)
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_modes_of_png(tmp_path: Path, mode: str) -> None:
    image = sample(mode)
    assert same(read(tmp_path, saved(image)), image)


@case("d05", KIND)
def test_grey_of_16_bits_is_scaled(tmp_path: Path) -> None:
    values = (np.arange(24 * 16, dtype=np.uint16) * 170).reshape(16, 24)
    found = np.asarray(read(tmp_path, saved(Image.fromarray(values))))
    assert np.abs(found[..., 0] - values / 257).max() <= 0.5
    assert (found[..., 0] == found[..., 2]).all()


@case("d05", KIND)
@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_one_transparent_colour(tmp_path: Path, mode: str) -> None:
    image = sample(mode)
    found = read(tmp_path, saved(image, transparency=image.getpixel((0, 0))))
    assert found.mode == "RGBA"
    assert {0, 255} == set(np.asarray(found.getchannel("A")).ravel().tolist())


@case("d05", KIND)
def test_a_transparent_grey_of_16_bits(tmp_path: Path) -> None:
    values = (np.arange(24 * 16, dtype=np.uint16) * 170).reshape(16, 24)
    found = read(tmp_path, with_chunk(saved(Image.fromarray(values)), b"tRNS", (1700).to_bytes(2, "big")))
    alpha = np.asarray(found.getchannel("A"))
    assert alpha.reshape(-1)[10] == 0
    assert int((alpha == 0).sum()) == 1


@case("d15", KIND)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_modes_of_jpeg(tmp_path: Path, mode: str) -> None:
    image = sample(mode)
    assert same(read(tmp_path, saved(image, "JPEG", quality=100, subsampling=0), "a.jpg"), image.convert("RGB"), 12)


# --- made-up pictures -------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_pictures(tmp_path: Path, data: st.DataObject) -> None:
    """Read, or refused in one line with a remedy."""
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP"]))
    mode = data.draw(st.sampled_from(["RGB", "RGBA", "L", "P", "1", "I;16"] if kind == "PNG" else ["RGB"]))
    image = sample("L").convert("I;16") if mode == "I;16" else sample(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    made = bytearray(saved(image, kind, exif=exif))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(made) - 1), st.integers(0, 255)), max_size=6)):
        made[place] = value
    made = made[: data.draw(st.integers(0, len(made)))] if data.draw(st.booleans()) else made
    try:
        found = read(tmp_path, bytes(made))
    except BadInput as error:
        refused = [str(error), error.remedy]
    else:
        refused = []
        assert found.mode in ("RGB", "RGBA")
    assert all(line and "\n" not in line for line in refused)
