"""What stands before every route: host, origin, token, rate and size are checked before a body is read or decoded."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imagewright.errors import BadInput
from imagewright.serve.clients import ClientAccount, Clients
from imagewright.serve.faults import Denied
from imagewright.serve.page import WEB
from imagewright.untrusted import Bounds, parse_json

OPEN_PATHS = frozenset({"/", "/health", "/ready", "/openapi.json"})
"""What is told without a token."""
SIGNED = "/v1/files/"
"""Where links lead that carry their own signature."""
MOST_JSON = 1_000_000
MOST_WITH_PICTURES = 40_000_000
"""Bytes of a body that brings pictures: form data, the messages of a chat, or a workflow's file."""
_PICTURES_IN_JSON = ("/v1/chat/completions", "/v1/responses", "/v1/flows", "/v1/flows/preview")
_REQUEST_ID = re.compile(r"[\w.:-]{1,80}")


@dataclass(frozen=True)
class Doors:
    """Whom the server answers: the names under which it is reached, and the pages that may ask."""

    hosts: frozenset[str] = frozenset()
    """Names beside the loopback's, without ports."""
    origins: frozenset[str] = frozenset()
    """Origins of pages, such as ``https://chat.example.org``."""
    body_seconds: float = 60.0
    """How long a body may take to arrive."""

    def knows_host(self, header: str | None) -> bool:
        """Whether a ``Host`` header names this server."""
        name = _host_name(header or "")
        return name in self.hosts or _is_loopback(name)

    def admits_origin(self, header: str | None, host: str | None) -> bool:
        """Whether a page of that origin may ask; programs send none. ``null`` may not."""
        if header is None or header in self.origins:
            return True
        parts = _split(header)
        return bool(host) and parts is not None and parts == (host or "").lower()


def _host_name(header: str) -> str:
    """``[::1]:8000`` → ``::1``; empty for what is no host."""
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?", header)
    return (found[1] or found[2]).lower().rstrip(".") if found else ""


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _split(origin: str) -> str | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") and not parts.path else None


class Guard:
    """The middleware. A request that passes carries its client in ``scope["state"]["client"]``."""

    def __init__(self, app: ASGIApp, clients: Clients, doors: Doors) -> None:
        self.app, self.clients, self.doors = app, clients, doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or deny."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        identity = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = identity
        answer = _Answer(send, identity)
        try:
            scope["state"]["client"] = self._admit(scope, headers)
            received = await self._receive(scope, headers, receive)
        except Denied as refused:
            response = refused.to_response()
            response.headers["connection"] = "close"
            await response(scope, receive, answer)
            return
        await self.app(scope, received, answer)

    def _admit(self, scope: Scope, headers: Headers) -> ClientAccount | None:
        """The client whose request it is; None for what needs none."""
        if len(headers) > 100:
            raise Denied("too_large", "there are more than 100 headers", "send fewer")
        if len(headers.getlist("host")) != 1 or not self.doors.knows_host(headers.get("host")):
            raise Denied("wrong_host", "this server does not answer to that name", "see --allow-host")
        if not self.doors.admits_origin(headers.get("origin"), headers.get("host")):
            raise Denied("wrong_origin", "pages of that origin may not ask", "see --allow-origin")
        path = scope["path"]
        if path in OPEN_PATHS or path.startswith((SIGNED, WEB)):
            return None
        client = self._identify(headers)
        if wait := self.clients.seconds_to_wait(client):
            raise Denied("rate_limited", f"{client.name} may ask again in {wait} s", "ask less often", wait=wait)
        return client

    def _identify(self, headers: Headers) -> ClientAccount:
        """Two header names, one check."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if kind.lower() == "bearer" else headers.get("x-api-key", "")
        client = self.clients.identify(given) if given else None
        if client is None:
            raise Denied("invalid_token", "no such token" if given else "no token was sent", _HOW)
        return client

    # --- bodies -----------------------------------------------------------------------------

    async def _receive(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """How the application reads the body: counted and timed; JSON is read and checked here."""
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        form = kind == "multipart/form-data"
        pictures = form or scope["path"] in _PICTURES_IN_JSON
        bounded = _Bounded(receive, MOST_WITH_PICTURES if pictures else MOST_JSON, self.doors.body_seconds)
        bounded.check_length(headers.get("content-length"))
        if form or scope["method"] in ("GET", "HEAD", "DELETE", "OPTIONS"):
            return bounded.receive
        body = await bounded.read_all()
        if body and (not kind or kind.endswith("json")):
            most = MOST_WITH_PICTURES if pictures else MOST_JSON
            _check_json(body, Bounds(bytes=most, depth=32, objects=20_000, values=200_000, text=most, remedy=_BODY))
        return _replay(body, receive)


_HOW = "send `Authorization: Bearer TOKEN`; the owner's is in server.json in the home"
_BODY = "send one JSON object as /openapi.json describes it"


def _check_json(body: bytes, bounds: Bounds) -> None:
    try:
        parse_json(body, "the body", bounds)
    except BadInput as error:
        raise Denied("bad_input", str(error), error.remedy) from None


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read, then whatever comes (that the client went away)."""
    pending = [body]

    async def give() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return give


class _Bounded:
    """Counts and times what comes in."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive, self._most, self._seconds = receive, most, seconds
        self._count, self._whole, self._deadline = 0, False, 0.0

    def check_length(self, header: str | None) -> None:
        """Refuse a body by its announced length."""
        if header is None:
            return
        if not header.isascii() or not header.isdigit():
            raise Denied("bad_input", "the Content-Length is no number", "send one")
        if len(header) > 12 or int(header) > self._most:
            raise self._too_large()

    def _too_large(self) -> Denied:
        return Denied("too_large", f"the body is larger than {self._most // 1_000_000} MB", "send less")

    async def receive(self) -> Message:
        """The next piece; raises ``Denied`` where it is too much or too late."""
        if self._whole:
            return await self._receive()
        loop = asyncio.get_running_loop()
        self._deadline = self._deadline or loop.time() + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise Denied("too_slow", "the body took too long to arrive", "send it faster") from None
        self._count += len(message.get("body", b""))
        if self._count > self._most:
            raise self._too_large()
        self._whole = not message.get("more_body", False)
        return message

    async def read_all(self) -> bytes:
        """The whole body."""
        parts = []
        while not self._whole:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Denied("bad_input", "the body was not sent to its end", _BODY)
            parts.append(message.get("body", b""))
        return b"".join(parts)


class _Answer:
    """Adds to every answer what all have."""

    def __init__(self, send: Send, identity: str) -> None:
        self._send, self._identity = send, identity

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._identity
            headers.setdefault("x-content-type-options", "nosniff")
            headers.setdefault("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
            headers.setdefault("cache-control", "no-store")
            headers.setdefault("referrer-policy", "no-referrer")
        await self._send(message)
