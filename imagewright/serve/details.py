"""``/v1/runs/RUN/details`` and ``/thumb``: all there is to know of one picture, and what the person thinks of it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from imagewright.api import PictureRow
from imagewright.errors import BadInput
from imagewright.schemas import RunResult
from imagewright.serve.clients import ClientAccount
from imagewright.serve.desk import NO_JOB, in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.files import link_delivered
from imagewright.serve.gallery import PictureFacts, PictureFilter, tell_picture
from imagewright.serve.house import ERRORS, Asking, AtHouse, House

router = APIRouter(tags=["pictures"])


class CheckFacts(BaseModel):
    """One question that the critic asked of the picture."""

    name: str
    passed: bool
    detail: str
    counts: bool
    """Whether it enters the score."""


class PictureDetails(PictureFacts):
    """One delivered picture, how it came about, and its neighbours in a list."""

    said: str
    """What the person said; the prompt may be more, after a change in a conversation."""
    seed_text: str
    """The seed in digits: numbers of JavaScript hold 53 bits."""
    checks: list[CheckFacts]
    notes: list[str]
    categories: list[str]
    file: str | None
    """A signed link to the file as it was delivered, with its workflow; null where it is not there any more."""
    newer: str
    """The run of the next newer picture of the query; empty where it is the newest. So is ``older``."""
    older: str
    place: int
    """How many pictures of the query are newer."""


class PictureThumb(BaseModel):
    """What the person thinks of a picture."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"thumb": "up"}]})

    thumb: Literal["up", "down"]


@router.get("/v1/runs/{run}/details", response_model=PictureDetails, responses=ERRORS)
async def get_details(
    run: str, request: Request, house: AtHouse, client: Asking, wishes: Annotated[PictureFilter, Query()]
) -> PictureDetails:
    """A run's picture with its checks and notes, and what stands beside it among the pictures of the query."""
    return await in_thread(_tell, request, house, client, run, wishes)


@router.post("/v1/runs/{run}/thumb", status_code=204, response_class=Response, responses=ERRORS)
async def rate_picture(run: str, body: PictureThumb, house: AtHouse, client: Asking) -> Response:
    """Say what one thinks of a run's picture, whichever it is: it counts when a flow is chosen."""
    await in_thread(_insist_on_own, house, client, run)
    await in_thread(house.desk.engine.rate_run, run, body.thumb)
    return Response(status_code=204)


def _insist_on_own(house: House, client: ClientAccount, run: str) -> PictureRow:
    """The picture of a run that the client may see.

    Raises:
        Denied: there is none, or it is another client's.
    """
    pictures = house.desk.engine.pictures
    try:
        row = pictures.get(run)
    except BadInput:
        raise Denied("not_found", NO_JOB.format(run[:60]), "GET /v1/pictures lists them") from None
    if not client.owns_home and row.client != client.name:
        raise Denied("not_found", NO_JOB.format(run[:60]), "GET /v1/pictures lists them")
    return row


def _tell(request: Request, house: House, client: ClientAccount, run: str, wishes: PictureFilter) -> PictureDetails:
    picture = _insist_on_own(house, client, run)
    row = house.desk.engine.runs.get(run)
    result = row.result
    assert result is not None  # the index holds what was delivered
    beside = house.desk.engine.pictures.find_neighbours(run, wishes.to_query(client))
    return PictureDetails(
        **tell_picture(request, house, client, picture),
        said=row.prompt,
        seed_text=str(picture.seed),
        checks=_checks(result),
        notes=list(result.notes),
        categories=list(result.categories),
        file=link_delivered(request, house, result),
        **beside._asdict(),
    )


def _checks(result: RunResult) -> list[CheckFacts]:
    asked = result.verdict.checks if result.verdict else ()
    return [CheckFacts(name=one.name, passed=one.passed, detail=one.detail, counts=one.counts) for one in asked]
