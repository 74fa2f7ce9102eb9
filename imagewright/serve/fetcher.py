"""The one place that fetches an address for a client, where the owner switched it on (``serve --fetch-urls``).

A name is resolved once, each of its addresses must be a public machine's, and the connection goes to the address that
was looked at; a redirect is a new address, looked at anew. Nothing of ours is sent along, and what comes is bounded in
size and time and then read as an upload is, by its content.
"""

from __future__ import annotations

import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import cast
from urllib.parse import SplitResult, urljoin, urlsplit

import imagewright
from imagewright.serve.faults import Denied
from imagewright.serve.renders import UPLOAD_BYTES, read_data_url

SECONDS = 15.0
"""For a whole fetch, redirects included."""
REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}
_MOVED = frozenset({301, 302, 303, 307, 308})
_LONGEST = 2000
_CHUNK = 65_536
_HEADERS = {
    "User-Agent": f"imagewright/{imagewright.__version__}",
    "Accept": "image/png, image/jpeg, image/webp",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23",
        "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
"""Beside what ``ipaddress`` knows: addresses within addresses (mapped, NAT64, 6to4, Teredo), and a cloud's own door."""
Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a name."""
Dial = Callable[[str, int, float], socket.socket]
"""A connection to an address and a port within so many seconds."""


def is_public(address: str) -> bool:
    """Whether an address is a machine's on the open internet, in no way a private one's, this one's or many ones'."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not found.is_global or found.is_multicast or found.is_reserved or found.is_unspecified:
        return False
    return not any(found.version == net.version and found in net for net in _NEVER)


def _resolve(host: str, port: int) -> Sequence[str]:
    return [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _dial(address: str, port: int, seconds: float) -> socket.socket:
    return socket.create_connection((address, port), seconds)


class PictureFetcher:
    """Fetches what a client names, within bounds. ``resolve`` and ``dial`` are the network's."""

    def __init__(self, resolve: Resolve = _resolve, dial: Dial = _dial, seconds: float = SECONDS) -> None:
        self._resolve, self._dial, self._seconds = resolve, dial, seconds

    def fetch(self, url: str, param: str) -> bytes:
        """What lies at ``url``: at most ``UPLOAD_BYTES``, not yet looked at.

        Raises:
            Denied: it may not be fetched, is no file, is too large or came too slowly.
        """
        deadline = time.monotonic() + self._seconds
        try:
            for _ in range(REDIRECTS + 1):
                parts = _check_url(url, param)
                answer = self._get(parts, param, deadline)
                if isinstance(answer, bytes):
                    return answer
                if parts.scheme == "https" and urlsplit(urljoin(url, answer)).scheme == "http":
                    raise _refuse(param, "it leads from https to http")
                url = urljoin(url, answer)
        except (OSError, http.client.HTTPException, ValueError):
            late = time.monotonic() >= deadline
            raise _refuse(param, "it came too slowly" if late else "nobody answers as a web server does") from None
        raise _refuse(param, f"it leads on more than {REDIRECTS} times")

    def _get(self, parts: SplitResult, param: str, deadline: float) -> bytes | str:
        """The bytes there, or the address that it leads on to."""
        host, port = parts.hostname or "", _PORTS[parts.scheme]
        address = self._choose_address(host, port, param, deadline)
        held = [self._dial(address, port, _left(deadline))]
        end = threading.Timer(_left(deadline), _cut, [held])  # a byte now and then would outlive every timeout
        end.daemon = True
        end.start()
        try:
            if parts.scheme == "https":
                context = ssl.create_default_context()
                held[0] = context.wrap_socket(held[0], server_hostname=host, do_handshake_on_connect=False)
                cast(ssl.SSLSocket, held[0]).do_handshake()
            answer = _ask(held[0], parts, param)
            _left(deadline)  # what was cut off looks like an end
            return answer
        finally:
            end.cancel()
            held[0].close()

    def _choose_address(self, host: str, port: int, param: str, deadline: float) -> str:
        """The address to connect to: the first, where all that the name has are public."""
        found: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                found.put(self._resolve(host, port))
            except (OSError, UnicodeError) as error:
                found.put(OSError(str(error)))

        threading.Thread(target=look_up, daemon=True).start()
        try:
            addresses = found.get(timeout=_left(deadline))
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(addresses, OSError):
            raise addresses
        if not addresses or not all(map(is_public, addresses)):
            raise _refuse(param, "it is no public machine's")
        return addresses[0]


def read_image_url(url: str, param: str, fetcher: PictureFetcher | None) -> bytes:
    """The bytes of a picture that a client names by address: a ``data:`` one, or with a fetcher one of the web.

    Raises:
        Denied: it is another address, or cannot be had.
    """
    if fetcher is not None and url[:8].lower().startswith(("http://", "https://")):
        return fetcher.fetch(url, param)
    return read_data_url(url, param)


def _check_url(url: str, param: str) -> SplitResult:
    plain = len(url) <= _LONGEST and url.isascii() and not any(c <= " " or c in '\\"<>^`{|}\x7f' for c in url)
    parts = urlsplit(url) if plain else None
    if parts is None or parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise _refuse(param, "it is no plain http or https address")
    if parts.port not in (None, _PORTS[parts.scheme]):
        raise _refuse(param, "it names a port of its own")
    return parts


def _ask(sock: socket.socket, parts: SplitResult, param: str) -> bytes | str:
    connection = http.client.HTTPConnection(parts.netloc)
    connection.sock = sock
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    connection.request("GET", path, headers=_HEADERS)
    answer = connection.getresponse()
    if answer.status in _MOVED and (onward := answer.getheader("Location")):
        return onward
    if answer.status != http.client.OK:
        raise _refuse(param, f"it answers {answer.status}")
    if answer.getheader("Content-Encoding", "identity").lower() != "identity":
        raise _refuse(param, "it is sent compressed")
    return _read(answer, param)


def _read(answer: http.client.HTTPResponse, param: str) -> bytes:
    data = bytearray()
    if (answer.length or 0) > UPLOAD_BYTES:
        raise _too_large(param)
    while chunk := answer.read(_CHUNK):
        data += chunk
        if len(data) > UPLOAD_BYTES:
            raise _too_large(param)
    if answer.length:
        raise http.client.IncompleteRead(bytes(data))
    return bytes(data)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _cut(held: list[socket.socket]) -> None:
    with suppress(OSError):
        held[0].shutdown(socket.SHUT_RDWR)


def _refuse(param: str, why: str) -> Denied:
    return Denied("bad_input", f"{param} is not fetched: {why}", "send the picture as a data: URL", param=param)


def _too_large(param: str) -> Denied:
    return Denied("too_large", f"{param} is larger than {UPLOAD_BYTES // 1_000_000} MB", "send less", param=param)
