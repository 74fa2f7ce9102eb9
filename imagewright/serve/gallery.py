"""``/v1/pictures`` and ``/v1/plan``: what was drawn, as a gallery, and what would be drawn."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from imagewright.api import PicturePage, PictureQuery, PictureRow
from imagewright.schemas import Plan
from imagewright.serve.clients import ClientAccount
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.files import PICTURE_ANSWERS, name_thumbnail
from imagewright.serve.house import ERRORS, Asking, AtHouse, House
from imagewright.serve.knobs import Knobs, Text
from imagewright.serve.renders import MEDIA_TYPES, OutputFormat, render_as

router = APIRouter(tags=["pictures"])


class PictureFacts(BaseModel):
    """One delivered picture."""

    run: str
    image: str
    url: str
    """A signed link to the PNG, without metadata."""
    thumbnail: str
    """A signed link to a small WebP, no side longer than 320 pixels."""
    width: int
    height: int
    prompt: str
    flow: str
    seed: int
    score: float | None = None
    accepted: bool | None = None
    """What the critic said; null where nothing was judged."""
    thumb: Literal["", "up", "down"] = ""
    """What the person said."""
    created: str
    seconds: float
    images: int
    """Pictures that were made to get it."""
    thread: str | None = None


class PictureList(BaseModel):
    """Pictures, newest first."""

    data: list[PictureFacts]
    has_more: bool
    total: int
    """How many there are in all that the query wants."""


class FlowOfPictures(BaseModel):
    """A flow that has drawn pictures."""

    flow: str
    pictures: int


class FlowsOfPictures(BaseModel):
    """The flows that have drawn most."""

    data: list[FlowOfPictures]


class PictureFilter(BaseModel):
    """Which pictures are wanted; what is left out leaves all."""

    text: str = Field(default="", max_length=200, description="words of the prompt, each of which it must hold")
    flow: str = Field(default="", max_length=200)
    accepted: Literal["", "yes", "no", "unjudged"] = Field(default="", description="what the critic said")
    thumb: Literal["", "up", "down", "none"] = Field(default="", description="what the person said")
    since: datetime | None = Field(default=None, description="asked for then or later; UTC without a zone")
    until: datetime | None = Field(default=None, description="asked for before then")
    thread: str = Field(default="", max_length=200, description="of that conversation")

    def to_query(self, client: ClientAccount) -> PictureQuery:
        """The query that gives no client another's pictures."""
        thread = client.stored_thread(self.thread) if self.thread.strip() else ""
        owner = None if client.owns_home else client.name
        return PictureQuery(**{**self._own_fields(), "thread": thread}, client=owner)

    def _own_fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in PictureFilter.model_fields}


class PictureWishes(PictureFilter):
    """Which pictures are wanted, and which page of them."""

    limit: int = Field(default=20, ge=1, le=100)
    before: str = Field(default="", max_length=60, description="the run before which the list goes on")
    offset: int = Field(default=0, ge=0, le=10_000_000, description="how many to leave out from there")


class PlanWishes(Knobs):
    """What is to be planned."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"prompt": "a fox and an owl sharing an umbrella"}]})

    prompt: Text
    candidates: int = Field(default=8, ge=1, le=100, description="how many flows are listed")


@router.get("/v1/pictures", response_model=PictureList, responses=ERRORS)
async def list_pictures(
    request: Request, house: AtHouse, client: Asking, wishes: Annotated[PictureWishes, Query()]
) -> PictureList:
    """The pictures that the client's runs have delivered; of the owner, all of the home's."""

    def tell() -> PictureList:
        page = find_pictures(house, client, wishes, wishes.limit, wishes.before, wishes.offset)
        data = [PictureFacts(**tell_picture(request, house, client, row)) for row in page.rows]
        return PictureList(data=data, has_more=page.has_more, total=page.total)

    return await in_thread(tell)


@router.get("/v1/pictures/flows", response_model=FlowsOfPictures, responses=ERRORS)
async def list_flows_of_pictures(house: AtHouse, client: Asking) -> FlowsOfPictures:
    """The hundred flows that have drawn most of what the client may see."""
    flows = await in_thread(house.desk.engine.pictures.count_flows, None if client.owns_home else client.name)
    return FlowsOfPictures(data=[FlowOfPictures(flow=flow, pictures=number) for flow, number in flows.items()])


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


def find_pictures(
    house: House, client: ClientAccount, wishes: PictureFilter, limit: int, before: str = "", offset: int = 0
) -> PicturePage:
    """Pictures that the client may see, newest first."""
    return house.desk.engine.pictures.find(wishes.to_query(client), limit, before=before, offset=offset)


def tell_picture(request: Request, house: House, client: ClientAccount, row: PictureRow) -> dict[str, Any]:
    """The fields of ``PictureFacts``, as the client reads them."""
    width, height = house.desk.engine.store.measure(row.image)
    links = {"url": f"{row.image}.png", "thumbnail": name_thumbnail(row.image)}
    return {
        **row.model_dump(exclude={"client"}),
        **{field: house.link(request, name) for field, name in links.items()},
        "width": width,
        "height": height,
        "thread": client.own_thread(row.thread) if row.thread else None,
    }
