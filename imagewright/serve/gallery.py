"""``/v1/pictures`` and ``/v1/plan``: what was drawn, as a gallery, and what would be drawn."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from imagewright.schemas import Plan
from imagewright.serve.clients import ClientAccount
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.files import PICTURE_ANSWERS
from imagewright.serve.house import ERRORS, Asking, AtHouse, House
from imagewright.serve.knobs import Knobs, Text
from imagewright.serve.renders import MEDIA_TYPES, OutputFormat, render_as

router = APIRouter(tags=["pictures"])
THUMBNAIL = 256
"""Pixels of a thumbnail's longer side."""


class PictureFacts(BaseModel):
    """One delivered picture."""

    run: str
    image: str
    url: str
    prompt: str
    flow: str
    seed: int
    score: float | None = None
    created: str
    thread: str | None = None


class PictureList(BaseModel):
    """Pictures, newest first."""

    data: list[PictureFacts]
    has_more: bool


class PlanWishes(Knobs):
    """What is to be planned."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"prompt": "a fox and an owl sharing an umbrella"}]})

    prompt: Text
    candidates: int = Field(default=8, ge=1, le=100, description="how many flows are listed")


@router.get("/v1/pictures", response_model=PictureList, responses=ERRORS)
async def list_pictures(
    request: Request,
    house: AtHouse,
    client: Asking,
    text: Annotated[str, Query(max_length=200, description="words of the prompt")] = "",
    flow: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Annotated[str, Query(max_length=60, description="the run before which the list goes on")] = "",
) -> PictureList:
    """The pictures that the client's runs have delivered; of the owner, all of the home's."""
    rows = await in_thread(find_pictures, house, client, text.casefold(), flow, before, limit + 1)
    return PictureList(data=[_tell(request, house, client, row) for row in rows[:limit]], has_more=len(rows) > limit)


@router.get("/v1/pictures/{image}", response_class=Response, responses=PICTURE_ANSWERS)
async def get_picture(
    image: str,
    house: AtHouse,
    client: Asking,
    output_format: OutputFormat = "png",
    side: Annotated[int | None, Query(ge=16, le=2048, description="no side is longer: 256 is a thumbnail")] = None,
) -> Response:
    """A picture by its SHA-256, without metadata."""
    path = await in_thread(house.desk.insist_on_picture, client, image)
    data = await in_thread(lambda: render_as(path.read_bytes(), output_format, None, side))
    return Response(data, media_type=MEDIA_TYPES[output_format], headers={"cache-control": "private, max-age=3600"})


@router.post("/v1/plan", response_model=Plan, responses=ERRORS)
async def plan_picture(body: PlanWishes, house: AtHouse, client: Asking) -> Plan:
    """What a prompt would be drawn with and where things would go. Draws nothing."""
    if client.money_a_day is not None and house.desk.engine.settings.llm:
        raise Denied("not_allowed", "a plan may ask the owner's language model", "start a run instead")
    request = body.to_request(body.prompt, client, str(house.desk.place_of(client))).model_copy(update={"thread": None})
    engine = house.desk.engine if client.owns_home else house.desk.engine.for_client(client.name)
    plan = await in_thread(engine.plan, request)
    return plan.model_copy(update={"candidates": plan.candidates[: body.candidates]})


def find_pictures(house: House, client: ClientAccount, text: str, flow: str, before: str, limit: int) -> list[Any]:
    """The newest rows of the log that delivered a picture the client may see."""
    rows = house.desk.engine.runs.list(5000)
    if not client.owns_home:
        own = {job.id for job in house.desk.book.list_jobs(client.name, 5000)}
        rows = tuple(row for row in rows if row.id in own)
    wanted = (
        row
        for row in rows
        if row.result is not None
        and (not before or row.id < before)
        and text in f"{row.prompt}\n{row.result.prompt}".casefold()
        and flow in ("", row.result.flow)
        and house.desk.engine.store.has(row.result.image)
    )
    return [row for row, _ in zip(wanted, range(limit), strict=False)]


def _tell(request: Request, house: House, client: ClientAccount, row: Any) -> PictureFacts:
    result, thread = row.result, row.request.thread
    verdict = next((made.verdict for made in result.rounds if made.image == result.image), None)
    return PictureFacts(
        run=row.id,
        image=result.image,
        url=house.link(request, f"{result.image}.png"),
        prompt=result.prompt,
        flow=result.flow,
        seed=result.seed,
        score=verdict.score if verdict else None,
        created=row.created,
        thread=client.own_thread(thread) if thread else None,
    )
