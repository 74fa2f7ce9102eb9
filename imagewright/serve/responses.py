"""``POST /v1/responses`` with the tool ``image_generation``: every answer is a picture of the tool, or words.

``previous_response_id`` goes on from an earlier answer; else the conversation is known as in a chat.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from imagewright.serve.clients import ClientAccount
from imagewright.serve.completions import (
    ChatMessage,
    ChatRequest,
    order_of_messages,
    say_endings,
    usage_of_endings,
)
from imagewright.serve.conversations import split_order
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.house import STREAMS, Asking, AtHouse, House, abandon, wait_for_all
from imagewright.serve.images import PARTIALS, IdempotencyKey, digest_of, is_due
from imagewright.serve.knobs import OWN_MODEL, Knobs, Text
from imagewright.serve.orders import Ending, JobOrder, cut_at_question
from imagewright.serve.renders import OutputFormat, render_as, to_base64

router = APIRouter(tags=["OpenAI"])
_BEFORE = "resp_"


class ImageTool(BaseModel):
    """The tool's own wishes; other tools are let through and not used."""

    model_config = ConfigDict(extra="ignore")

    type: str = Field(max_length=60)
    size: str | None = Field(default=None, max_length=20)
    quality: str | None = Field(default=None, max_length=20)
    output_format: OutputFormat | None = None
    output_compression: int | None = Field(default=None, ge=0, le=100)
    partial_images: int = Field(default=0, ge=0, le=PARTIALS)


class ResponseRequest(Knobs):
    """The body of a response."""

    model_config = ConfigDict(json_schema_extra={"examples": [
        {"model": "imagewright", "input": "a red circle", "tools": [{"type": "image_generation"}]}]})  # fmt: skip

    input: Text | list[ChatMessage] = Field(description="what is said, or the messages so far")
    tools: list[ImageTool] = Field(default=[], max_length=100)
    previous_response_id: str | None = Field(default=None, max_length=80)
    stream: bool = False

    @property
    def tool(self) -> ImageTool:
        """The wishes of the tool that draws."""
        return next(
            (tool for tool in self.tools if tool.type == "image_generation"), ImageTool(type="image_generation")
        )

    def to_chat(self) -> ChatRequest:
        """The same as a chat."""
        messages = [ChatMessage(role="user", content=self.input)] if isinstance(self.input, str) else self.input
        knobs = {name: getattr(self, name) for name in Knobs.model_fields}
        wishes = {"size": self.size or self.tool.size, "quality": self.quality or self.tool.quality}
        if not messages:
            raise Denied("bad_input", "the input is empty", "say what to draw", param="input")
        return ChatRequest(**{**knobs, **wishes}, messages=messages)


class ResponseAnswer(BaseModel):
    """A response, as OpenAI's clients read it."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Literal["in_progress", "completed"]
    model: str
    output: list[dict[str, Any]] = []
    error: None = None
    incomplete_details: None = None
    instructions: None = None
    metadata: dict[str, str] = {}
    parallel_tool_calls: bool = False
    temperature: float | None = None
    tool_choice: str = "auto"
    tools: list[dict[str, Any]] = []
    top_p: float | None = None
    usage: dict[str, Any] | None = None


@router.post("/v1/responses", response_model=ResponseAnswer, responses=STREAMS)
async def create_response(
    body: ResponseRequest, request: Request, house: AtHouse, client: Asking, key: IdempotencyKey = None
) -> Response | ResponseAnswer:
    """Say something and get the picture as a call of the tool ``image_generation``, or words."""
    order = await in_thread(_order, body, house, client)
    await in_thread(house.desk.insist_on_flow, order.request)
    orders = await in_thread(split_order, house, order)
    jobs = await in_thread(lambda: house.desk.accept(client, orders, key=key or "", digest=digest_of(body)))
    if body.stream:
        return EventSourceResponse(_stream(body, house, client, jobs, request), ping=15)
    endings = await wait_for_all(request, house, client, jobs)
    return await in_thread(_whole, body, request, house, jobs, endings)


def _order(body: ResponseRequest, house: House, client: ClientAccount) -> JobOrder:
    chat = body.to_chat()
    before = (body.previous_response_id or "").removeprefix(_BEFORE)
    if before and body.thread is None:
        job = house.desk.book.get(before, client.name)
        if job is None or job.outcome is None:
            raise Denied(
                "not_found", f"there is no response {body.previous_response_id!r}", param="previous_response_id"
            )
        said = ChatMessage(role="assistant", content=f"`{before}`")
        chat = chat.model_copy(update={"messages": [said, *chat.messages]})
    return order_of_messages(chat, house, client)[0]


def _begun(body: ResponseRequest, run: str) -> ResponseAnswer:
    return ResponseAnswer(
        id=f"{_BEFORE}{run}", created_at=int(time.time()), status="in_progress", model=body.model or OWN_MODEL,
        tools=[{"type": "image_generation"}],
    )  # fmt: skip


def _whole(
    body: ResponseRequest, request: Request, house: House, jobs: Sequence[str], endings: Sequence[Ending]
) -> ResponseAnswer:
    endings = cut_at_question(endings)
    used, run = usage_of_endings(house, endings), jobs[-1]
    usage = {
        "input_tokens": used.prompt_tokens, "output_tokens": used.completion_tokens, "total_tokens": used.total_tokens,
        "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
    }  # fmt: skip
    calls = [call for job, ending in zip(jobs, endings, strict=False) for call in _calls(body, house, job, ending)]
    output = [*calls, _message(run, say_endings(request, house, endings))]
    return _begun(body, run).model_copy(update={"status": "completed", "output": output, "usage": usage})


def _calls(body: ResponseRequest, house: House, run: str, ending: Ending) -> Iterator[dict[str, Any]]:
    """The tool's call with its picture; none where words were said."""
    if not ending.image:
        return
    kind, result = body.tool.output_format or "png", house.desk.engine.runs.get(ending.run).result
    png = house.desk.engine.store.get(ending.image).read_bytes()
    prompt = result.prompt if result else ""
    yield {
        "type": "image_generation_call", "id": f"ig_{run}", "status": "completed", "output_format": kind,
        "result": to_base64(render_as(png, kind, body.tool.output_compression)), "revised_prompt": prompt,
        "size": body.tool.size or "auto", "quality": body.tool.quality or "auto", "background": "opaque",
    }  # fmt: skip


