"""A server's own list of nodes: ``/object_info`` over HTTP, bounded in time and size."""

from __future__ import annotations

import http.client
import time
import urllib.request
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.retrieval.comfy.catalogue import Catalogue

MAX_OBJECT_INFO = untrusted.NODE_LIST.bytes
"""The longest answer that is read, in bytes; servers with very many nodes send about 20 MB."""
SECONDS = 60.0
_REMEDY = "start ComfyUI and give its address, like http://127.0.0.1:8188"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The address that the person named is the one that is asked."""

    def redirect_request(self, *_: object) -> None:
        return None


def fetch_object_info(url: str, seconds: float = SECONDS) -> Catalogue:
    """The nodes of the ComfyUI server at ``url`` (http or https); it answers within ``seconds``.

    Raises:
        BadInput: the address is no http(s) address, nothing answers there, the answer is too long, or it is not a
            list of nodes.
    """
    address, shown = _address(url)
    try:
        data = _get(address, seconds)
    except (OSError, URLError, http.client.HTTPException) as error:
        raise BadInput(f"{shown} does not answer: {str(error)[:200]}", _REMEDY) from None
    try:
        info = untrusted.parse_json(data, shown, untrusted.NODE_LIST)
    except BadInput:
        raise BadInput(f"what {shown} answers is not a list of ComfyUI's nodes", _REMEDY) from None
    return Catalogue.from_object_info(info, shown)


def _address(url: str) -> tuple[str, str]:
    """Where the list stands on the server of ``url``, and the server as it is shown: without user and password."""
    try:
        parts = urlsplit(url.strip())
        named = parts.scheme in ("http", "https") and parts.hostname
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        named = None
    if not named:
        raise BadInput(f"{url[:200]!r} is not the address of a server", _REMEDY)
    address = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + "/object_info", "", ""))
    return address, f"{parts.scheme}://{named}{port}"


def _get(address: str, seconds: float) -> bytes:
    opener = urllib.request.build_opener(_NoRedirects)
    until, parts, length = time.monotonic() + seconds, [], 0
    with opener.open(address, timeout=seconds) as answer:
        while block := answer.read(1 << 16):
            parts.append(block)
            length += len(block)
            if length > MAX_OBJECT_INFO:
                raise BadInput(f"the server's list of nodes is longer than {MAX_OBJECT_INFO // 1_000_000} MB", _REMEDY)
            if time.monotonic() > until:
                raise TimeoutError(f"it took longer than {seconds:g} seconds")
    return b"".join(parts)
