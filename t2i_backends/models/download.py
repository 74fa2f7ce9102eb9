"""Model files from the net, only when a person asked for them: sizes and gates first, resumed, checked by hash.

Addresses come from flow cards and are untrusted: https only (http on the loopback, for tests), names are ours.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from imagewright.errors import BadInput, CannotDraw
from imagewright.t2i_backends.models.model_files import PICKLES

OnBytes = Callable[[int, int], None]
"""Called with the bytes that are here and those that there are."""
_CHUNK = 1 << 20
_SIDE_FILES = frozenset({".json", ".safetensors", ".txt", ".model"})
"""Endings of the files that a diffusers folder is taken with."""


@dataclass(frozen=True)
class Remote:
    """One file to fetch."""

    url: str
    target: Path
    bytes: int = 0
    """0 where the server does not say."""
    sha256: str = ""
    """Empty where the server does not say."""
    gated: bool = False
    """Whether its owner wants a licence accepted, and a token."""


class Hub:
    """What speaks to the server."""

    def __init__(self, token: str = "") -> None:
        import httpx

        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(headers=headers, timeout=30, follow_redirects=True)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def look(self, url: str, target: Path) -> list[Remote]:
        """What ``url`` stands for: one file, or the files of a repository for a folder.

        Raises:
            BadInput: the address cannot be used, or nothing is there.
        """
        check_url(url)
        repository = re.fullmatch(r"(https?://[^/]+)/([\w.-]+/[\w.-]+)/?", url)
        if repository is not None:
            return list(self._repository(repository[1], repository[2], target))
        return [self._file(url, target)]

    def _file(self, url: str, target: Path) -> Remote:
        answer = self._ask("HEAD", url)
        if answer.status_code in (401, 403):
            return Remote(url, target, gated=True)
        if answer.status_code != 200:
            raise BadInput(f"{url} answers {answer.status_code}", "look for the file's new address")
        heads = [answer, *answer.history]
        size = next((h.headers[n] for n in ("x-linked-size", "content-length") for h in heads if n in h.headers), "0")
        marks = [mark.headers.get("x-linked-etag", "").strip('"') for mark in heads]
        sha = next((mark for mark in marks if re.fullmatch(r"[0-9a-f]{64}", mark)), "")
        return Remote(url, target, int(size) if size.isdigit() else 0, sha)

    def _repository(self, host: str, name: str, target: Path) -> Iterator[Remote]:
        answer = self._ask("GET", f"{host}/api/models/{name}/tree/main?recursive=true")
        if answer.status_code in (401, 403):
            yield Remote(f"{host}/{name}", target, gated=True)
            return
        if answer.status_code != 200:
            raise BadInput(f"{host}/{name} answers {answer.status_code}", "look for the model's new address")
        for entry in answer.json():
            path = PurePosixPath(str(entry.get("path", "")))
            if entry.get("type") == "file" and _wanted(path):
                sha = str((entry.get("lfs") or {}).get("oid", ""))
                url = f"{host}/{name}/resolve/main/{path}"
                yield Remote(url, target / path, int(entry.get("size", 0)), sha)

    def _ask(self, method: str, url: str) -> Any:
        import httpx

        try:
            answer = self._client.request(method, url)
        except httpx.HTTPError as error:
            raise CannotDraw(f"{urlsplit(url).netloc} cannot be reached: {error}", "look at the connection") from None
        check_url(str(answer.url))
        return answer

    def fetch(self, remote: Remote, on_bytes: OnBytes) -> None:
        """Fetch one file whole: what an earlier try left is continued, and nothing stands under its name before the
        hash is right.

        Raises:
            BadInput: the server refuses, or the file that came is not the one that was announced.
            CannotDraw: the connection broke; calling again goes on.
        """
        import httpx

        part = remote.target.with_name(remote.target.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        here = part.stat().st_size if part.is_file() else 0
        try:
            wanted = {"accept-encoding": "identity", **({"range": f"bytes={here}-"} if here else {})}
            with self._client.stream("GET", remote.url, headers=wanted) as answer:
                check_url(str(answer.url))
                if answer.status_code not in (200, 206, 416):
                    raise BadInput(f"{remote.url} answers {answer.status_code}", "look for its new address or licence")
                if answer.status_code != 416:
                    self._write(answer, part, here if answer.status_code == 206 else 0, remote.bytes, on_bytes)
        except httpx.HTTPError as error:
            raise CannotDraw(f"the download broke off: {error}", "call it again: it goes on where it stopped") from None
        _finish(part, remote)

    def _write(self, answer: Any, part: Path, here: int, whole: int, on_bytes: OnBytes) -> None:
        with part.open("ab" if here else "wb") as stream:
            for chunk in answer.iter_bytes():
                stream.write(chunk)
                here += len(chunk)
                on_bytes(here, whole)
                if whole and here > whole:
                    raise BadInput(f"{answer.url} sends more than {whole:,} bytes", "look for its new address")


def _finish(part: Path, remote: Remote) -> None:
    size = part.stat().st_size
    if remote.bytes and size < remote.bytes:
        raise CannotDraw(f"{remote.target.name} has {size:,} of {remote.bytes:,} bytes", "call it again: it goes on")
    if remote.sha256 and digest(part) != remote.sha256:
        part.unlink()
        raise BadInput(f"{remote.target.name} is not the announced file: its SHA-256 is another", "call it again")
    part.replace(remote.target)


def digest(path: Path) -> str:
    """SHA-256 of a file, as 64 hex digits."""
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def _wanted(path: PurePosixPath) -> bool:
    """Whether a file of a repository belongs into a diffusers folder: configs, tokenizers, plain safetensors."""
    unsafe = path.is_absolute() or ".." in path.parts or path.suffix.lower() in PICKLES
    variant = path.suffix == ".safetensors" and (len(path.parts) < 2 or path.name.split(".")[1] in ("fp16", "non_ema"))
    known = path.suffix in _SIDE_FILES and (len(path.parts) == 2 or path.name == "model_index.json")
    return known and not unsafe and not variant


def check_url(url: str) -> None:
    """Raise ``BadInput`` unless ``url`` is https, or http on the loopback."""
    parts = urlsplit(url)
    loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    if not parts.hostname or not (parts.scheme == "https" or loopback):
        raise BadInput(f"{url[:120]!r} is no address to download from", "addresses begin with https://")
