"""A picture in the terminal: each protocol's bytes hold the picture, and the right one is taken."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from PIL import Image

from imagewright.cli.terminal.preview import encode_preview, protocol


@pytest.fixture
def png(tmp_path: Path) -> Path:
    """Left half red, right half blue."""
    image = Image.new("RGB", (64, 64), "red")
    image.paste((0, 0, 255), (32, 0, 64, 64))
    image.save(tmp_path / "p.png")
    return tmp_path / "p.png"


@pytest.mark.parametrize(
    ("environ", "encoding", "expected"),
    [
        ({"TERM": "xterm-kitty"}, "utf-8", "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "utf-8", "iterm"),
        ({"TERM": "foot"}, "utf-8", "sixel"),
        ({"TERM": "xterm-256color"}, "utf-8", "blocks"),
        ({"TERM": "xterm-kitty", "TMUX": "1"}, "utf-8", "blocks"),
        ({"TERM": "xterm"}, "latin-1", "none"),
        ({"TERM": "dumb"}, "utf-8", "none"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "utf-8", "none"),
        ({"TERM": "xterm", "IMAGEWRIGHT_PREVIEW": "sixel"}, "utf-8", "sixel"),
    ],
)
def test_the_terminal_s_own_protocol_is_taken(environ: dict[str, str], encoding: str, expected: str) -> None:
    assert protocol(environ, encoding) == expected


def test_kitty_and_iterm_get_the_file_itself(png: Path) -> None:
    parts = re.findall(r"\x1b_G[^;]*;([^\x1b]*)\x1b\\", encode_preview(png, "kitty"))
    assert base64.b64decode("".join(parts)) == png.read_bytes()
    data = encode_preview(png, "iterm").partition(":")[2].rstrip("\a\n")
    assert base64.b64decode(data) == png.read_bytes()


def test_blocks_have_the_picture_s_colours(png: Path) -> None:
    first = encode_preview(png, "blocks").split("\n")[0]
    assert first.count("▀") == 32
    assert first.startswith("\x1b[38;2;255;0;0;48;2;255;0;0m▀")
    assert first.endswith("\x1b[38;2;0;0;255;48;2;0;0;255m▀\x1b[0m")


def test_sixels_draw_every_pixel_once(png: Path) -> None:
    text = encode_preview(png, "sixel")
    head = re.match(r'\x1bPq"1;1;(\d+);(\d+)', text)
    assert head
    assert (int(head[1]), int(head[2])) == (256, 256)
    body = text.removesuffix("\x1b\\\n")
    bands = re.sub(r"#\d+;2;[\d;]+", "", body[head.end() :]).split("-")
    assert len(bands) == -(-256 // 6)
    lines = re.findall(r"#\d+((?:!\d+[?-~]|[?-~])+)", bands[0])
    drawn = 0
    for line in lines:
        for count, sign in re.findall(r"!?(\d*)([?-~])", line):
            drawn += int(count or 1) * (ord(sign) - 63).bit_count()
    assert drawn == 256 * 6
