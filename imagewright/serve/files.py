"""``GET /v1/files/…``: pictures by signed links, which need no token."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, Response

from imagewright.schemas import RunResult
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.house import ERRORS, AtHouse, House
from imagewright.serve.renders import MEDIA_TYPES, render_as

router = APIRouter(tags=["pictures"])
_NAME = re.compile(r"([0-9a-f]{64})\.(png|webp|jpeg)")
_THUMBNAIL = re.compile(r"([0-9a-f]{64})\.thumbnail\.webp")
_DELIVERED = re.compile(r"(\d{8}-\d{6}-[0-9a-f]{6})\.(png|webp|jpe?g)")
_BYTES = {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()}}
_HEADERS = {"cache-control": "private, max-age=3600", "x-content-type-options": "nosniff"}
PICTURE_ANSWERS = {**ERRORS, 200: {"description": "The picture", **_BYTES}}


@router.get("/v1/files/{name}", response_class=Response, responses=PICTURE_ANSWERS)
async def get_file(
    name: str,
    house: AtHouse,
    until: Annotated[int, Query(ge=0, le=2**40)] = 0,
    signature: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """What a link leads to, while it is good: a picture, its thumbnail, or the file that a run has delivered."""
    if not house.signer.accepts(name, until, signature):
        raise Denied("not_allowed", "the link was altered or is too old", "ask for a new one")
    if found := _DELIVERED.fullmatch(name):
        path = await in_thread(find_delivered, house, found[1])
        kind = MEDIA_TYPES[found[2].replace("jpg", "jpeg")]
        return FileResponse(path, media_type=kind, filename=f"imagewright-{name}", headers=_HEADERS)
    if found := _THUMBNAIL.fullmatch(name):
        return FileResponse(await in_thread(_thumbnail, house, found[1]), media_type="image/webp", headers=_HEADERS)
    found = _NAME.fullmatch(name)
    if found is None:
        raise Denied("not_found", "there is no such picture")
    data = await in_thread(_read, house, found[1], found[2])
    return Response(data, media_type=MEDIA_TYPES[found[2]], headers=_HEADERS)


def name_thumbnail(image: str) -> str:
    """The file name under which a picture's thumbnail is linked."""
    return f"{image}.thumbnail.webp"


def link_delivered(request: Request, house: House, result: RunResult) -> str | None:
    """A signed link to the file that a run has delivered; None where it is not there any more."""
    path = Path(result.path)
    return house.link(request, f"{result.run}{path.suffix.lower() or '.png'}") if path.is_file() else None


def find_delivered(house: House, run: str) -> Path:
    """The file that a run has delivered: prompt, workflow and trace stand in it.

    Raises:
        Denied: there is none, or none any more.
    """
    result = house.desk.engine.runs.get(run).result
    if result is None or not Path(result.path).is_file():
        raise Denied("not_found", "this run has delivered no picture that is still there")
    return Path(result.path)


def _thumbnail(house: House, image: str) -> Path:
    if not house.desk.engine.store.has(image):
        raise Denied("not_found", "the picture was deleted")
    return house.desk.engine.store.thumbnail(image)


def _read(house: House, image: str, kind: str) -> bytes:
    store = house.desk.engine.store
    if not store.has(image):
        raise Denied("not_found", "the picture was deleted")
    return render_as(store.get(image).read_bytes(), kind)  # type: ignore[arg-type]
