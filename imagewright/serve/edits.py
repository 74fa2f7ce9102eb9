"""``POST /v1/images/edits``: a picture that the client sends, drawn anew by words: as a whole, or inside a mask."""

from __future__ import annotations

import hashlib
from typing import Any

from fastapi import APIRouter, Request
from PIL import Image
from pydantic import Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from imagewright.serve.clients import ClientAccount
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.fetcher import read_image_url
from imagewright.serve.house import STREAMS, Asking, AtHouse, House
from imagewright.serve.images import (
    IdempotencyKey,
    ImagesAnswer,
    PictureWishes,
    answer_pictures,
    digest_of,
    orders_of,
    stream_pictures,
    user_of,
)
from imagewright.serve.knobs import Text
from imagewright.serve.orders import JobOrder
from imagewright.serve.renders import UPLOAD_BYTES, put_on_white, read_upload, to_paint

router = APIRouter(tags=["OpenAI"])
_FILES = frozenset({"image", "image[]", "mask"})


class EditRequest(PictureWishes):
    """The fields of the form beside its files."""

    prompt: Text
    strength: float | None = Field(default=None, gt=0, le=1, description="how far from the picture: 1 draws anew")
    image_url: str | None = Field(default=None, description="instead of the file: data:, or http(s) where switched on")


_FORM = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": {
        "type": "object", "required": ["image", "prompt"], "properties": {
            "image": {"type": "string", "format": "binary", "description": "a PNG, JPEG or WebP"},
            "mask": {"type": "string", "format": "binary",
                     "description": "what is transparent, or white where nothing is, is drawn anew"},
            "prompt": {"type": "string", "minLength": 1, "maxLength": 20_000}}}}}}
}  # fmt: skip


@router.post("/v1/images/edits", response_model=ImagesAnswer, responses=STREAMS, openapi_extra=_FORM)
async def edit_image(
    request: Request, house: AtHouse, client: Asking, key: IdempotencyKey = None
) -> Response | ImagesAnswer:
    """Draw a picture that is sent anew; the form's other fields are those of a generation."""
    async with open_form(request) as form:
        body, (image, mask) = _read_fields(form), await _read_files(form)
    body.check()
    if image is None:
        image = await in_thread(read_image_url, _insist_on_address(body), "image_url", house.fetcher)
    orders = await in_thread(_orders, body, house, client, image, mask)
    await in_thread(house.desk.insist_on_flow, orders[0].request)
    digest = digest_of(body, hashlib.sha256(image).digest() + hashlib.sha256(mask or b"").digest())
    jobs = await in_thread(lambda: house.desk.accept(client, orders, user=user_of(body), key=key or "", digest=digest))
    if body.stream:
        return stream_pictures(house, client, jobs, body, "image_edit", request)
    return await answer_pictures(request, house, client, jobs, body)


def open_form(request: Request) -> Any:
    """The form that a request brings, as a context.

    Raises:
        Denied: it brings none.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Denied("bad_input", "pictures are sent as multipart/form-data", "send them as a form")
    return request.form(max_files=4, max_fields=60, max_part_size=100_000)


def _read_fields(form: FormData) -> EditRequest:
    values: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            values[name] = _plain(value)
    try:
        return EditRequest.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Denied("bad_input", f"{where}: {first['msg']}", "see /openapi.json", param=where) from None


def _plain(value: str) -> Any:
    """A form's text as the value that JSON would carry: numbers stay texts, which pydantic reads."""
    return {"true": True, "false": False, "": None, "null": None}.get(value, value)


def _insist_on_address(body: EditRequest) -> str:
    if body.image_url is None:
        raise _one_image()
    return body.image_url


def _one_image() -> Denied:
    return Denied("bad_input", "an edit takes one image and at most one mask", "send one", param="image")


async def _read_files(form: FormData) -> tuple[bytes | None, bytes | None]:
    files: dict[str, list[bytes]] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) and name in _FILES:
            if (value.size or 0) > UPLOAD_BYTES:
                raise Denied("too_large", f"{name} is larger than {UPLOAD_BYTES // 1_000_000} MB", "send less")
            files.setdefault(name.removesuffix("[]"), []).append(await value.read())
    images, masks = files.get("image", []), files.get("mask", [])
    if len(images) > 1 or len(masks) > 1:
        raise _one_image()
    return images[0] if images else None, masks[0] if masks else None


def _orders(body: EditRequest, house: House, client: ClientAccount, image: bytes, mask: bytes | None) -> list[JobOrder]:
    """The orders of an edit, with its pictures in the store: judged by their content, kept without metadata."""
    store, orders = house.desk.engine.store, orders_of(body, body.prompt, house, client)
    kept: dict[str, Any] = {"image": store.put_image(put_on_white(read_upload(image, "image")))}
    if mask is not None:
        kept["mask"] = store.put_image(to_paint(read_upload(mask, "mask")))
    elif (hole := _hole_of(image)) is not None:
        kept["mask"] = store.put_image(hole)
    kept["strength"] = body.strength
    return [order.model_copy(update={"request": order.request.revise(**kept)}) for order in orders]


def _hole_of(image: bytes) -> Image.Image | None:
    """Without a mask, what is transparent in the picture itself is drawn anew; None where nothing is."""
    sent = read_upload(image, "image")
    return to_paint(sent) if "A" in sent.getbands() and sent.getchannel("A").getextrema()[0] == 0 else None
