"""What a server tells of one job over its websocket, while it does: steps, nodes, previews, the end.

It may fall silent or break at any moment, and nothing depends on it but how soon one knows: the server's queue and
history are the truth.
"""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import time
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from PIL import Image
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.sync.client import ClientConnection, connect

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.t2i_backends.comfyui.client import CONNECT_SECONDS, Client

MOST_MESSAGE = 32_000_000
"""The longest message in bytes; failures carry printed tensors."""
MOST_PREVIEW = 4_000_000
"""Pixels of the largest preview that is decoded."""
_BOUNDS = untrusted.Bounds(bytes=MOST_MESSAGE, depth=32, text=MOST_MESSAGE)
_PREVIEW, _PREVIEW_WITH_FACTS = 1, 4
_FLAGS = '{"type": "feature_flags", "data": {"supports_preview_metadata": true}}'


@dataclass(frozen=True)
class Told:
    """One message."""

    event: str
    """ComfyUI's name of it; ``preview`` for a picture."""
    data: Mapping[str, Any] = field(default_factory=dict)
    preview: Image.Image | None = None

    @property
    def prompt_id(self) -> str:
        """The job that it is about; empty for none."""
        return str(self.data.get("prompt_id", ""))


class Watch:
    """The websocket of one job, opened before the job is sent, so that nothing is missed."""

    def __init__(self, client: Client, client_id: str) -> None:
        self._client, self._client_id = client, client_id
        self._open = ExitStack()
        self._socket: ClientConnection | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages may still come."""
        return self._socket is not None

    def open(self) -> bool:
        """Connect, unless that cannot be done now; what was open before is closed first.

        Two sockets of one client id at once would silence the newer one when the server notices the older one's end.
        """
        self.close()
        try:
            self._socket = self._open.enter_context(self._connect())
            self._socket.send(_FLAGS)
        except (OSError, WebSocketException, InvalidHandshake, TimeoutError, EOFError):
            self.close()
        return self.is_open

    def _connect(self) -> Any:
        parts = urlsplit(self._client.server.url)
        secure = parts.scheme == "https"
        path = f"{parts.path}/ws"
        address = urlunsplit(
            ("wss" if secure else "ws", parts.netloc, path, urlencode({"clientId": self._client_id}), "")
        )
        port = parts.port or (443 if secure else 80)
        # With a socket of our own the library follows no redirect to another host.
        mine = socket.create_connection((parts.hostname or "", port), CONNECT_SECONDS)
        mine.settimeout(None)
        return connect(
            address,
            sock=mine,
            ssl=self._client.tls,
            additional_headers=self._client.headers,
            open_timeout=CONNECT_SECONDS,
            close_timeout=0.2,
            ping_interval=None,  # a busy machine misses its answers, and the polls find out who is gone
            max_size=MOST_MESSAGE,
            proxy=None,
        )

    def read(self, seconds: float) -> Told | None:
        """The next message, waited for so long; None where none came, or none that is understood."""
        if self._socket is None:
            time.sleep(seconds)
            return None
        try:
            message = self._socket.recv(timeout=seconds)
        except TimeoutError:
            return None
        except (OSError, WebSocketException, EOFError):
            self.close()
            return None
        return _read_binary(message) if isinstance(message, bytes) else _read_text(message)

    def close(self) -> None:
        """Let go of the connection."""
        self._socket = None
        with contextlib.suppress(OSError, WebSocketException, EOFError):
            self._open.close()
        self._open = ExitStack()


def _read_text(message: str) -> Told | None:
    try:
        found = untrusted.parse_json(message, "a message", _BOUNDS)
    except BadInput:
        return None
    data = found.get("data") if isinstance(found, dict) else None
    return Told(str(found.get("type", "")), data) if isinstance(data, dict) else None


def _read_binary(message: bytes) -> Told | None:
    """A preview; big-endian: the kind, then for previews with facts the length of their JSON and the JSON."""
    try:
        kind, second = struct.unpack(">II", message[:8])
    except struct.error:
        return None
    if kind == _PREVIEW:
        return _preview(message[8:], {})
    if kind != _PREVIEW_WITH_FACTS or second > len(message):
        return None
    told = _read_text('{"type": "preview", "data": ' + message[8 : 8 + second].decode("utf-8", "replace") + "}")
    return _preview(message[8 + second :], told.data if told else {})


def _preview(data: bytes, facts: Mapping[str, Any]) -> Told | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as found:
                if found.width * found.height > MOST_PREVIEW:
                    return None
                return Told("preview", facts, found.convert("RGB"))
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError, struct.error):
        return None
