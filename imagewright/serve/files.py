"""``GET /v1/files/…``: pictures by signed links, which need no token."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.house import ERRORS, AtHouse, House
from imagewright.serve.renders import MEDIA_TYPES, render_as

router = APIRouter(tags=["pictures"])
_NAME = re.compile(r"([0-9a-f]{64})\.(png|webp|jpeg)")
_BYTES = {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()}}
PICTURE_ANSWERS = {**ERRORS, 200: {"description": "The picture", **_BYTES}}


@router.get("/v1/files/{name}", response_class=Response, responses=PICTURE_ANSWERS)
async def get_file(
    name: str,
    house: AtHouse,
    until: Annotated[int, Query(ge=0, le=2**40)] = 0,
    signature: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The picture that a link leads to, while it is good."""
    if not house.signer.accepts(name, until, signature):
        raise Denied("not_allowed", "the link was altered or is too old", "ask for a new one")
    found = _NAME.fullmatch(name)
    if found is None:
        raise Denied("not_found", "there is no such picture")
    data = await in_thread(_read, house, found[1], found[2])
    return Response(data, media_type=MEDIA_TYPES[found[2]], headers={"cache-control": "private, max-age=3600"})


def _read(house: House, image: str, kind: str) -> bytes:
    store = house.desk.engine.store
    if not store.has(image):
        raise Denied("not_found", "the picture was deleted")
    return render_as(store.get(image).read_bytes(), kind)  # type: ignore[arg-type]
