"""``/``: the page. Its files are read once when the server starts, so that no request ever names a path."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from imagewright.serve.faults import Denied

router = APIRouter(include_in_schema=False)
WEB = "/web/"
"""Where the page's files lie; they need no token, since nothing in them is anybody's."""
_FOLDER = Path(__file__).parent.parent / "web"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""No inline script or style, no eval, nothing from elsewhere, and no text ever parsed as markup."""


@dataclass(frozen=True)
class PageFile:
    """One file of the page."""

    content: bytes
    packed: bytes
    """The same by gzip, a third of the bytes."""
    kind: str
    tag: str


@cache
def read_page() -> dict[str, PageFile]:
    """The files by their names below ``/web/``, such as ``js/main.js``."""
    return {path.relative_to(_FOLDER).as_posix(): _read(path) for path in _FOLDER.rglob("*") if path.suffix in _KINDS}


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    return PageFile(
        content,
        gzip.compress(content, 9, mtime=0),
        _KINDS[path.suffix],
        f'"{hashlib.sha256(content).hexdigest()[:32]}"',
    )


@router.get("/")
async def get_page(request: Request) -> Response:
    """The page itself."""
    return _answer(request, "index.html")


@router.get(WEB + "{name:path}")
async def get_page_file(name: str, request: Request) -> Response:
    """A module, a sheet or a picture of the page."""
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    found = read_page().get(name)
    if found is None:
        raise Denied("not_found", "the page has no such file", "open / instead")
    headers = {
        "etag": found.tag,
        "cache-control": "no-cache",
        "content-security-policy": POLICY,
        "vary": "accept-encoding",
    }
    if request.headers.get("if-none-match") == found.tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, media_type=found.kind, headers={**headers, "content-encoding": "gzip"})
    return Response(found.content, media_type=found.kind, headers=headers)
