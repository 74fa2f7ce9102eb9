"""``/v1/threads``: conversations that go on wherever they were begun: here, in the terminal or over MCP."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from imagewright.box_changes import BoxChange
from imagewright.errors import BadInput
from imagewright.limits import MAX_PROMPT
from imagewright.serve.clients import ClientAccount
from imagewright.serve.desk import in_thread
from imagewright.serve.details import PictureThumb
from imagewright.serve.faults import Denied
from imagewright.serve.house import ERRORS, Asking, AtHouse, House, wait_for_all
from imagewright.serve.images import IdempotencyKey, digest_of
from imagewright.serve.knobs import Knobs
from imagewright.serve.orders import JobOrder
from imagewright.serve.runs import RunFacts, find_job, run_facts, run_of
from imagewright.serve.stories import AskedAbout
from imagewright.serve.turns import TurnList, tell_turns

router = APIRouter(tags=["threads"])
_ZIP: dict[int | str, dict[str, Any]] = {
    **ERRORS,
    200: {
        "description": "The ZIP",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
}


class ThreadFacts(BaseModel):
    """One conversation."""

    name: str
    title: str = ""
    turns: int
    pictures: int
    first: str
    last: str
    changed: str


class ThreadList(BaseModel):
    """Conversations, newest first."""

    data: list[ThreadFacts]
    total: int


class TurnWishes(Knobs):
    """Something that is said, or boxes that are changed by hand, or both."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "make the circle green"},
                {"boxes": [{"box": 0, "x": 0.6}, {"caption": "a blue cup", "x": 0.1, "y": 0.7, "width": 0.2,
                 "height": 0.2}], "go_on_from": "20260101-120000-abc123"},
            ]
        }
    )  # fmt: skip

    text: str = Field(default="", max_length=MAX_PROMPT, description="beside boxes: a change of the same picture")
    boxes: list[BoxChange] = Field(default=[], max_length=100, description="by the numbers of /v1/runs/RUN/layout")
    image: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="a picture to start from: of `/v1/uploads`, or delivered"
    )
    strength: float | None = Field(default=None, gt=0, le=1, description="how far from the picture: 1 draws anew")
    go_on_from: str = Field(default="", max_length=60, description="the run after which it is said; the present one")


class BranchBody(BaseModel):
    """Which turn the conversation goes back to."""

    run: str = Field(max_length=60)


class WhyBody(BaseModel):
    """What is asked of the present picture."""

    about: AskedAbout = ""


class NewTitle(BaseModel):
    """What a conversation is called from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "shapes for the poster"}]})

    title: str = Field(max_length=200, description="empty takes the title away")


@router.get("/v1/threads", response_model=ThreadList, responses=ERRORS)
async def get_threads(
    house: AtHouse,
    client: Asking,
    text: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> ThreadList:
    """The client's conversations; with ``text``, those that say it."""
    rows = await in_thread(house.desk.engine.threads.list, text)
    own = [(name, row) for row in rows if (name := client.own_thread(row.name)) is not None]
    data = [ThreadFacts(**{**row.model_dump(), "name": name}) for name, row in own[offset : offset + limit]]
    return ThreadList(data=data, total=len(own))


@router.get("/v1/threads/{name}", response_model=TurnList, responses=ERRORS)
async def get_thread(name: str, request: Request, house: AtHouse, client: Asking) -> TurnList:
    """All that was said in a conversation, and what is in the making; the parents make it a tree."""
    stored = await in_thread(_insist_or_begun, house, client, name)
    return await in_thread(tell_turns, request, house, client, name, stored)


@router.patch("/v1/threads/{name}", status_code=204, response_class=Response, responses=ERRORS)
async def entitle_thread(name: str, body: NewTitle, house: AtHouse, client: Asking) -> Response:
    """Give a conversation a title; its name, by which it is asked for, stays."""
    stored = await in_thread(_insist, house, client, name)
    await in_thread(house.desk.engine.threads.entitle, stored, body.title)
    return Response(status_code=204)


@router.get("/v1/threads/{name}/export", response_class=FileResponse, responses=_ZIP)
async def export_thread(name: str, house: AtHouse, client: Asking) -> FileResponse:
    """A ZIP of what was said, every picture and every trace: what `imagewright threads export` writes."""
    stored = await in_thread(_insist, house, client, name)
    path = await in_thread(_pack, house, stored)
    done = BackgroundTask(shutil.rmtree, path.parent, ignore_errors=True)
    return FileResponse(path, media_type="application/zip", filename="thread.zip", background=done)


@router.post("/v1/threads/{name}/turns", status_code=202, response_model=RunFacts, responses=ERRORS)
async def say_something(
    name: str, body: TurnWishes, request: Request, house: AtHouse, client: Asking, key: IdempotencyKey = None
) -> RunFacts:
    """Say something: it draws, changes, goes back, or is answered. The run is followed at ``/v1/runs/RUN/events``.

    With ``boxes`` the boxes of a picture are changed by hand: of the present one, or of run ``go_on_from``, which may
    be of any conversation. What no change touches keeps its pixels where the flow's backend can redraw. "Show me 4
    variations" is four turns; the answer tells the last one.
    """
    if body.boxes:
        order = await in_thread(order_by_hand, house, client, name, body.boxes, body.text, body, body.go_on_from)
    elif body.text:
        order = saying(house, client, name, body.text, body, body.go_on_from)
    else:
        raise Denied("bad_input", "nothing is said", "send text, or boxes that are changed", param="text")
    if body.image is not None:
        await in_thread(house.desk.insist_on_picture, client, body.image)
        started = order.request.revise(image=body.image, strength=body.strength)
        order = order.model_copy(update={"request": started})
    await in_thread(house.desk.insist_on_flow, order.request)
    orders, digest = await in_thread(split_order, house, order), digest_of(body, name.encode())
    jobs = await in_thread(lambda: house.desk.accept(client, orders, key=key or "", digest=digest))
    return await in_thread(lambda: run_facts(request, house, client, house.desk.job(client, jobs[-1])))


