"""``POST /v1/images/generations``, as OpenAI's clients send and read it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from imagewright.schemas import RunResult
from imagewright.serve.clients import ClientAccount
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied, insist_on_picture
from imagewright.serve.feeds import Numbered
from imagewright.serve.house import STREAMS, Asking, AtHouse, House, abandon, wait_for_all
from imagewright.serve.knobs import Knobs, Text
from imagewright.serve.orders import Ending, JobOrder, QueuedJob
from imagewright.serve.renders import OutputFormat, render_as, to_base64

router = APIRouter(tags=["OpenAI"])
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200, pattern=r"^[\x20-\x7e]+$")]
PARTIALS = 3
"""Partial pictures at most."""


class PictureWishes(Knobs):
    """What generations and edits have in common."""

    n: int = Field(default=1, ge=1, le=10)
    output_format: OutputFormat = "png"
    output_compression: int | None = Field(default=None, ge=0, le=100)
    response_format: Literal["b64_json", "url"] = "b64_json"
    stream: bool = False
    partial_images: int = Field(default=0, ge=0, le=PARTIALS)
    background: Literal["auto", "opaque", "transparent"] | None = None
    user: str | None = Field(default=None, max_length=200)
    safety_identifier: str | None = Field(default=None, max_length=200)

    def check(self) -> None:
        """Refuse what no flow here does.

        Raises:
            Denied: that is asked for.
        """
        if self.background == "transparent":
            raise Denied("unsupported", "no flow here draws on nothing", "leave it out", param="background")
        if self.n > 1 and self.thread is not None:
            raise Denied("bad_input", "a conversation makes one picture at a time", "ask again", param="n")


class ImageRequest(PictureWishes):
    """The body of a generation."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"prompt": "a red circle above a blue square", "size": "128x128", "seed": 7, "critic": False}]
        }
    )

    prompt: Text


class ImageDatum(BaseModel):
    """One picture of an answer; ``run``, ``seed`` and ``flow`` are ours."""

    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None
    run: str
    seed: int
    flow: str
    notes: list[str] = []


class InputDetails(BaseModel):
    """Of what the tokens that were read are made."""

    text_tokens: int = 0
    image_tokens: int = 0


class ImageUsage(BaseModel):
    """Tokens that language models used; none without one."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: InputDetails = InputDetails()


class ImagesAnswer(BaseModel):
    """The pictures."""

    created: int
    data: list[ImageDatum]
    output_format: OutputFormat
    size: str | None = None
    quality: str | None = None
    background: str = "opaque"
    usage: ImageUsage = ImageUsage()


@router.post("/v1/images/generations", response_model=ImagesAnswer, responses=STREAMS)
async def create_image(
    body: ImageRequest, request: Request, house: AtHouse, client: Asking, key: IdempotencyKey = None
) -> Response | ImagesAnswer:
    """Draw pictures from words."""
    body.check()
    orders = orders_of(body, body.prompt, house, client)
    jobs = await in_thread(_accept, orders, body, house, client, key or "")
    if body.stream:
        return stream_pictures(house, client, jobs, body, "image_generation", request)
    return await answer_pictures(request, house, client, jobs, body)


def _accept(
    orders: list[JobOrder], body: ImageRequest, house: House, client: ClientAccount, key: str
) -> tuple[str, ...]:
    house.desk.insist_on_flow(orders[0].request)
    return house.desk.accept(client, orders, user=user_of(body), key=key, digest=digest_of(body))


def orders_of(wishes: PictureWishes, prompt: str, house: House, client: ClientAccount) -> list[JobOrder]:
    """One order a picture; each has its own seed."""
    request = wishes.to_request(prompt, client, str(house.desk.place_of(client)))
    seeds = [None if request.seed is None else (request.seed + number) % 2**64 for number in range(wishes.n)]
    return [JobOrder(kind="draw", request=request.revise(seed=seed)) for seed in seeds]


def user_of(wishes: PictureWishes) -> str:
    """Who, among the client's own people, asked: the queue is fair between them too."""
    return wishes.safety_identifier or wishes.user or ""


def digest_of(body: BaseModel, more: bytes = b"") -> str:
    """What tells one request from another."""
    return hashlib.sha256(body.model_dump_json().encode() + more).hexdigest()


async def answer_pictures(
    request: Request, house: House, client: ClientAccount, jobs: tuple[str, ...], wishes: PictureWishes
) -> ImagesAnswer:
    """Wait for the jobs and give their pictures."""
    outcomes = await wait_for_all(request, house, client, jobs)
    return await in_thread(_whole_answer, request, house, outcomes, wishes)


