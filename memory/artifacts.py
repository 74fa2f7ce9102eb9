"""Pictures as files named by the SHA-256 of their bytes, and sidecars that say which picture a job has made.

A file is written under a temporary name, synced and renamed, so that it is there whole or not at all. The same
picture drawn twice is one file. ``keys/<content key>.json`` is written last: where it stands, the picture does.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import struct
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from PIL import Image
from pydantic import BaseModel, ConfigDict

from imagewright.database import storage_errors
from imagewright.errors import BadInput, Fault

_SHA = re.compile(r"[0-9a-f]{64}")
_RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_PNG_HEAD = 8 + 25
"""The bytes of a PNG up to the end of its IHDR chunk."""
THUMBNAIL_SIDE = 320
"""Pixels of a thumbnail's longer side: twice what a gallery's cell has on a small screen."""


class Made(BaseModel):
    """A sidecar: the picture that a content key stands for, how long it took, and the facts for a trace."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str
    seconds: float
    facts: dict[str, str]
    more: tuple[str, ...] = ()
    """The other pictures of a batch, in its order."""
    run: str = ""
    """The run that made it; unknown in sidecars of earlier releases."""
    graph: str = ""
    """The graph as it was run, as JSON, where that is not the flow's own with its slots filled."""


class ArtifactStore:
    """The pictures under ``root``, in folders by the first two digits of their hash."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_image(self, image: Image.Image) -> str:
        """Store ``image`` as a PNG without metadata; return the SHA-256 of the file.

        Raises:
            BadInput: the disk is full or the folder cannot be written.
        """
        data = _png(image)
        sha = hashlib.sha256(data).hexdigest()
        path = self._path(sha)
        try:
            os.utime(path)  # it is in use: whoever tidies up leaves new files alone
        except OSError:
            write_whole(path, data)
        return sha

    def get(self, sha: str) -> Path:
        """The file of picture ``sha``.

        Raises:
            BadInput: ``sha`` is not 64 hex digits, or no such picture is kept here.
        """
        path = self._path(sha)
        if not path.is_file():
            raise BadInput(f"picture {sha[:12]}… is not in the store", f"it may have been deleted from {self.root}")
        return path

    def has(self, sha: str) -> bool:
        """Whether picture ``sha`` is here."""
        return _SHA.fullmatch(sha) is not None and self._path(sha).is_file()

    def open(self, sha: str) -> Image.Image:
        """The pixels of picture ``sha``, loaded and in RGB."""
        with Image.open(self.get(sha), formats=("PNG",)) as image:
            return image.convert("RGB")

    def measure(self, sha: str) -> tuple[int, int]:
        """Width and height of picture ``sha`` in pixels, by its head: nothing is decoded."""
        with self.get(sha).open("rb") as file:
            width, height = struct.unpack(">II", file.read(24)[16:].ljust(8, b"\0"))
        return width, height

    def thumbnail(self, sha: str) -> Path:
        """A small WebP of picture ``sha``, no side longer than 320 pixels; made when it is first asked for, and kept.

        Raises:
            BadInput: there is no such picture, or the disk is full.
        """
        path = self._thumbnail_path(sha)
        if not path.is_file():
            image = self.open(sha)
            image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
            buffer = io.BytesIO()
            image.save(buffer, "WEBP", quality=85)
            write_whole(path, buffer.getvalue())
        return path

    def thumbnails(self) -> Iterator[tuple[str, Path]]:
        """Every thumbnail: the SHA-256 of its picture and its file."""
        for path in self.root.glob("thumbnails/*/*.webp"):
            yield path.stem, path

    def put_made(self, key: str, made: Made) -> None:
        """Remember that the job with content key ``key`` has made a picture; call it after ``put_image``."""
        write_whole(self._key_path(key), made.model_dump_json().encode())

    def find(self, key: str) -> Made | None:
        """What the job with content key ``key`` has made; None when it has not, or the picture is gone."""
        try:
            made = Made.model_validate_json(self._key_path(key).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return made if all(self.has(image) for image in (made.image, *made.more)) else None

    def forget(self, images: Collection[str], runs: Collection[str] = ()) -> None:
        """Delete these pictures, the sidecars that stand for them, and what else only their batches hold.

        The sidecars of ``runs`` go, too, whatever they stand for.
        """
        gone = set(images)
        kept: set[str] = set()
        others: set[str] = set()
        for sidecar, made in self.sidecars():
            if made.image in gone or made.run in runs:
                others.update(made.more if made.image in gone else ())
                sidecar.unlink(missing_ok=True)
            else:
                kept.update((made.image, *made.more))
        for sha in gone | (others - kept):
            self._path(sha).unlink(missing_ok=True)
            self._thumbnail_path(sha).unlink(missing_ok=True)

    def sidecars(self) -> Iterator[tuple[Path, Made]]:
        """Every sidecar that can be read, and its file."""
        for sidecar in self.root.glob("keys/*/*.json"):
            with contextlib.suppress(OSError, ValueError):
                yield sidecar, Made.model_validate_json(sidecar.read_bytes())

    def pictures(self) -> Iterator[tuple[str, Path]]:
        """Every picture that is kept: its SHA-256 and its file."""
        for path in self.root.glob("[0-9a-f][0-9a-f]/*.png"):
            if _SHA.fullmatch(path.stem):
                yield path.stem, path

    def put_preview(self, run: str, image: Image.Image) -> str:
        """Keep a preview until the run is delivered; return the SHA-256 of its PNG."""
        data = _png(image)
        sha = hashlib.sha256(data).hexdigest()
        write_whole(self._previews(run) / f"{sha}.png", data)
        return sha

    def preview(self, run: str, sha: str) -> Path:
        """The file of a preview of a run that is still going on."""
        if _SHA.fullmatch(sha) is None:
            raise BadInput(f"{sha[:80]!r} is not the name of a picture", "a name is 64 hex digits")
        return self._previews(run) / f"{sha}.png"

    def drop_previews(self, run: str) -> None:
        """Delete the previews of a run that is over."""
        shutil.rmtree(self._previews(run), ignore_errors=True)

    def _path(self, sha: str) -> Path:
        if _SHA.fullmatch(sha) is None:
            raise BadInput(f"{sha[:80]!r} is not the name of a picture", "a name is 64 hex digits")
        return self.root / sha[:2] / f"{sha}.png"

    def _thumbnail_path(self, sha: str) -> Path:
        return self.root / "thumbnails" / sha[:2] / self._path(sha).with_suffix(".webp").name

    def _key_path(self, key: str) -> Path:
        if _SHA.fullmatch(key) is None:
            raise Fault(f"not a content key: {key[:80]!r}")
        return self.root / "keys" / key[:2] / f"{key}.json"

    def _previews(self, run: str) -> Path:
        if _RUN.fullmatch(run) is None:
            raise BadInput(f"{run[:80]!r} is not the id of a run", "`imagewright runs list` shows them")
        return self.root / "previews" / run


def content_key(parts: Mapping[str, object]) -> str:
    """SHA-256 of ``parts`` as canonical JSON: what a job is made of, so that the same job is known again."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_whole(path: Path, data: bytes, temporary: Path | None = None) -> None:
    """Write a file so that ``path`` holds all of ``data`` or what it held before, even when the power fails.

    ``temporary`` is the file beside it that is written first, written over where it is there; one by chance for None.

    Raises:
        BadInput: the disk is full or the folder cannot be written; nothing half-written is left behind.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = _open_temporary(path, temporary)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _open_temporary(path: Path, temporary: Path | None) -> tuple[int, str]:
    if temporary is None:
        return tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    return os.open(temporary, flags, 0o600), str(temporary)


def with_text(png: bytes, texts: Mapping[str, str]) -> bytes:
    """``png`` with one iTXt or tEXt chunk for each of ``texts`` behind its header; the pixels are not touched.

    ASCII goes into tEXt, which ComfyUI reads back as a workflow; anything else into iTXt (PNG, third edition, 11.3.3).
    """
    chunks = b"".join(_text_chunk(key, text) for key, text in texts.items())
    return png[:_PNG_HEAD] + chunks + png[_PNG_HEAD:]


def _text_chunk(key: str, text: str) -> bytes:
    if text.isascii():
        return _chunk(b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1"))
    return _chunk(b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + text.encode())


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("RGB", image.size, image.convert("RGB").tobytes()).save(buffer, "PNG")
    return buffer.getvalue()


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power failure; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """The process's file mode mask; temporary files are made private and get the usual mode here."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
