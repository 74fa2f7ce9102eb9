"""A picture in the terminal: kitty's, iTerm2's or sixel's protocol where the terminal has one, else blocks."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imagewright.cli.terminal.text import is_terminal

if TYPE_CHECKING:
    from PIL.Image import Image

Protocol = Literal["kitty", "iterm", "sixel", "blocks", "none"]
_COLUMNS = 32
"""How wide a picture made of blocks is, in characters."""
_CHUNK = 4096
"""Bytes of base64 in one of kitty's escape sequences."""
_COLOURS = 64
_FORMATS = ("PNG", "JPEG", "WEBP")


def protocol(environ: Mapping[str, str], encoding: str) -> Protocol:
    """How the terminal that ``environ`` describes shows pictures; ``IMAGEWRIGHT_PREVIEW`` overrides it.

    Sixel is used where ``TERM`` names a terminal that has it; no terminal is asked, so that nothing is read back.
    """
    asked = environ.get("IMAGEWRIGHT_PREVIEW", "").lower()
    if asked in ("kitty", "iterm", "sixel", "blocks", "none"):
        return asked  # type: ignore[return-value]
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if environ.get("TMUX") or term.startswith("screen"):
        return _blocks(environ, encoding)
    if "kitty" in term or environ.get("KITTY_WINDOW_ID") or program == "ghostty":
        return "kitty"
    if program in ("iTerm.app", "WezTerm", "mintty"):
        return "iterm"
    if "sixel" in term or term.split("-")[0] in ("foot", "mlterm", "contour", "yaft"):
        return "sixel"
    return _blocks(environ, encoding)


def _blocks(environ: Mapping[str, str], encoding: str) -> Protocol:
    plain = environ.get("NO_COLOR") or environ.get("TERM", "dumb") in ("dumb", "")
    return "none" if plain or not encoding.lower().startswith("utf") else "blocks"


def show(path: Path, environ: Mapping[str, str]) -> str:
    """The picture at ``path`` for the terminal behind standard output; empty where it cannot show one."""
    how = protocol(environ, sys.stdout.encoding or "")
    if how == "none" or not is_terminal(sys.stdout):
        return ""
    return encode_preview(path, how)


def encode_preview(path: Path, how: Protocol) -> str:
    """The picture at ``path`` in one of the protocols."""
    if how == "kitty":
        return "".join(_kitty(_png_of(path)))
    if how == "iterm":
        data = base64.b64encode(path.read_bytes()).decode()
        return f"\x1b]1337;File=inline=1;preserveAspectRatio=1;width={_COLUMNS}:{data}\a\n"
    from PIL import Image

    with Image.open(path, formats=_FORMATS) as image:
        picture = image.convert("RGB")
    return sixel(picture) if how == "sixel" else blocks(picture)


def _png_of(path: Path) -> bytes:
    """The picture at ``path`` as a PNG, which is all that kitty takes."""
    data = path.read_bytes()
    if data.startswith(b"\x89PNG"):
        return data
    import io

    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        image.save(buffer, "PNG")
    return buffer.getvalue()


def _kitty(png: bytes) -> Iterator[str]:
    data = base64.b64encode(png).decode()
    for start in range(0, len(data), _CHUNK):
        more = int(start + _CHUNK < len(data))
        head = f"a=T,f=100,c={_COLUMNS},m={more}" if start == 0 else f"m={more}"
        yield f"\x1b_G{head};{data[start : start + _CHUNK]}\x1b\\"
    yield "\n"


def blocks(image: Image, columns: int = _COLUMNS) -> str:
    """``image`` as half blocks, two pixels a character, with 24-bit colours."""
    rows = max(2, round(columns * image.height / image.width / 2) * 2)
    small = image.resize((columns, rows))
    lines = []
    for y in range(0, rows, 2):
        cells = (_cell(small, x, y) for x in range(columns))
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines) + "\n"


def _cell(image: Image, x: int, y: int) -> str:
    (r, g, b), (s, t, u) = (_rgb(image, x, row) for row in (y, y + 1))
    return f"\x1b[38;2;{r};{g};{b};48;2;{s};{t};{u}m▀"


def _rgb(image: Image, x: int, y: int) -> tuple[int, int, int]:
    r, g, b = image.getpixel((x, y))  # type: ignore[misc]
    return int(r), int(g), int(b)


def sixel(image: Image) -> str:
    """``image`` as sixels of at most 64 colours, enlarged to 256 pixels where it is smaller."""
    scale = max(1, 256 // max(image.size))
    paper = image.resize((image.width * scale, image.height * scale), 0).quantize(_COLOURS)
    palette = paper.getpalette() or []
    used = sorted({int(index) for _, index in paper.getcolors(_COLOURS) or []})  # type: ignore[arg-type]
    head = f'\x1bPq"1;1;{paper.width};{paper.height}'
    colours = "".join(
        f"#{n};2;{';'.join(str(round(value * 100 / 255)) for value in palette[3 * n : 3 * n + 3])}" for n in used
    )
    bands = "-".join(_band(paper, top, used) for top in range(0, paper.height, 6))
    return f"{head}{colours}{bands}\x1b\\\n"


def _band(paper: Image, top: int, used: list[int]) -> str:
    """Six rows of pixels: one line of sixels for each colour that occurs in them."""
    rows = [[paper.getpixel((x, y)) for x in range(paper.width)] for y in range(top, min(top + 6, paper.height))]
    lines = []
    for colour in used:
        bits = [sum(1 << at for at, row in enumerate(rows) if row[x] == colour) for x in range(paper.width)]
        if any(bits):
            lines.append(f"#{colour}{_run_lengths(bits)}")
    return "$".join(lines)


def _run_lengths(bits: list[int]) -> str:
    text, at = "", 0
    while at < len(bits):
        end = at
        while end < len(bits) and bits[end] == bits[at]:
            end += 1
        sign, count = chr(63 + bits[at]), end - at
        text += f"!{count}{sign}" if count > 3 else sign * count
        at = end
    return text