def _whole_answer(request: Request, house: House, outcomes: list[Ending], wishes: PictureWishes) -> ImagesAnswer:
    results = [_result_of(house, outcome) for outcome in outcomes]
    return ImagesAnswer(
        created=int(time.time()),
        data=[_datum(request, house, result, wishes) for result in results],
        output_format=wishes.output_format,
        usage=_sum([usage_of(house, result.run) for result in results]),
        size=wishes.size,
        quality=wishes.quality,
    )


def _result_of(house: House, outcome: Ending) -> RunResult:
    result = house.desk.engine.runs.get(insist_on_picture(outcome).run).result
    if result is None:
        raise Denied("not_found", "the run was deleted meanwhile")
    return result


def _datum(request: Request, house: House, result: RunResult, wishes: PictureWishes) -> ImageDatum:
    datum = ImageDatum(
        run=result.run, seed=result.seed, flow=result.flow, notes=list(result.notes), revised_prompt=_drawn_from(result)
    )
    if wishes.response_format == "url":
        return datum.model_copy(update={"url": house.link(request, f"{result.image}.{wishes.output_format}")})
    return datum.model_copy(update={"b64_json": _encoded(house, result.image, wishes)})


def _drawn_from(result: RunResult) -> str:
    return next((made.prompt for made in result.rounds if made.image == result.image), result.prompt)


def _encoded(house: House, image: str, wishes: PictureWishes) -> str:
    png = house.desk.engine.store.get(image).read_bytes()
    return to_base64(render_as(png, wishes.output_format, wishes.output_compression))


def usage_of(house: House, run: str) -> ImageUsage:
    """What language models used for a run."""
    spent = house.desk.engine.runs.spent_by(run)
    read, wrote = int(spent.get("tokens_in", 0)), int(spent.get("tokens_out", 0))
    return ImageUsage(
        input_tokens=read,
        output_tokens=wrote,
        total_tokens=read + wrote,
        input_tokens_details=InputDetails(text_tokens=read),
    )


def _sum(usages: list[ImageUsage]) -> ImageUsage:
    read, wrote = sum(usage.input_tokens for usage in usages), sum(usage.output_tokens for usage in usages)
    return ImageUsage(
        input_tokens=read,
        output_tokens=wrote,
        total_tokens=read + wrote,
        input_tokens_details=InputDetails(text_tokens=read),
    )


# --- as a stream ------------------------------------------------------------------------------


def stream_pictures(
    house: House, client: ClientAccount, jobs: tuple[str, ...], wishes: PictureWishes, name: str, request: Request
) -> EventSourceResponse:
    """Previews while they come, then each picture; ``name`` begins the events' names."""
    return EventSourceResponse(_stream(house, client, jobs, wishes, name, request), ping=15)


async def _stream(
    house: House, client: ClientAccount, jobs: tuple[str, ...], wishes: PictureWishes, name: str, request: Request
) -> AsyncIterator[ServerSentEvent]:
    over = False
    try:
        for job in jobs:
            found = await in_thread(house.desk.job, client, job)
            async for event in _partials(house, found, wishes, name):
                yield event
            yield await _completed(house, client, job, wishes, name, request)
        over = True
    except Denied as refused:
        over = True
        yield ServerSentEvent(refused.to_event(), event="error")
    finally:
        if not over:
            abandon(house, client, jobs)


async def _partials(house: House, job: QueuedJob, wishes: PictureWishes, name: str) -> AsyncIterator[ServerSentEvent]:
    sent = 0
    async for told in house.desk.feed(job).follow():
        if sent >= wishes.partial_images or not told.png or not is_due(told, sent, wishes.partial_images):
            continue
        image = to_base64(await in_thread(render_as, told.png, wishes.output_format, wishes.output_compression))
        facts = {**_facts(wishes, f"{name}.partial_image"), "b64_json": image, "partial_image_index": sent}
        sent += 1
        yield ServerSentEvent(json.dumps(facts), event=f"{name}.partial_image")


def is_due(told: Numbered, sent: int, wanted: int) -> bool:
    """Whether it is time for the next of ``wanted`` partial pictures."""
    step, total = told.event.step or 0, told.event.total or 1
    return step / total >= sent / (wanted + 1)


async def _completed(
    house: House, client: ClientAccount, job: str, wishes: PictureWishes, name: str, request: Request
) -> ServerSentEvent:
    outcome = await house.desk.outcome_of(client, job)
    result = await in_thread(_result_of, house, outcome)
    datum = await in_thread(_datum, request, house, result, wishes)
    usage = await in_thread(usage_of, house, result.run)
    facts = {**_facts(wishes, f"{name}.completed"), **datum.model_dump(), "usage": usage.model_dump()}
    return ServerSentEvent(json.dumps(facts), event=f"{name}.completed")


def _facts(wishes: PictureWishes, kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "created_at": int(time.time()),
        "size": wishes.size or "auto",
        "quality": wishes.quality or "auto",
        "background": "opaque",
        "output_format": wishes.output_format,
    }