def _message(run: str, text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": f"msg_{run}", "role": "assistant", "status": "completed", "content": [part]}


# --- as a stream ------------------------------------------------------------------------------


async def _stream(
    body: ResponseRequest, house: House, client: ClientAccount, jobs: Sequence[str], request: Request
) -> AsyncIterator[ServerSentEvent]:
    numbers, over, begun = itertools.count(), False, _begun(body, jobs[-1]).model_dump()
    call = {"type": "image_generation_call", "id": f"ig_{jobs[0]}", "status": "in_progress", "result": None}
    place = {"output_index": 0, "item_id": f"ig_{jobs[0]}"}
    tool = "response.image_generation_call"
    try:
        yield _event(numbers, "response.created", response=begun)
        yield _event(numbers, "response.in_progress", response=begun)
        yield _event(numbers, "response.output_item.added", output_index=0, item=call)
        yield _event(numbers, f"{tool}.in_progress", **place)
        yield _event(numbers, f"{tool}.generating", **place)
        async for index, image in _partials(body, house, client, jobs[0]):
            yield _event(numbers, f"{tool}.partial_image", **place, partial_image_index=index, partial_image_b64=image)
        endings = [await house.desk.outcome_of(client, job) for job in jobs]
        whole = (await in_thread(_whole, body, request, house, jobs, endings)).model_dump()
        for index, item in enumerate(whole["output"]):
            for event in _finish(numbers, index, item):
                yield event
        yield _event(numbers, "response.completed", response=whole)
        over = True
    except Denied as denied:
        over = True
        yield _event(numbers, "error", code=denied.code, message=denied.message, param=denied.param)
    finally:
        if not over:
            abandon(house, client, jobs)


async def _partials(
    body: ResponseRequest, house: House, client: ClientAccount, run: str
) -> AsyncIterator[tuple[int, str]]:
    sent, wanted, kind = 0, body.tool.partial_images, body.tool.output_format or "png"
    job = await in_thread(house.desk.job, client, run)
    async for told in house.desk.feed(job).follow():
        if sent < wanted and told.png and is_due(told, sent, wanted):
            yield sent, to_base64(await in_thread(render_as, told.png, kind))
            sent += 1


def _finish(numbers: Iterator[int], index: int, item: dict[str, Any]) -> Iterator[ServerSentEvent]:
    """The events that end an item of the output."""
    if item["type"] == "image_generation_call":
        place = {"output_index": index, "item_id": item["id"]}
        if index:  # the first was told when it began
            begun = {**item, "status": "in_progress", "result": None}
            yield _event(numbers, "response.output_item.added", output_index=index, item=begun)
        yield _event(numbers, "response.image_generation_call.completed", **place)
    else:
        place = {"output_index": index, "item_id": item["id"], "content_index": 0}
        opened = {**item, "status": "in_progress", "content": []}
        text = item["content"][0]["text"]
        yield _event(numbers, "response.output_item.added", output_index=index, item=opened)
        yield _event(numbers, "response.content_part.added", **place, part={**item["content"][0], "text": ""})
        yield _event(numbers, "response.output_text.delta", **place, delta=text, logprobs=[])
        yield _event(numbers, "response.output_text.done", **place, text=text, logprobs=[])
        yield _event(numbers, "response.content_part.done", **place, part=item["content"][0])
    yield _event(numbers, "response.output_item.done", output_index=index, item=item)


def _event(numbers: Iterator[int], kind: str, **facts: Any) -> ServerSentEvent:
    return ServerSentEvent(json.dumps({"type": kind, "sequence_number": next(numbers), **facts}), event=kind)
