"""``/v1/runs``: start a run and come back for it, follow its events, resume, cancel, replay and delete it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import FileResponse, Response

from imagewright.errors import BadInput
from imagewright.schemas import RunEvent, RunResult
from imagewright.serve.clients import HOME_OWNER, ClientAccount
from imagewright.serve.desk import NO_JOB, in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.files import PICTURE_ANSWERS, find_delivered
from imagewright.serve.house import ERRORS, Asking, AtHouse, House
from imagewright.serve.images import IdempotencyKey, digest_of
from imagewright.serve.knobs import Knobs, Text
from imagewright.serve.orders import Ending, JobOrder, QueuedJob
from imagewright.serve.renders import to_base64

router = APIRouter(tags=["runs"])
MOST_LISTED = 100


class RunWishes(Knobs):
    """The body of a new run."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prompt": "two red circles above a blue square", "seed": 7}]}
    )

    prompt: Text


class ReplyBody(BaseModel):
    """The answer to the question that a run waits with."""

    reply: str | None = Field(default=None, max_length=2000)


class RunTrouble(BaseModel):
    """Why a run delivered nothing."""

    code: str
    message: str
    remedy: str = ""


class RunFacts(BaseModel):
    """How a run stands."""

    id: str
    kind: str
    status: str
    """queued, running, done, failed or cancelled; of a run that the terminal made, how its log says it stands."""
    prompt: str
    thread: str | None = None
    created: str
    ended: str | None = None
    image: str | None = None
    url: str | None = None
    """A signed link to the picture."""
    text: str = ""
    """What was answered or asked instead of a picture."""
    asked: bool = False
    choices: list[str] = []
    flow: str | None = None
    seed: int | None = None
    same: bool | None = None
    """Of a replay: whether the pixels are the same."""
    notes: list[str] = []
    error: RunTrouble | None = None
    work_seconds: float | None = None
    """From the worker's claim to the end."""
    trace: dict[str, Any] | None = None


class RunList(BaseModel):
    """Some runs, newest first."""

    data: list[RunFacts]
    has_more: bool


@router.post("/v1/runs", status_code=202, response_model=RunFacts, responses=ERRORS)
async def start_run(
    body: RunWishes, request: Request, house: AtHouse, client: Asking, key: IdempotencyKey = None
) -> RunFacts:
    """Start a run; it goes on whether or not anybody waits."""
    order = JobOrder(kind="draw", request=body.to_request(body.prompt, client, str(house.desk.place_of(client))))
    await in_thread(house.desk.insist_on_flow, order.request)
    return await accept_order(order, request, house, client, key or "", digest_of(body))


@router.get("/v1/runs", response_model=RunList, responses=ERRORS)
async def get_runs(
    request: Request,
    house: AtHouse,
    client: Asking,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 20,
    before: Annotated[str, Query(max_length=60)] = "",
) -> RunList:
    """The newest runs; of the owner, those of the terminal and of every client too."""
    found = await in_thread(_list, house, client, limit + 1, before)
    return RunList(data=[run_facts(request, house, client, one) for one in found[:limit]], has_more=len(found) > limit)


@router.get("/v1/runs/{run}", response_model=RunFacts, responses=ERRORS)
async def get_run(run: str, request: Request, house: AtHouse, client: Asking, trace: bool = False) -> RunFacts:
    """How a run stands; with ``trace`` also how its picture came about, once it is delivered."""
    job = await in_thread(find_job, house, client, run)
    facts = await in_thread(run_facts, request, house, client, job)
    if trace and facts.image:
        facts.trace = await in_thread(house.desk.engine.runs.show, job.outcome.run if job.outcome else run)
    return facts


@router.get(
    "/v1/runs/{run}/events",
    response_class=EventSourceResponse,
    responses={
        **ERRORS,
        200: {"description": "The run's events, then `end` with the run", "content": {"text/event-stream": {}}},
    },
)
async def follow_run(
    run: str,
    request: Request,
    house: AtHouse,
    client: Asking,
    last_event_id: Annotated[int, Header(alias="Last-Event-ID", ge=0, le=2**31)] = 0,
    previews: Annotated[bool, Query(description="bring the newest preview's PNG as `b64`")] = False,
) -> EventSourceResponse:
    """What happens, as server-sent events with numbers; a client that lost the thread says the last one that it had.

    Events about a picture have a signed `url` to it.
    """
    job = await in_thread(house.desk.job, client, run)
    return EventSourceResponse(_events(request, house, client, job, last_event_id, previews), ping=15)


