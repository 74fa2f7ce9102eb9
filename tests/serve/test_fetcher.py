"""The guarded fetcher: attacks, each refused before a byte is sent to where it must not go, and what is fetched."""

from __future__ import annotations

import base64
import contextlib
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx
import pytest
from PIL import Image

from imagewright.serve.faults import Denied
from imagewright.serve.fetcher import PictureFetcher, is_public, read_image_url
from imagewright.serve.renders import UPLOAD_BYTES

PUBLIC = "93.184.216.34"


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(buffer, "PNG")
    return buffer.getvalue()


class Web(BaseHTTPRequestHandler):
    """A web server with picture, redirects and bad manners; it notes what it is sent."""

    seen: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_GET(self) -> None:
        type(self).seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        name, _, rest = self.path.lstrip("/").partition("?")
        getattr(self, f"send_{name.partition('.')[0]}", self.send_missing)(rest)

    def send_picture(self, rest: str) -> None:
        self.answer(200, png(), {"Set-Cookie": "a=b", "Content-Type": "text/html"})

    def send_to(self, rest: str) -> None:
        self.answer(302, b"", {"Location": rest})

    def send_again(self, rest: str) -> None:
        self.answer(301, b"", {"Location": f"/again?{int(rest) - 1}" if int(rest) else "/picture.png"})

    def send_zipped(self, rest: str) -> None:
        self.answer(200, png(), {"Content-Encoding": "gzip"})

    def send_promise(self, rest: str) -> None:
        self.answer(200, b"", {"Content-Length": str(UPLOAD_BYTES + 1)})

    def send_endless(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(UPLOAD_BYTES // 1_000_000 + 2):
            self.wfile.write(bytes(1_000_000))

    def send_drip(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def send_cut(self, rest: str) -> None:
        self.answer(200, png()[:40], {"Content-Length": "400"})

    def send_missing(self, rest: str) -> None:
        self.answer(404, b"no", {})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def web() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


class Net:
    """A network in which every public address is the test's web server, and names have the addresses they are given."""

    def __init__(self, port: int, names: dict[str, list[str]]) -> None:
        self.port, self.names = port, names
        self.asked: list[str] = []
        self.dialled: list[tuple[str, int]] = []

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host in self.names:
            return self.names[host]
        return [str(row[4][0]) for row in socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)]

    def dial(self, address: str, port: int, seconds: float) -> socket.socket:
        self.dialled.append((address, port))
        return socket.create_connection(("127.0.0.1", self.port), seconds)


@pytest.fixture
def net(web: int) -> Net:
    Web.seen.clear()
    return Net(web, {"good.example": [PUBLIC], "two.example": [PUBLIC, "10.0.0.1"], "none.example": []})


@pytest.fixture
def fetch(net: Net) -> Callable[..., bytes]:
    return lambda url, seconds=10.0: PictureFetcher(net.resolve, net.dial, seconds).fetch(url, "image_url")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
        "169.254.169.254", "168.63.129.16", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1",
        "::ffff:127.0.0.1", "::ffff:93.184.216.34", "::ffff:0:93.184.216.34", "64:ff9b::7f00:1", "64:ff9b:1::1",
        "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0",
        "fec0::1", "ff02::1", "ff0e::1", "localhost", "", "93.184.216",
    ],
)  # fmt: skip
def test_no_address_but_a_public_one(address: str, net: Net, fetch: Callable[..., bytes]) -> None:
    assert not is_public(address)
    net.names["evil.example"] = [address]
    with pytest.raises(Denied, match="no public machine"):
        fetch("http://evil.example/picture.png")
    assert net.dialled == []


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1/", "no public"),
        ("http://[::1]/", "no public"),
        ("http://[::ffff:7f00:1]/", "no public"),
        ("http://2130706433/", "no public"),
        ("http://0177.0.0.1/", "no public"),
        ("http://0x7f.1/", "no public"),
        ("http://two.example/picture.png", "no public"),
        ("http://none.example/picture.png", "no public"),
        ("http://good.example:8080/picture.png", "port of its own"),
        ("https://good.example:80/picture.png", "port of its own"),
        ("http://good.example:99999/", "web server"),
        ("http://user:word@good.example/picture.png", "plain"),
        ("http://good.example@127.0.0.1/", "plain"),
        ("http://good.example\\@127.0.0.1/", "plain"),
        ("http://good.example/\r\nX-Evil: 1", "plain"),
        ("http://good.example/a b", "plain"),
        ("http://gööd.example/", "plain"),
        ("http:///picture.png", "plain"),
        ("ftp://good.example/picture.png", "plain"),
        ("file:///etc/passwd", "plain"),
        (f"http://good.example/{'x' * 3000}", "plain"),
        ("http://good.example/to?http://127.0.0.1/picture.png", "no public"),
        ("http://good.example/to?http://169.254.169.254/latest/meta-data", "no public"),
        ("http://good.example/to?//two.example/", "no public"),
        ("http://good.example/to?file:///etc/passwd", "plain"),
        ("http://good.example/to?http://good.example:22/", "port of its own"),
        ("http://good.example/again?4", "more than 3"),
        ("http://good.example/zipped", "compressed"),
        ("http://good.example/promise", "larger than 20 MB"),
        ("http://good.example/endless", "larger than 20 MB"),
        ("http://good.example/cut", "web server"),
        ("http://good.example/gone", "answers 404"),
    ],
)
def test_attacks_are_refused(url: str, why: str, net: Net, fetch: Callable[..., bytes]) -> None:
    with pytest.raises(Denied, match=why):
        fetch(url)
    assert {address for address, _ in net.dialled} <= {PUBLIC}


