"""The workflow inside a PNG that ComfyUI saved: its text chunks, read without ever decoding a pixel.

ComfyUI writes ``prompt`` (the API graph as it ran) and ``workflow`` (the editor's JSON). Chunks are checked for length
and checksum; compressed text is unpacked up to a limit and no further.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

from imagewright.errors import BadInput
from imagewright.flow_format import MAX_BYTES

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_FILE = 128_000_000
"""The largest picture that is looked into, in bytes."""
_MAX_CHUNKS = 100_000
WANTED = ("prompt", "workflow")
_REMEDY = "give the original file: editing, sharing and previews drop what ComfyUI wrote into it"


def is_png(data: bytes) -> bool:
    """Whether ``data`` starts as a PNG does."""
    return data.startswith(SIGNATURE)


def workflow_texts(data: bytes) -> Mapping[str, str]:
    """The ``prompt`` and ``workflow`` texts of a PNG, those that are there.

    Raises:
        BadInput: the file is too large or cut, a text unpacks to more than ``MAX_BYTES``, or there is no workflow.
    """
    if len(data) > MAX_FILE:
        raise BadInput(f"the picture is larger than {MAX_FILE // 1_000_000} MB", _REMEDY)
    if not is_png(data):
        raise BadInput("this is not a PNG", _REMEDY)
    found: dict[str, str] = {}
    for kind, body in _chunks(data):
        name, _, rest = body.partition(b"\0")
        key = name.decode("latin-1")
        if key in WANTED and key not in found:
            found[key] = _text(kind, rest)
    if not found:
        raise BadInput("the picture holds no ComfyUI workflow", _REMEDY)
    return found


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """``(type, body)`` of each text chunk up to the end of the picture."""
    place = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if place + 12 > len(data):
            raise BadInput("the picture is cut off", _REMEDY)
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        end = place + 8 + length
        if end + 4 > len(data):
            raise BadInput("the picture is cut off", _REMEDY)
        if kind == b"IEND":
            return
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            if zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
                raise BadInput("the picture is damaged", _REMEDY)
            yield kind, data[place + 8 : end]
        place = end + 4
    raise BadInput("the picture has too many parts", _REMEDY)


def _text(kind: bytes, rest: bytes) -> str:
    """The text of a chunk, after its keyword."""
    if kind == b"tEXt":
        return _decoded(rest)
    if kind == b"zTXt":
        return _decoded(_unpacked(rest[1:]))
    packed, tail = rest[:1] == b"\1", rest[2:]
    parts = tail.split(b"\0", 2)
    body = parts[2] if len(parts) == 3 else b""
    return _decoded(_unpacked(body) if packed else body)


def _unpacked(data: bytes) -> bytes:
    """Deflated bytes, at most ``MAX_BYTES`` of them."""
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(data, MAX_BYTES + 1)
    except zlib.error:
        raise BadInput("the picture's text is damaged", _REMEDY) from None
    return _bounded(found)


def _bounded(found: bytes) -> bytes:
    if len(found) > MAX_BYTES:
        raise BadInput(f"the picture's text is larger than {MAX_BYTES // 1_000_000} MB", "a flow is a few kilobytes")
    return found


def _decoded(data: bytes) -> str:
    """UTF-8, which JSON is, else the format's own Latin-1."""
    try:
        return _bounded(data).decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
