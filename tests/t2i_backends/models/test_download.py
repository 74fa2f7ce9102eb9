"""Fetching from a server of our own on the loopback: sizes, gates, resuming, hashes."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import BadInput, CannotDraw
from imagewright.t2i_backends.models.download import Hub, Remote, check_url

DATA = bytes(range(256)) * 5000


class Server(http.server.ThreadingHTTPServer):
    """A hub with one file, one repository and one gate."""

    breaks = 0
    asked: list[str]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Any

    def log_message(self, *args: Any) -> None: ...

    def do_HEAD(self) -> None:
        if "gated" in self.path:
            self.send_response(401)
        else:
            self.send_response(200)
            self.send_header("x-linked-size", str(len(DATA)))
            self.send_header("x-linked-etag", f'"{hashlib.sha256(DATA).hexdigest()}"')
        self.end_headers()

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/"):
            self._list()
            return
        first = int((self.headers.get("range") or "bytes=0-")[6:].rstrip("-"))
        self.server.asked.append(f"{self.path} from {first}")
        body = DATA[first:]
        self.send_response(206 if first else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            self.wfile.write(body[:1000])
            self.wfile.flush()
            self.connection.close()
            return
        self.wfile.write(body)

    def _list(self) -> None:
        names = ["model_index.json", "unet/config.json", "unet/model.safetensors", "unet/model.fp16.safetensors",
                 "unet/model.bin", "whole.safetensors", "../evil.json", "README.md",
                 "tokenizer/vocab.json"]  # fmt: skip
        oid = hashlib.sha256(DATA).hexdigest()
        entries = [{"type": "file", "path": name, "size": len(DATA), "lfs": {"oid": oid}} for name in names]
        body = json.dumps(entries).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server(("127.0.0.1", 0), Handler)
    found.asked = []
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    found = Hub()
    yield found
    found.close()


def url(server: Server, path: str) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{path}"


def test_a_file_comes_whole(server: Server, hub: Hub, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model.safetensors"
    (remote,) = hub.look(url(server, "a/b/resolve/main/model.safetensors"), target)
    assert (remote.bytes, remote.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    seen: list[int] = []
    hub.fetch(remote, lambda here, whole: seen.append(here))
    assert target.read_bytes() == DATA
    assert seen[-1] == len(DATA)
    assert list(target.parent.iterdir()) == [target]


def test_a_broken_download_goes_on(server: Server, hub: Hub, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    (remote,) = hub.look(url(server, "a/b/resolve/main/model.safetensors"), target)
    server.breaks = 1
    with pytest.raises(CannotDraw, match=r"broke off|has \d"):
        hub.fetch(remote, lambda *a: None)
    assert not target.exists()
    kept = target.with_name("model.safetensors.part").stat().st_size
    assert 0 < kept < len(DATA)
    hub.fetch(remote, lambda *a: None)
    assert target.read_bytes() == DATA
    assert server.asked[-1].endswith(f"from {kept}")


def test_a_wrong_hash_leaves_nothing(server: Server, hub: Hub, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    remote = Remote(url(server, "a/b/resolve/main/model.safetensors"), target, len(DATA), "0" * 64)
    with pytest.raises(BadInput, match="SHA-256"):
        hub.fetch(remote, lambda *a: None)
    assert list(tmp_path.iterdir()) == []


def test_a_repository_is_taken_without_pickles_variants_and_strange_paths(
    server: Server, hub: Hub, tmp_path: Path
) -> None:
    found = hub.look(url(server, "owner/name"), tmp_path)
    names = [remote.target.relative_to(tmp_path).as_posix() for remote in found]
    assert names == ["model_index.json", "unet/config.json", "unet/model.safetensors", "tokenizer/vocab.json"]


def test_a_gate_is_seen(server: Server, hub: Hub, tmp_path: Path) -> None:
    (remote,) = hub.look(url(server, "a/gated/resolve/main/m.safetensors"), tmp_path / "m.safetensors")
    assert remote.gated


@pytest.mark.parametrize(
    "address",
    ["http://example.org/x", "file:///etc/passwd", "ftp://example.org/x", "https://", "x", "http://10.0.0.1/x"],
)
def test_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(BadInput, match="no address"):
        check_url(address)
