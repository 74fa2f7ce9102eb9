"""A server on the loopback that speaks the wire formats of two providers and breaks in every way that they do.

``POST /v1/chat/completions`` is OpenAI's, ``POST /v1/messages`` Anthropic's. Which answer comes is decided by a
``Fault``; a good answer is found from the prompt by ``good``.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Good = Callable[[Body], str]
"""The right answer to a request, as text."""
Refuse = Callable[[Body], "tuple[int, Any] | None"]
"""Status and body of a refusal; None for a request that is taken."""
Wire = Callable[[Body, str], Any]
"""The body of an answer that says a text, in a form of the server's own."""


class Fault:
    """How one server misbehaves: a name, and the requests that it has seen.

    ``refuse`` says which requests the server does not take; ``wire`` how its answers look where they look otherwise.
    """

    def __init__(
        self, name: str, good: Good, times: int = 10**9, refuse: Refuse | None = None, wire: Wire | None = None
    ) -> None:
        self.name, self.good, self.times = name, good, times
        self.refuse, self.wire = refuse, wire
        self.leads = ""
        """Where a redirect leads."""
        self.requests: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.release = threading.Event()
        """Ends every stall."""

    @property
    def active(self) -> bool:
        """Whether this request, the last one seen, is still one that fails."""
        return len(self.requests) <= self.times


def texts(body: Body) -> str:
    """All that a request says, whatever its form."""
    parts = [body.get("system", "")] + [message.get("content", "") for message in body["messages"]]
    return "\n".join(_flat(part) for part in parts)


def _flat(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or () if isinstance(part, dict))


def has_picture(body: Body) -> bool:
    """Whether a request shows a picture."""
    kinds = {part.get("type") for message in body["messages"] for part in message["content"] if isinstance(part, dict)}
    return bool(kinds & {"image_url", "image"})


def wants_schema(body: Body) -> bool:
    """Whether a request asks for JSON by other means than words."""
    return any(key in body for key in ("response_format", "tools", "output_config", "output_format"))


# --- answers on the wire --------------------------------------------------------------------


def answered(path: str, body: Body, text: str, **more: Any) -> Body:
    """A well-formed answer that says ``text``, through the tool that was asked for where there is one."""
    tool = (body.get("tools") or [None])[0]
    if path.endswith("/messages"):
        content: list[Body] = [{"type": "text", "text": text}]
        if tool and "arguments" not in more:
            content = [{"type": "tool_use", "id": "t1", "name": tool["name"], "input": _object(text)}]
        return {
            "id": "m1", "type": "message", "role": "assistant", "model": "m", "content": content,
            "stop_reason": more.get("stop", "end_turn"), "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 20},
        }  # fmt: skip
    message: Body = {"role": "assistant", "content": text, "refusal": more.get("refusal")}
    if tool:
        call = {"name": tool["function"]["name"], "arguments": more.get("arguments", text)}
        message |= {"content": None, "tool_calls": [{"id": "t1", "type": "function", "function": call}]}
    return {
        "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": more.get("finish", "stop")}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }  # fmt: skip


def _object(text: str) -> Body:
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        value = json.loads(found[0]) if found else {"said": text}
    except ValueError:
        value = {"said": text}
    return value if isinstance(value, dict) else {"said": text}