@router.post("/v1/runs/{run}/cancel", response_model=RunFacts, responses=ERRORS)
async def post_cancel(run: str, request: Request, house: AtHouse, client: Asking) -> RunFacts:
    """End a run: at once where it waits, else between two steps. What is over stays as it is."""
    return await in_thread(lambda: run_facts(request, house, client, house.desk.cancel(client, run)))


@router.post("/v1/runs/{run}/resume", status_code=202, response_model=RunFacts, responses=ERRORS)
async def post_resume(run: str, body: ReplyBody, request: Request, house: AtHouse, client: Asking) -> RunFacts:
    """Go on with a run that was cancelled or failed, or that waits for ``reply``; gives the run that does so."""
    job = await in_thread(find_over, house, client, run)
    order = JobOrder(kind="resume", request=job.order.request, target=run_of(job), reply=body.reply)
    return await accept_order(order, request, house, client)


@router.post("/v1/runs/{run}/replay", status_code=202, response_model=RunFacts, responses=ERRORS)
async def post_replay(run: str, request: Request, house: AtHouse, client: Asking) -> RunFacts:
    """Draw a run's picture again from its trace and say whether it is the same; gives the run that does so."""
    job = await in_thread(find_over, house, client, run)
    order = JobOrder(kind="replay", request=job.order.request, target=run_of(job))
    return await accept_order(order, request, house, client)


@router.delete("/v1/runs/{run}", status_code=204, response_class=Response, responses=ERRORS)
async def drop_run(run: str, house: AtHouse, client: Asking) -> Response:
    """Delete a run with its pictures and trace; a turn of a conversation goes with its conversation only."""
    job = await in_thread(find_over, house, client, run)
    await in_thread(_delete, house, job)
    return Response(status_code=204)


@router.get("/v1/runs/{run}/picture", response_class=FileResponse, responses=PICTURE_ANSWERS)
async def get_delivered(run: str, house: AtHouse, client: Asking) -> FileResponse:
    """The PNG as it was delivered: prompt, workflow and trace stand in its text chunks."""
    job = await in_thread(find_job, house, client, run)
    path = await in_thread(find_delivered, house, run_of(job))
    return FileResponse(path, media_type="image/png", headers={"x-content-type-options": "nosniff"})


# --- what they have in common -----------------------------------------------------------------


async def accept_order(
    order: JobOrder, request: Request, house: House, client: ClientAccount, key: str = "", digest: str = ""
) -> RunFacts:
    """Queue one order and tell how it stands."""
    jobs = await in_thread(lambda: house.desk.accept(client, [order], key=key, digest=digest))
    return await in_thread(lambda: run_facts(request, house, client, house.desk.job(client, jobs[0])))


def find_job(house: House, client: ClientAccount, run: str) -> QueuedJob:
    """A run of the client's; of the owner also one that the terminal made.

    The queue forgets what has long been over; the log of runs still knows whose it was.

    Raises:
        Denied: there is none of that id; another client's is none.
    """
    try:
        return house.desk.job(client, run)
    except Denied:
        if not client.owns_home and house.desk.engine.pictures.find_client(run) != client.name:
            raise
    try:
        return _of_terminal(house.desk.engine.runs.get(run))
    except BadInput:
        raise Denied("not_found", NO_JOB.format(run[:60]), "GET /v1/runs lists them") from None


def find_over(house: House, client: ClientAccount, run: str) -> QueuedJob:
    """The same, where nothing more comes of it.

    Raises:
        Denied: it still waits or is being drawn.
    """
    job = find_job(house, client, run)
    if not job.over:
        raise Denied("not_over", f"run {run} is not over yet", f"POST /v1/runs/{run}/cancel ends it", run=run)
    return job


