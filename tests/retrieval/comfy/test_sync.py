"""A server's list of nodes, from a server that the test starts on the loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.retrieval.comfy import sync
from imagewright.retrieval.comfy.catalogue import Catalogue
from imagewright.retrieval.comfy.convert import convert

INFO = {
    "Sparkle": {
        "input": {
            "optional": {"tint": [["red", "blue"], {}]},
            "required": {"seed": ["INT", {"default": 3}], "image": ["IMAGE"]},
        },
        "input_order": {"required": ["image", "seed"], "optional": ["tint"]},
        "output": ["IMAGE", ["a", "b"]],
        "output_node": True,
        "category": "api node/image",
        "python_module": "custom_nodes.sparkle",
    },
    "Broken": None,
}


class Server(BaseHTTPRequestHandler):
    """Answers ``/object_info``, and misbehaves at other paths."""

    def do_GET(self) -> None:
        answers = {
            "/object_info": json.dumps(INFO),
            "/html/object_info": "<html>",
            "/list/object_info": "[]",
            "/none/object_info": "{}",
        }
        body = answers.get(self.path, "").encode()
        self.send_response(200 if body else 302 if "away" in self.path else 404)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", "/object_info")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_servers_nodes(url: str) -> None:
    found = sync.fetch_object_info(url + "/")
    assert list(found) == ["Sparkle"]
    spec = found["Sparkle"]
    assert [row.name for row in spec.inputs] == ["image", "seed", "tint"]
    assert [row.type for row in spec.inputs] == ["IMAGE", "INT", "COMBO"]
    assert (spec.outputs, spec.is_output, spec.module) == (("IMAGE", "COMBO"), True, "custom_nodes.sparkle")
    workflow = {"nodes": [{"id": 1, "type": "Sparkle", "widgets_values": [5, "fixed", "blue"]}]}
    assert convert(workflow, found).graph["1"]["inputs"] == {"seed": 5, "tint": "blue"}
    assert dict(Catalogue.from_bytes(found.to_bytes())) == dict(found)


@pytest.mark.parametrize("path", ["/html", "/list", "/none", "/absent", "/away"])
def test_other_answers(url: str, path: str) -> None:
    with pytest.raises(BadInput):
        sync.fetch_object_info(url + path)


def test_an_answer_without_end(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "MAX_OBJECT_INFO", 100)
    with pytest.raises(BadInput, match="longer than"):
        sync.fetch_object_info(url)


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://127.0.0.1", "127.0.0.1:8188", "http://", "", "http://[::1"]
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(BadInput):
        sync.fetch_object_info(address)


def test_nobody_there() -> None:
    with pytest.raises(BadInput, match="does not answer"):
        sync.fetch_object_info("http://127.0.0.1:9")