SAYS: dict[str, Callable[[str], str]] = {
    "fine": lambda good: good,
    "empty": lambda good: "",
    "truncated JSON": lambda good: good[: len(good) // 2],
    "prose around JSON": lambda good: f"Of course! Here it is:\n```json\n{good}\n```\nAnything else?",
    "prose": lambda good: "I think that a nice picture would be lovely.",
    "wrong enum": lambda good: re.sub(r'"(flow|answer|kind|label|object)": "[^"]*"', r'"\1": "quite wrong"', good),
    "wrong types": lambda good: re.sub(r": (\"[^\"]*\"|[\d.]+)", r': ["x"]', good),
    "extra fields": lambda good: good.replace("{", '{"surprise": [1, 2], ', 1),
    "1 MB": lambda good: "word " * 200_000,
    "1 MB of brackets": lambda good: '{"a": ' * 170_000,
    "no object": lambda good: json.dumps([1, 2, 3]),
}
"""Faults that are a matter of what is said."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request as the server's fault demands."""

    protocol_version = "HTTP/1.1"

    @property
    def fault(self) -> Fault:
        """The fault of this server."""
        return self.server.fault  # type: ignore[attr-defined, no-any-return]

    def do_POST(self) -> None:
        """Read, then misbehave."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.fault.requests.append(body)
        self.fault.headers.append({key.lower(): value for key, value in self.headers.items()})
        if self.fault.refuse is not None and (refused := self.fault.refuse(body)) is not None:
            return self._json(*refused)
        if self.fault.wire is not None:
            return self._json(200, self.fault.wire(body, self.fault.good(body)))
        name = self.fault.name if self.fault.active else "fine"
        if name in SAYS:
            return self._json(200, answered(self.path, body, SAYS[name](self.fault.good(body))))
        return getattr(self, f"_{name.replace(' ', '_').replace('-', '_')}")(body)  # type: ignore[no-any-return]

    def _429(self, body: Body) -> None:
        self._error(429, "rate limited, slow down", {"Retry-After": "0"})

    def _429_for_an_hour(self, body: Body) -> None:
        self._error(429, "rate limited, slow down", {"Retry-After": "3600"})

    def _500(self, body: Body) -> None:
        self._error(500, "internal error")

    def _401(self, body: Body) -> None:
        key = self.headers.get("Authorization", "") + self.headers.get("X-Api-Key", "")
        self._error(401, f"Incorrect API key provided: {key}")

    def _redirect(self, body: Body) -> None:
        """Sends the request on, body and all."""
        self._json(307, {}, {"Location": self.fault.leads + self.path})

    def _redirect_within(self, body: Body) -> None:
        """The same, to another address of this server."""
        if self.path.startswith("/there"):
            return self._json(200, answered(self.path, body, self.fault.good(body)))
        return self._json(307, {}, {"Location": "/there" + self.path})

    def _page(self, body: Body) -> None:
        """A web page, as a wrong address gives."""
        data = b"<!doctype html><html><body>Welcome!</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _reset(self, body: Body) -> None:
        """Half an answer, then the connection is reset."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "5000")
        self.end_headers()
        self.wfile.write(b'{"id": "c1", "object": "chat.completion", "choices": [{"mess')
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _stall(self, body: Body) -> None:
        """Says nothing for a minute, or until the test is over."""
        self.fault.release.wait(60)
        self.close_connection = True

    def _drip(self, body: Body) -> None:
        """A byte now and then: a client that only times its reads would wait for ever."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        for _ in range(100_000):
            if self.fault.release.wait(0.05):
                break
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                break
        self.close_connection = True

    def _refusal(self, body: Body) -> None:
        words = "I cannot help with that."
        more = {"refusal": words, "stop": "refusal", "arguments": ""}
        self._json(200, answered(self.path, {**body, "tools": None}, "" if "chat" in self.path else words, **more))

    def _bad_arguments(self, body: Body) -> None:
        """A tool call whose arguments are no JSON."""
        self._json(200, answered(self.path, body, "no tool for me", arguments='{"flow": oops, '))

    def _no_schema(self, body: Body) -> None:
        if wants_schema(body):
            self._error(400, "json_schema, tools and response_format are not supported")
        else:
            self._json(200, answered(self.path, body, self.fault.good(body)))

    def _no_vision(self, body: Body) -> None:
        if has_picture(body):
            self._error(400, "this model does not support image input")
        else:
            self._json(200, answered(self.path, body, self.fault.good(body)))

    def _echo(self, body: Body) -> None:
        """Says every header that it was sent, keys and all, inside an answer that can be used."""
        said = json.dumps(" ".join(self.headers.values()))[1:-1][:200]
        text = re.sub(r'("reason": )"[^"]*"', rf'\1"{said}"', self.fault.good(body))
        self._json(200, answered(self.path, body, text))

    def _error(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        error = {"type": "error", "message": message, "code": None, "param": None}
        self._json(status, {"type": "error", "error": error}, headers)

    def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@contextmanager
def serving(fault: Fault) -> Iterator[str]:
    """The address of a server with this fault, up to ``/v1``."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    http.fault = fault  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        fault.release.set()
        http.shutdown()
        thread.join()
        http.server_close()
