"""``GET /v1/runs/RUN/layout``: the boxes of a picture, by the numbers that a turn names, and what is wrong."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from imagewright.api import BoxFinding, ShownBox
from imagewright.serve.clients import ClientAccount
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.house import ERRORS, Asking, AtHouse, House
from imagewright.serve.runs import find_job, run_of

router = APIRouter(tags=["runs"])


class LayoutFacts(BaseModel):
    """The boxes of one picture and the faults that it was delivered with."""

    run: str
    thread: str | None = None
    prompt: str
    image: str
    url: str
    """A signed link to the picture."""
    width: int
    height: int
    accepted: bool | None = None
    redraws: bool
    """Whether a change redraws parts of the picture; else the whole of it is drawn anew."""
    boxes: list[ShownBox] = []
    findings: list[BoxFinding] = []


@router.get("/v1/runs/{run}/layout", response_model=LayoutFacts, responses=ERRORS)
async def get_layout(run: str, request: Request, house: AtHouse, client: Asking) -> LayoutFacts:
    """Where the things of a run's picture are, and what the critic found wrong with which."""
    return await in_thread(_show, request, house, client, run)


def _show(request: Request, house: House, client: ClientAccount, run: str) -> LayoutFacts:
    engine, name = house.desk.engine, run_of(find_job(house, client, run))
    result = engine.runs.get(name).result
    if result is None or not engine.store.has(result.image):
        raise Denied("not_found", f"run {name} has delivered no picture that is still there", run=name)
    shown = engine.show_layout(name)
    width, height = engine.store.measure(result.image)
    return LayoutFacts(
        run=name,
        thread=client.own_thread(shown.thread) if shown.thread else None,
        prompt=result.prompt,
        image=shown.image,
        url=house.link(request, f"{shown.image}.png"),
        width=width,
        height=height,
        accepted=shown.accepted,
        redraws=shown.redraws,
        boxes=list(shown.boxes),
        findings=list(shown.findings),
    )
