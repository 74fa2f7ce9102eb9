"""A server that behaves as ComfyUI 0.33 does, over real HTTP and websocket on the loopback, and fails as it is told to.

Its answers have the shapes that were captured from a real one. What it draws is up to the function that it is given.
It can be killed with all that it holds in memory (``crash``) and started again on the same port (``restart``).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import heapq
import itertools
import json
import socket
import threading
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from imagewright_tests_comfy_process import ComfyProcess, Draw, Faults, Memory, Socket

_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class ComfyServer(ComfyProcess):
    """One server; ``classes`` is its ``/object_info``."""

    def __init__(self, classes: dict[str, Any], draw: Draw, *, prefix: str = "", step_seconds: float = 0.0) -> None:
        self.classes, self.draw, self.prefix, self.step_seconds = classes, draw, prefix, step_seconds
        self.faults = Faults()
        self.models: dict[str, list[str]] = {"checkpoints": ["mini"], "loras": []}
        self.files: dict[tuple[str, str, str], bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.userdata: dict[str, bytes] = {}
        self.templates: dict[str, Any] = {}
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.drawn: list[str] = []
        """The ids of the prompts whose pictures were saved."""
        self.forgot: list[str] = []
        """The ids that it knew when it died."""
        self.counter = itertools.count(1)
        self.memory = Memory()
        self.port = 0
        self._http: ThreadingHTTPServer | None = None
        self._open: set[socket.socket] = set()
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def start(self) -> None:
        """Begin to answer."""
        self.memory = Memory()
        handler = type("Handler", (_Handler,), {"owner": self, "memory": self.memory})
        self._http = _Quiet(("127.0.0.1", self.port), handler)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        threading.Thread(target=self.work, args=(self.memory,), daemon=True).start()

    def crash(self) -> None:
        """Die: connections are cut, and what was in memory is gone; saved files stay."""
        memory, http = self.memory, self._http
        running = [memory.running] if memory.running else []
        self.forgot += [*memory.history, *(prompt.id for prompt in (*running, *memory.pending))]
        memory.dead = True
        memory.interrupt.set()
        with memory.wake:
            memory.wake.notify_all()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        if http is not None:
            http.shutdown()
            http.server_close()
            self._http = None
        self.files = {key: data for key, data in self.files.items() if key[0] != "temp"}

    def restart(self) -> None:
        """Die, and start again with the same files on the same port."""
        if self._http is not None:
            self.crash()
        self.start()

    stop = crash


class _Quiet(ThreadingHTTPServer):
    """Connections that break are what is tested."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


