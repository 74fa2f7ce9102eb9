"""Whether the server runs, whether it takes work, and how it fares: for people, proxies and Prometheus."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

import imagewright
from imagewright.serve.desk import in_thread
from imagewright.serve.house import AtHouse

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """That it runs."""

    status: Literal["ok"] = "ok"
    version: str = imagewright.__version__


class TakesWork(BaseModel):
    """Whether it takes work."""

    ready: bool
    waiting: int
    running: int


@router.get("/health", response_model=Health)
async def tell_health() -> Health:
    """That the process runs."""
    return Health()


@router.get("/ready", response_model=TakesWork, responses={503: {"model": TakesWork}})
async def tell_ready(house: AtHouse) -> Response:
    """Whether orders are taken: the queue can be read, has room, and the server is not about to stop."""
    counts = await in_thread(house.desk.book.count)
    waiting, running = counts.get("queued", 0), counts.get("running", 0)
    ready = not house.desk.leaving and waiting + running < house.desk.limits.most
    body = TakesWork(ready=ready, waiting=waiting, running=running)
    return JSONResponse(body.model_dump(), 200 if ready else 503)
