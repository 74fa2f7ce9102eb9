"""The header of a safetensors file, and what is wrong with a file that cannot be read as one. Loads nothing.

The format: eight bytes little-endian length, then JSON of that length, then the tensors' bytes, which the tensors must
fill without a gap. What the library refuses when it loads is refused here, so that a check finds it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.t2i_backends.families.base import Shapes

_MOST_SIDES = 16
"""More dimensions than any tensor has; a product of thousands of sides takes minutes."""
_BYTES = {
    "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2, "I8": 1,
    "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip
"""The number formats that are read, with their bytes."""
_POINTER = b"version https://git-lfs.github.com/"
_OTHERS = (
    (_POINTER, "is no safetensors file but a Git LFS pointer: run git lfs pull in its folder"),
    (b"GGUF", "is no safetensors file but a GGUF file, which is not read here: use its .safetensors version"),
    (b"PK\3\4", "is no safetensors file but a pickle or an archive: use its .safetensors version"),
    (b"\x80", "is no safetensors file but a pickle: use its .safetensors version"),
    (b"<", "is no safetensors file but a web page: download it again, signed in if the site asks for it"),
)
"""How other files begin, and what to say of them."""


@dataclass(frozen=True)
class Header:
    """The tensors of a safetensors file."""

    shapes: Shapes
    bytes: int
    """Bytes of the tensors."""
    numbers: int
    """How many numbers they hold."""
    formats: Mapping[str, str] = field(default_factory=dict)
    """The number format of each, as the header spells it: ``F16``, ``F8_E4M3``…"""
    adapter: str = ""
    """What a LoRA says of itself for diffusers (``lora_adapter_metadata``)."""
    fault: str = ""
    """What keeps the file from being loaded, as ``find_fault`` says it; empty when nothing does."""


def read_header(file: Path) -> Header | None:
    """The header of ``file``; None when it is no safetensors file."""
    try:
        stat = file.stat()
        return _read(file, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return None


def find_fault(file: Path) -> str:
    """What is wrong with a safetensors file, with what would help: the rest of a line that begins with its name.

    Empty for a file that can be loaded.
    """
    header = read_header(file)
    if header is not None:
        return header.fault
    try:
        with file.open("rb") as stream:
            start = stream.read(64)
    except OSError as error:
        return f"cannot be read ({error.strerror}): look at its permissions"
    if not start:
        return "is no safetensors file: it is empty; download it again"
    known = (said for mark, said in _OTHERS if start.lstrip().startswith(mark))
    return next(known, "is no safetensors file: download it again")


def refuse_file(name: str, fault: str) -> BadInput:
    """The error for what ``find_fault`` and its like say of the file or folder ``name``."""
    said, _, remedy = fault.rpartition(": ")
    return BadInput(f"{name} {said}", remedy)


def is_pointer(file: Path) -> bool:
    """Whether ``file`` is a Git LFS pointer, which stands for a file that was not downloaded."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(_POINTER)) == _POINTER
    except OSError:
        return False


@lru_cache(maxsize=512)
def _read(file: Path, size: int, stamp: int) -> Header | None:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(size, untrusted.HEADER.bytes):
            return None
        try:
            text = stream.read(length)
            if not text.startswith(b"{"):
                return None
            found = untrusted.parse_json(text.decode("utf-8"), file.name, untrusted.HEADER)
            entries = {name: entry for name, entry in found.items() if name != "__metadata__"}
            shapes = {name: tuple(_whole(side) for side in entry["shape"]) for name, entry in entries.items()}
            formats = {name: str(entry["dtype"]) for name, entry in entries.items()}
            spans = {name: (_whole(entry["data_offsets"][0]), _whole(entry["data_offsets"][1])) for name, entry in
                     entries.items()}  # fmt: skip
            numbers = sum(math.prod(_sides(shape)) for shape in shapes.values())
            fault = _fault(found.get("__metadata__"), shapes, formats, spans, size - 8 - length)
        except (BadInput, ValueError, OverflowError, KeyError, TypeError, AttributeError, IndexError):
            return None
    said = found.get("__metadata__")
    adapter = str(said.get("lora_adapter_metadata", "")) if isinstance(said, dict) else ""
    return Header(shapes, max((end for _, end in spans.values()), default=0), numbers, formats, adapter, fault)


def _fault(
    metadata: object, shapes: Shapes, formats: Mapping[str, str], spans: Mapping[str, tuple[int, int]], size: int
) -> str:
    again = "download it again"
    if not spans:
        return "holds no tensors: use the file that holds the weights"
    end = max(end for _, end in spans.values())
    if size < end:
        return f"is cut off: {again}"
    if size > end:
        return f"has {size - end} bytes after its last tensor: {again}"
    if strange := next((name for name, kind in formats.items() if kind not in _BYTES), None):
        kind = formats[strange][:20]
        return f"holds numbers of the format {kind}, which is not read here: use its fp16, bf16 or fp8 version"
    texts = isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    if metadata is not None and not texts:
        return f"has a broken header (metadata that is no text): {again}"
    ordered = sorted(spans, key=lambda name: spans[name])
    starts = [0, *(spans[name][1] for name in ordered[:-1])]
    for name, start in zip(ordered, starts, strict=True):
        if spans[name] != (start, start + math.prod(shapes[name]) * _BYTES[formats[name]]):
            return f"has a broken header (the place of {name[:80]}): {again}"
    return ""


def _whole(number: object) -> int:
    """A whole number, as the library insists on it: ``8.0`` and ``true`` are none."""
    if type(number) is not int:
        raise ValueError("no whole number")
    return number


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) > _MOST_SIDES or not all(0 <= side < 2**63 for side in shape):
        raise ValueError("no shape of a tensor")
    return shape