def run_of(job: QueuedJob) -> str:
    """The run that a job was about."""
    return (job.outcome.run if job.outcome and job.outcome.run else job.order.target) or job.id


def _of_terminal(row: Any) -> QueuedJob:
    """A run of the log as a job that is over."""
    outcome = Ending(run=row.id, image=row.result.image if row.result else "", text="" if row.result else row.error)
    status = "done" if row.status in ("delivered", "answered", "asked") else "running"
    status = {"failed": "failed", "cancelled": "cancelled", "interrupted": "failed"}.get(row.status, status)
    created = datetime.fromisoformat(row.created).timestamp()
    request = row.request.model_copy(update={"prompt": row.prompt})
    return QueuedJob.model_construct(
        id=row.id,
        owner=HOME_OWNER,
        order=JobOrder.model_construct(kind="draw", request=request, target="", reply=None),
        status=status,
        stop=False,
        tries=1,
        created=created,
        started=created,
        ended=None,
        outcome=outcome,
    )


def _list(house: House, client: ClientAccount, limit: int, before: str) -> list[QueuedJob]:
    jobs = house.desk.book.list_jobs(None if client.owns_home else client.name, MOST_LISTED * 10)
    found = {job.id: job for job in jobs}
    if client.owns_home:
        rows = house.desk.engine.runs.list(MOST_LISTED * 10)
        found = {**{row.id: _of_terminal(row) for row in rows if row.id not in found}, **found}
    ordered = sorted(found.values(), key=lambda job: (job.created, job.id), reverse=True)
    names = [job.id for job in ordered]
    begin = names.index(before) + 1 if before in names else 0
    return [job for job in ordered[begin:] if not before or begin or job.id < before][:limit]


def run_facts(request: Request, house: House, client: ClientAccount, job: QueuedJob) -> RunFacts:
    """How a run stands, as its client reads it."""
    outcome, thread = job.outcome or Ending(), job.order.request.thread
    result = _result_of(house, outcome)
    return RunFacts(
        id=job.id,
        kind=job.order.kind,
        status=job.status,
        prompt=job.order.request.prompt,
        thread=client.own_thread(thread) if thread else None,
        created=_when(job.created),
        ended=_when(job.ended) if job.ended else None,
        image=outcome.image or None,
        url=house.link(request, f"{outcome.image}.png") if outcome.image else None,
        text=outcome.text,
        asked=outcome.asked,
        choices=list(outcome.choices),
        flow=result.flow if result else None,
        seed=result.seed if result else None,
        same=outcome.same,
        work_seconds=round(job.ended - job.started, 4) if job.ended and job.started else None,
        notes=list(result.notes) if result else [],
        error=RunTrouble(**outcome.trouble.model_dump()) if outcome.trouble else None,
    )


def _result_of(house: House, outcome: Ending) -> RunResult | None:
    """What was delivered, where the run was not deleted since."""
    if outcome.image and outcome.same is None:
        with contextlib.suppress(BadInput):
            return house.desk.engine.runs.get(outcome.run).result
    return None


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _delete(house: House, job: QueuedJob) -> None:
    run = run_of(job)
    if job.order.kind in ("draw", "say") or job.id == run:
        house.desk.engine.delete_runs([run])
    house.desk.book.delete(job.id)


async def _events(
    request: Request, house: House, client: ClientAccount, job: QueuedJob, after: int, previews: bool
) -> AsyncIterator[ServerSentEvent]:
    async for told in house.desk.feed(job).follow(after):
        data = event_facts(request, house, told.event)
        if previews and told.png:
            data["b64"] = to_base64(told.png)
        yield ServerSentEvent(json.dumps(data, ensure_ascii=False), event=told.event.kind, id=str(told.number))
    over = await in_thread(lambda: run_facts(request, house, client, house.desk.job(client, job.id)))
    yield ServerSentEvent(over.model_dump_json(), event="end")


def event_facts(request: Request, house: House, event: RunEvent) -> dict[str, Any]:
    """An event as a client reads it; a picture that it is about has a signed link, a preview has none."""
    facts = event.model_dump(mode="json", exclude_none=True)
    if event.image and event.kind != "preview":
        facts["url"] = house.link(request, f"{event.image}.png")
    return facts