class _Handler(BaseHTTPRequestHandler):
    """The routes."""

    owner: ComfyServer
    memory: Memory
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as aiohttp does; else the client waits 40 ms for the body of some answers

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def setup(self) -> None:
        """Known while it is open, so that it can be cut."""
        super().setup()
        self.owner._open.add(self.connection)

    def finish(self) -> None:
        """No longer open."""
        self.owner._open.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        """Files, facts, and the websocket."""
        self._answer(b"")

    def do_POST(self) -> None:
        """Prompts, cancellations, uploads."""
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes) -> None:
        owner, faults = self.owner, self.owner.faults
        owner.requests.append((self.command, self.path, dict(self.headers), body))
        parts = urlsplit(self.path)
        if faults.redirect:
            self.send_response(307)
            self.send_header("Location", faults.redirect + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if faults.authorization and self.headers.get("Authorization") != faults.authorization:
            return self._send(401, b"")
        if not parts.path.startswith(owner.prefix):
            return self._send(404, b"")
        path = parts.path.removeprefix(owner.prefix).removeprefix("/api")
        if faults.loading:
            faults.loading -= 1
            return self._send(503, b"<html>starting</html>")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if path == "/ws":
            return self._websocket(query.get("clientId", ""))
        return self._route(path, query, body)

    def _route(self, path: str, query: dict[str, str], body: bytes) -> None:
        owner, memory, faults = self.owner, self.memory, self.owner.faults
        if self.command == "POST" and path == "/prompt":
            if faults.queue_full:
                faults.queue_full -= 1
                return self._send(429, b"too many")
            if faults.crash_at == "post":
                faults.crash_at = ""
                threading.Thread(target=owner.crash, daemon=True).start()
                return self._cut()
            status, told = owner.posted(body)
            if faults.post_unanswered:
                faults.post_unanswered -= 1
                return self._cut()
            return self._send(status, b"500 Internal Server Error" if told is None else told)
        if self.command == "POST":
            return self._post(path, body)
        head, _, tail = path.lstrip("/").partition("/")
        answers: dict[str, Callable[[], Any]] = {
            "system_stats": lambda: {"system": {"comfyui_version": "0.33.0", "os": "linux"}, "devices": []},
            "object_info": lambda: (
                {tail: owner.classes[tail]} if tail in owner.classes else ({} if tail else owner.classes)
            ),
            "models": lambda: owner.models.get(tail) if tail else list(owner.models),
            "queue": lambda: {
                "queue_running": [memory.running.row()] if memory.running else [],
                "queue_pending": [one.row() for one in sorted(memory.pending)],
            },
            "prompt": lambda: {"exec_info": {"queue_remaining": len(memory.pending) + bool(memory.running)}},
            "history": lambda: {tail: memory.history[tail]} if tail in memory.history else {},
            "templates": lambda: owner.templates.get(tail),
            "userdata": lambda: self._userdata(unquote(tail), query),
        }
        if head == "view":
            return self._view(query)
        found = answers[head]() if head in answers else None
        return self._send(404, b"") if found is None else self._send(200, found)

    def _userdata(self, name: str, query: dict[str, str]) -> Any:
        files = self.owner.userdata
        if name:
            return files.get(name)
        folder = query.get("dir", "") + "/"
        return [
            {"path": one.removeprefix(folder), "size": len(data), "modified": 1, "created": 1}
            for one, data in files.items()
            if one.startswith(folder)
        ]

    def _view(self, query: dict[str, str]) -> None:
        owner = self.owner
        if owner.faults.files_gone:
            owner.faults.files_gone -= 1
            return self._send(404, b"")
        kind = query.get("type", "output")
        data = owner.files.get((kind, query.get("subfolder", ""), query.get("filename", "")))
        if owner.faults.file_bytes is not None:
            data = owner.faults.file_bytes
        return self._send(404, b"") if data is None else self._send(200, data, "image/png")

    def _post(self, path: str, body: bytes) -> None:
        memory = self.memory
        if path == "/upload/image":
            name, subfolder = self._uploaded(body)
            return self._send(200, {"name": name, "subfolder": subfolder, "type": "input"})
        told = json.loads(body) if body else {}
        if path == "/interrupt":
            running = memory.running
            if "prompt_id" not in told or (running is not None and running.id == told["prompt_id"]):
                memory.interrupt.set()
        elif path == "/queue":
            with memory.wake:
                memory.pending[:] = [one for one in memory.pending if one.id not in told.get("delete", ())]
                heapq.heapify(memory.pending)
        else:
            return self._send(404, b"")
        return self._send(200, b"")

    def _uploaded(self, body: bytes) -> tuple[str, str]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        found = {}
        for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():  # type: ignore[attr-defined]
            found[part.get_param("name", header="content-disposition")] = (part.get_filename(), part.get_content())
        name, data = found["image"]
        subfolder = str(found.get("subfolder", ("", ""))[1]).strip()
        if self.owner.faults.upload_renamed:
            name = f"{name.removesuffix('.png')} (1).png"
        self.owner.uploads[f"{subfolder}/{name}"] = data
        for key in ("LoadImage", "LoadImageMask"):
            if key in self.owner.classes:
                self.owner.classes[key]["input"]["required"]["image"][0].append(f"{subfolder}/{name}")
        return name, subfolder

    def _websocket(self, client: str) -> None:
        if self.owner.faults.socket_refused:
            self._send(400, b"")
            return
        key = self.headers["Sec-WebSocket-Key"] + _ACCEPT
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        mine = self.memory.sockets[client] = Socket(self.connection)
        mine.send(
            json.dumps(
                {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": client}}
            ).encode(),
            1,
        )
        while (data := mine.read()) is not None:
            if b"feature_flags" in data:
                mine.send(b'{"type": "feature_flags", "data": {"supports_preview_metadata": true}}', 1)
        self.memory.sockets.pop(client, None)  # also where a newer one has its place, as the real server does

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, told: Any, kind: str = "application/json; charset=utf-8") -> None:
        data = told if isinstance(told, bytes) else json.dumps(told).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
