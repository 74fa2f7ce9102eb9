"""``/v1/runs/RUN/story`` and ``/why``: how a picture came about, and why as it did."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from imagewright.errors import BadInput
from imagewright.serve.clients import ClientAccount
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.house import ERRORS, Asking, AtHouse, House
from imagewright.serve.runs import event_facts, find_job, run_of

router = APIRouter(tags=["runs"])
AskedAbout = Literal["", "flow", "layout", "seed", "prompt", "verdict", "cost"]


class RunStory(BaseModel):
    """The events of a run that is over, as they were told while it was drawn, without steps and previews."""

    run: str
    data: list[dict[str, Any]]


class Reasons(BaseModel):
    """Why a picture came out as it did."""

    run: str
    about: AskedAbout = ""
    text: str


@router.get("/v1/runs/{run}/story", response_model=RunStory, responses=ERRORS)
async def get_story(run: str, request: Request, house: AtHouse, client: Asking) -> RunStory:
    """How the picture of a run came about: the flow and why, the layout, each round with its verdict, the notes."""
    delivered = await in_thread(_insist_on_delivered, house, client, run)
    events = await in_thread(house.desk.engine.retell, delivered)
    return RunStory(run=run, data=[event_facts(request, house, event) for event in events])


@router.get("/v1/runs/{run}/why", response_model=Reasons, responses=ERRORS)
async def get_reasons(run: str, house: AtHouse, client: Asking, about: AskedAbout = "") -> Reasons:
    """Why the picture of a run came out as it did; asks no conversation."""
    delivered = await in_thread(_insist_on_delivered, house, client, run)
    text = await in_thread(house.desk.engine.explain, delivered, about)
    return Reasons(run=run, about=about, text=text)


def _insist_on_delivered(house: House, client: ClientAccount, run: str) -> str:
    """The id in the log of a run of the client's that has delivered a picture.

    Raises:
        Denied: there is none of that id, or it has delivered nothing.
    """
    name = run_of(find_job(house, client, run))
    try:
        row = house.desk.engine.runs.get(name)
    except BadInput:
        row = None
    if row is None or row.result is None:
        raise Denied("not_found", "this run has delivered no picture", "GET /v1/runs lists them", run=run)
    return name