@router.post("/v1/threads/{name}/undo", response_model=RunFacts, responses=ERRORS)
async def undo_turn(name: str, request: Request, house: AtHouse, client: Asking) -> RunFacts:
    """Go back to the picture before the present one."""
    return await _said(request, house, client, name, "undo")


@router.post("/v1/threads/{name}/why", response_model=RunFacts, responses=ERRORS)
async def ask_why(name: str, body: WhyBody, request: Request, house: AtHouse, client: Asking) -> RunFacts:
    """Why the present picture came out as it did."""
    return await _said(request, house, client, name, f"why this {body.about}?" if body.about else "why?")


@router.post("/v1/threads/{name}/thumb", response_model=RunFacts, responses=ERRORS)
async def give_thumb(name: str, body: PictureThumb, request: Request, house: AtHouse, client: Asking) -> RunFacts:
    """Say what one thinks of the present picture: it counts when a flow is chosen."""
    return await _said(request, house, client, name, f"thumbs {body.thumb}")


@router.post("/v1/threads/{name}/branch", status_code=204, response_class=Response, responses=ERRORS)
async def branch_thread(name: str, body: BranchBody, house: AtHouse, client: Asking) -> Response:
    """Go back to the end of an earlier turn: what is said next goes on from there."""
    stored = await in_thread(_insist, house, client, name)
    await in_thread(lambda: house.desk.engine.chat(stored).return_to(body.run))
    return Response(status_code=204)


@router.delete("/v1/threads/{name}", status_code=204, response_class=Response, responses=ERRORS)
async def drop_thread(name: str, house: AtHouse, client: Asking) -> Response:
    """Delete a conversation with all its pictures."""
    stored = await in_thread(_insist, house, client, name)
    await in_thread(house.desk.engine.delete_thread, stored)
    return Response(status_code=204)


# --- what they have in common -----------------------------------------------------------------


def saying(house: House, client: ClientAccount, thread: str, text: str, knobs: Knobs, go_on_from: str = "") -> JobOrder:
    """The order of something said in a conversation."""
    wishes = knobs.model_copy(update={"thread": thread})
    return JobOrder(
        kind="say", request=wishes.to_request(text, client, str(house.desk.place_of(client))), target=go_on_from
    )


def split_order(house: House, order: JobOrder) -> list[JobOrder]:
    """One order a turn: where several variations of the present picture are asked for, one for each."""
    request = order.request
    if request.boxes is not None or request.image is not None:
        return [order]
    turns = house.desk.engine.chat(request.thread or "").split(request.prompt)
    orders = [order.model_copy(update={"request": request.revise(prompt=turn)}) for turn in turns]
    return [orders[0], *(later.model_copy(update={"target": "", "follows": True}) for later in orders[1:])]


def order_by_hand(
    house: House,
    client: ClientAccount,
    thread: str,
    boxes: Sequence[BoxChange],
    text: str,
    knobs: Knobs,
    go_on_from: str = "",
) -> JobOrder:
    """The order of boxes that are changed by hand, checked against the picture that they are of.

    Raises:
        Denied: there is no such picture of the client's.
        BadInput: a change cannot be made.
    """
    base = run_of(find_job(house, client, go_on_from)) if go_on_from else ""
    chat = house.desk.engine.chat(client.stored_thread(thread))
    words, changed = chat.order_boxes(boxes, text, base)
    order = saying(house, client, thread, words, knobs, base if base and chat.has_turn(base) else "")
    return order.model_copy(update={"request": order.request.revise(boxes=changed)})


async def _said(request: Request, house: House, client: ClientAccount, name: str, text: str) -> RunFacts:
    """Say something in a conversation that there is, and wait for what comes of it."""
    await in_thread(_insist, house, client, name)
    order = saying(house, client, name, text, Knobs())
    jobs = await in_thread(lambda: house.desk.accept(client, [order]))
    await wait_for_all(request, house, client, jobs)
    return await in_thread(lambda: run_facts(request, house, client, house.desk.job(client, jobs[0])))


def _insist(house: House, client: ClientAccount, name: str) -> str:
    """The stored name of a conversation that the client has.

    Raises:
        Denied: there is none of that name.
    """
    try:
        stored = client.stored_thread(name)
        house.desk.engine.threads.insist(stored)
    except BadInput:
        raise Denied("not_found", f"no thread is called {name[:80]!r}", "GET /v1/threads lists them") from None
    return stored


def _insist_or_begun(house: House, client: ClientAccount, name: str) -> str:
    """The stored name of a conversation that the client has, or whose first words wait to be worked on.

    Raises:
        Denied: there is none of that name.
    """
    try:
        return _insist(house, client, name)
    except Denied:
        stored = _stored(client, name)
        if not house.desk.book.list_open(stored):
            raise
        return stored


def _stored(client: ClientAccount, name: str) -> str:
    try:
        return client.stored_thread(name)
    except BadInput:
        raise Denied("not_found", f"no thread is called {name[:80]!r}", "GET /v1/threads lists them") from None


def _pack(house: House, stored: str) -> Path:
    """The conversation as a ZIP in a folder of its own, which the caller deletes."""
    folder = Path(tempfile.mkdtemp(prefix="imagewright-"))
    try:
        house.desk.engine.export_thread(stored, folder / "thread")
        return Path(shutil.make_archive(str(folder / "packed"), "zip", folder / "thread"))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
