"""The workflow inside a WebP or JPEG, read from its EXIF without decoding a pixel.

ComfyUI writes into an animated WebP the texts ``prompt:{…}`` (tag Model) and ``workflow:{…}`` (tag Make); other savers
use the same words in other tags. Any text of the first directory or of the camera's own that begins so is taken.
Everything is bounded: parts, entries, the length of a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imagewright.errors import BadInput
from imagewright.flow_format import MAX_BYTES
from imagewright.retrieval.comfy.png import MAX_FILE, WANTED

_MAX_PARTS, _MAX_ENTRIES = 10_000, 1000
_CAMERA = 0x8769
"""The tag that leads to the camera's directory, which holds UserComment."""
_COMMENT_MARKS = (b"ASCII\0\0\0", b"UNICODE\0", bytes(8))
_REMEDY = "give the PNG that ComfyUI saved, or the workflow's JSON (Workflow → Export)"
_KINDS = ((b"GIF8", "a GIF"), (b"BM", "a BMP"), (b"II*\0", "a TIFF"), (b"MM\0*", "a TIFF"), (b"\0\0\x01\0", "an icon"))


def name_picture(start: bytes) -> str:
    """What kind of picture or film begins so, with its article; empty for none that is known."""
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "a WebP"
    if start.startswith(b"\xff\xd8\xff"):
        return "a JPEG"
    if start[4:8] == b"ftyp":
        return "an AVIF" if start[8:12] in (b"avif", b"avis") else "a HEIC or a film"
    return next((name for mark, name in _KINDS if start.startswith(mark)), "")


def exif_texts(data: bytes) -> Mapping[str, str]:
    """The ``prompt`` and ``workflow`` texts of a picture that is no PNG, those that are there.

    Raises:
        BadInput: it is too large, or carries no workflow.
    """
    kind = name_picture(data)
    if len(data) > MAX_FILE:
        raise BadInput(f"the picture is larger than {MAX_FILE // 1_000_000} MB", _REMEDY)
    found: dict[str, str] = {}
    parts = _of_webp(data) if kind == "a WebP" else _of_jpeg(data) if kind == "a JPEG" else iter(())
    for part in parts:
        for text in _texts(part.removeprefix(b"Exif\0\0")):
            name, colon, rest = text.partition(":")
            if colon and name.strip().lower() in WANTED:
                found.setdefault(name.strip().lower(), rest)
    if not found:
        raise BadInput(f"the file is {kind}, and it carries no ComfyUI workflow", _REMEDY)
    return found


def _of_webp(data: bytes) -> Iterator[bytes]:
    place = 12
    for _ in range(_MAX_PARTS):
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        if data[place : place + 4] == b"EXIF":
            yield data[place + 8 : place + 8 + length]
        place += 8 + length + length % 2
        if place + 8 > len(data):
            return


def _of_jpeg(data: bytes) -> Iterator[bytes]:
    place = 2
    for _ in range(_MAX_PARTS):
        if data[place : place + 1] != b"\xff" or data[place + 1 : place + 2] == b"\xda":  # the pixels begin
            return
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if data[place + 1 : place + 2] == b"\xe1":
            yield data[place + 4 : place + 2 + length]
        place += 2 + max(length, 2)


def _texts(exif: bytes) -> Iterator[str]:
    """Every text of the first directory and of the camera's."""
    order = {b"II": "little", b"MM": "big"}.get(exif[:2])
    if order is None:
        return

    def number(start: int, size: int) -> int:
        return int.from_bytes(exif[start : start + size], order)  # type: ignore[arg-type]

    directories = [number(4, 4)]
    for directory in directories:
        for entry in range(min(number(directory, 2), _MAX_ENTRIES)):
            at = directory + 2 + 12 * entry
            tag, kind, length = number(at, 2), number(at + 2, 2), number(at + 4, 4)
            if tag == _CAMERA and len(directories) == 1:
                directories.append(number(at + 8, 4))
            elif kind in (1, 2, 7) and 4 < length <= MAX_BYTES:
                start = number(at + 8, 4)
                yield _decoded(exif[start : start + length], order)


def _decoded(raw: bytes, order: str) -> str:
    mark = next((mark for mark in _COMMENT_MARKS if raw.startswith(mark)), b"")
    body = raw[len(mark) :]
    if mark == b"UNICODE\0":
        return body.decode("utf-16-le" if order == "little" else "utf-16-be", "replace").rstrip("\0")
    try:
        return body.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return body.rstrip(b"\0").decode("latin-1")