def test_a_name_is_resolved_once_and_the_address_that_was_looked_at_is_the_one_that_is_asked(
    net: Net, fetch: Callable[..., bytes]
) -> None:
    """A name that is public when it is looked at and this machine's a moment later gains nothing."""
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    net.resolve = lambda host, port: next(answers)  # type: ignore[method-assign]
    assert fetch("http://rebound.example/picture.png") == png()
    assert net.dialled == [(PUBLIC, 80)]


def test_a_picture_comes_by_redirects_and_nothing_of_ours_goes_along(net: Net, fetch: Callable[..., bytes]) -> None:
    assert fetch("HTTP://good.example/again?2") == png()
    assert net.asked == ["good.example"] * 4, "each of the addresses is looked at"
    for _, headers in Web.seen:
        assert set(headers) == {"host", "user-agent", "accept", "accept-encoding", "connection"}
        assert headers["host"] == "good.example"


def test_a_server_that_drips_is_cut_off(fetch: Callable[..., bytes]) -> None:
    begun = time.monotonic()
    with pytest.raises(Denied, match="too slowly"):
        fetch("http://good.example/drip", 0.4)
    assert time.monotonic() - begun < 4


def test_a_resolver_that_hangs_is_not_waited_for(net: Net, fetch: Callable[..., bytes]) -> None:
    net.resolve = lambda host, port: time.sleep(3) or []  # type: ignore[method-assign,func-returns-value]
    with pytest.raises(Denied, match="too slowly"):
        fetch("http://good.example/picture.png", 0.2)


def test_without_the_switch_nothing_is_asked_of_the_web() -> None:
    with pytest.raises(Denied, match="no address is fetched"):
        read_image_url("http://good.example/picture.png", "image_url", None)


# --- at the routes ----------------------------------------------------------------------------

WISHES = {"critic": False, "max_images": 1, "flow": "mini-quick"}


def message(url: str, kind: str = "image_url") -> list[dict[str, Any]]:
    where: Any = {"url": url} if kind == "image_url" else url
    return [{"role": "user", "content": [{"type": "text", "text": "a red circle"}, {"type": kind, "image_url": where}]}]


def bodies(url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "/v1/chat/completions", {"json": {"messages": message(url), **WISHES}}
    yield "/v1/responses", {"json": {"input": message(url, "input_image"), **WISHES}}
    fields = {"prompt": "a red circle", "image_url": url, "max_images": "1"}
    yield "/v1/images/edits", {"files": {name: (None, value) for name, value in fields.items()}}


def test_routes_take_a_picture_by_address_only_where_that_is_switched_on(
    served: Any, net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = served.server.config.app.app._app
    switched_on = replace(app.state.house, fetcher=PictureFetcher(net.resolve, net.dial))
    data = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    with served.client() as http:
        for path, body in bodies("http://good.example/picture.png"):
            refused = http.post(path, **body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unsupported"), path
        monkeypatch.setitem(app.state._state, "house", switched_on)
        for path, body in bodies("http://good.example/picture.png"):
            assert _kept(http.post(path, **body), served) is not None, path
        for path, body in bodies("http://two.example/picture.png"):
            assert http.post(path, **body).status_code == 400, path
        for path, body in bodies(data):
            assert _kept(http.post(path, **body), served) is not None, path


def _kept(answer: httpx.Response, served: Any) -> str | None:
    """The picture that the newest run started from."""
    assert answer.status_code in (200, 422), answer.text
    [job] = served.server.desk.book.list_jobs("owner", 1)
    return job.order.request.image  # type: ignore[no-any-return]
