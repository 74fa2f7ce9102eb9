"""``POST /v1/uploads``: a picture to start from, or a workflow, as a person drops it into the page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from imagewright.errors import BadInput
from imagewright.schemas import Flow
from imagewright.serve.clients import ClientAccount
from imagewright.serve.desk import in_thread
from imagewright.serve.edits import open_form
from imagewright.serve.faults import Denied
from imagewright.serve.house import ERRORS, Asking, AtHouse, House
from imagewright.serve.renders import UPLOAD_BYTES, put_on_white, read_upload

router = APIRouter(tags=["pictures"])
_PNG = b"\x89PNG\r\n\x1a\n"
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "a PNG, JPEG or WebP; or a workflow, as JSON or in a PNG",
                        }
                    },
                }
            }
        },
    }
}


class UploadedWorkflow(BaseModel):
    """The flow that a workflow would become."""

    title: str
    kind: str
    graph: dict[str, Any]
    """What ``POST /v1/flows`` takes as ``workflow``."""
    prompt: str = ""
    """What it says it draws."""


class UploadFacts(BaseModel):
    """What was sent: a picture, a workflow, or both."""

    image: str | None = None
    """The picture's SHA-256: what a turn takes as ``image``."""
    url: str | None = None
    width: int | None = None
    height: int | None = None
    workflow: UploadedWorkflow | None = None


@router.post("/v1/uploads", status_code=201, response_model=UploadFacts, responses=ERRORS, openapi_extra=_FORM)
async def take_upload(request: Request, house: AtHouse, client: Asking) -> UploadFacts:
    """Keep a picture to start from, and say which workflow it or a JSON file holds; no flow is added."""
    async with open_form(request) as form:
        sent = form.get("file")
        if not isinstance(sent, UploadFile):
            raise Denied("bad_input", "no file was sent", "send it as `file`", param="file")
        if (sent.size or 0) > UPLOAD_BYTES:
            raise Denied("too_large", f"it is larger than {UPLOAD_BYTES // 1_000_000} MB", "send less", param="file")
        data = await sent.read()
    return await in_thread(_take, request, house, client, data)


def _take(request: Request, house: House, client: ClientAccount, data: bytes) -> UploadFacts:
    if data.lstrip()[:1] == b"{":
        return UploadFacts(workflow=_tell(_read_workflow(house, data, ".json")))
    picture = put_on_white(read_upload(data, "file"))
    image = house.desk.engine.store.put_image(picture)
    house.desk.book.add_picture(client.name, image)
    facts = UploadFacts(
        image=image, url=house.link(request, f"{image}.png"), width=picture.width, height=picture.height
    )
    if data.startswith(_PNG):
        try:
            facts.workflow = _tell(_read_workflow(house, data, ".png"))
        except Denied:  # most pictures hold none
            facts.workflow = None
    return facts


def _read_workflow(house: House, data: bytes, ending: str) -> Flow:
    """The flow in a file that was sent.

    Raises:
        Denied: it holds none that can be used.
    """
    try:
        return house.desk.engine.preview_flow(data, f"workflow{ending}").flow
    except BadInput as error:
        raise Denied("bad_input", str(error), error.remedy, param="file") from None


def _tell(flow: Flow) -> UploadedWorkflow:
    prompt = next((text for text in flow.read_slot("positive") if isinstance(text, str)), "")
    return UploadedWorkflow(title=flow.card.title, kind=flow.card.kind, graph=flow.graph, prompt=prompt)
