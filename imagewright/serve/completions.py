"""``POST /v1/chat/completions``: a conversation about pictures for any chat page, streamed or not.

The conversation is the one that ``thread`` names; without it, the one that the messages themselves tell of: every
answer of ours ends with its run, and the newest one that the client sends back says where to go on from. So editing an
earlier message, or asking for another answer, goes on from there as well.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from imagewright.serve.clients import ClientAccount
from imagewright.serve.conversations import saying, split_order
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.fetcher import read_image_url
from imagewright.serve.house import STREAMS, Asking, AtHouse, House, abandon, wait_for_all
from imagewright.serve.images import IdempotencyKey, digest_of, usage_of
from imagewright.serve.knobs import OWN_MODEL, Knobs
from imagewright.serve.orders import Ending, JobOrder, cut_at_question
from imagewright.serve.renders import put_on_white, read_upload

router = APIRouter(tags=["OpenAI"])
_RUN = re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{6}\b")
_TOLD = frozenset({"flow", "layout", "image", "verdict", "repair", "note", "fallback"})
"""The events that a chat page is told of."""


class PictureAddress(BaseModel):
    """Where a picture is that a message brings."""

    model_config = ConfigDict(extra="ignore")

    url: str


class MessagePart(BaseModel):
    """One part of a message: text, or a picture to start from (``image_url``; of a response ``input_image``)."""

    model_config = ConfigDict(extra="ignore")

    type: str = Field(max_length=40)
    text: str | None = None
    image_url: PictureAddress | str | None = None

    @property
    def address(self) -> str:
        """The picture's; empty where it brings none."""
        where = self.image_url
        return where.url if isinstance(where, PictureAddress) else where or ""


class ChatMessage(BaseModel):
    """One message."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[MessagePart] | None = None

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, str) or self.content is None:
            return self.content or ""
        return "\n".join(part.text for part in self.content if part.text)

    @property
    def pictures(self) -> list[str]:
        """The addresses of its pictures."""
        parts = self.content if isinstance(self.content, list) else []
        return [part.address for part in parts if part.address]


class StreamOptions(BaseModel):
    """What a stream has beside the words."""

    include_usage: bool = False


class ChatRequest(Knobs):
    """The body of a completion."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "imagewright", "messages": [{"role": "user", "content": "a red circle above a blue square"}]}
            ]
        }
    )

    messages: list[ChatMessage] = Field(min_length=1, max_length=2000)
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: str | None = Field(default=None, max_length=200)
    safety_identifier: str | None = Field(default=None, max_length=200)


class AnswerMessage(BaseModel):
    """What imagewright says."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: str | None = None


class AnswerChoice(BaseModel):
    """The one choice."""

    index: int = 0
    message: AnswerMessage
    finish_reason: Literal["stop"] = "stop"
    logprobs: None = None


class ChatUsage(BaseModel):
    """Tokens that language models used."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class ChatAnswer(BaseModel):
    """A completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[AnswerChoice]
    usage: ChatUsage
    thread: str
    run: str


@router.post("/v1/chat/completions", response_model=ChatAnswer, responses=STREAMS)
async def complete_chat(
    body: ChatRequest, request: Request, house: AtHouse, client: Asking, key: IdempotencyKey = None
) -> Response | ChatAnswer:
    """Say the last message of the person in its conversation; pictures come as links to served files."""
    order, thread = await in_thread(order_of_messages, body, house, client)
    await in_thread(house.desk.insist_on_flow, order.request)
    user = body.safety_identifier or body.user or ""
    orders = await in_thread(split_order, house, order)
    jobs = await in_thread(lambda: house.desk.accept(client, orders, user=user, key=key or "", digest=digest_of(body)))
    if body.stream:
        return EventSourceResponse(_stream(body, house, client, jobs, request), ping=15)
    endings = cut_at_question(await wait_for_all(request, house, client, jobs))
    text, usage = await in_thread(lambda: (say_endings(request, house, endings), usage_of_endings(house, endings)))
    return ChatAnswer(
        id=f"chatcmpl-{jobs[-1]}",
        created=int(time.time()),
        model=body.model or OWN_MODEL,
        thread=thread,
        run=endings[-1].run,
        choices=[AnswerChoice(message=AnswerMessage(content=text))],
        usage=usage,
    )


def order_of_messages(body: ChatRequest, house: House, client: ClientAccount) -> tuple[JobOrder, str]:
    """What the last message orders, and the client's name of the conversation.

    Raises:
        Denied: the person says nothing.
    """
    last = next((message for message in reversed(body.messages) if message.role == "user"), None)
    said = last.text.strip() if last is not None else ""
    if last is None or not said:
        raise Denied("bad_input", "the last message of the user holds no text", "say what to draw", param="messages")
    if body.thread is not None:
        thread, run = body.thread, ""
    else:
        thread, run = _find_turn(body, house, client) or (f"chat {house.desk.engine.name_run()}", "")
    return _start_from(saying(house, client, thread, said, body, run), last.pictures, house), thread


def _start_from(order: JobOrder, pictures: list[str], house: House) -> JobOrder:
    """The order with the picture that the message brings: kept as an upload is, by its content."""
    if not pictures:
        return order
    if len(pictures) > 1:
        raise Denied("bad_input", "a message brings one picture at most", "send one", param="messages")
    sent = read_upload(read_image_url(pictures[0], "image_url", house.fetcher), "image_url")
    image = house.desk.engine.store.put_image(put_on_white(sent))
    return order.model_copy(update={"request": order.request.revise(image=image)})


def _find_turn(body: ChatRequest, house: House, client: ClientAccount) -> tuple[str, str] | None:
    """The conversation and the turn that the newest answer of ours in the messages belongs to."""
    last = max(n for n, message in enumerate(body.messages) if message.role == "user")
    for message in reversed(body.messages[:last]):
        for run in reversed(_RUN.findall(message.text) if message.role == "assistant" else []):
            job = house.desk.book.get(run, client.name)
            stored = job.order.request.thread if job is not None else None
            thread = client.own_thread(stored) if stored else None
            if thread is not None and job is not None and job.outcome is not None:
                return thread, job.outcome.run if not job.outcome.trouble else ""
    return None


# --- what is said -----------------------------------------------------------------------------


def say_endings(request: Request, house: House, endings: Sequence[Ending]) -> str:
    """What became of one saying: of several variations each, the last one's run last."""
    return "\n\n".join(say_ending(request, house, ending) for ending in endings)


def say_ending(request: Request, house: House, ending: Ending) -> str:
    """A picture as a link, words, a question with its choices, or trouble; then the run, for the next message."""
    if (trouble := ending.trouble) is not None:
        if trouble.code == "server_error":
            raise Denied(trouble.code, trouble.message, trouble.remedy, run=ending.run)
        words = f"{trouble.message}\n\n{trouble.remedy}".strip()
    elif ending.image:
        words = _say_picture(request, house, ending)
    else:
        words = "\n".join([ending.text, *(f"{n}. {text}" for n, text in enumerate(ending.choices, 1))])
    return f"{words}\n\n`{ending.run}`"


def _say_picture(request: Request, house: House, ending: Ending) -> str:
    result = house.desk.engine.runs.get(ending.run).result
    alt = re.sub(r"[\[\]\n]", " ", result.prompt)[:100] if result else "picture"
    told = f"{result.flow}, seed {result.seed}" if result else ""
    notes = "".join(f"\n\n> {note}" for note in (result.notes if result else ()))
    return f"![{alt}]({house.link(request, f'{ending.image}.png')})\n\n{told}{notes}"


def usage_of_endings(house: House, endings: Sequence[Ending]) -> ChatUsage:
    """What language models used for runs; nothing where no picture came of one."""
    used = [usage_of(house, ending.run) for ending in endings if ending.image]
    read, wrote = sum(one.input_tokens for one in used), sum(one.output_tokens for one in used)
    return ChatUsage(prompt_tokens=read, completion_tokens=wrote, total_tokens=read + wrote)


# --- as a stream ------------------------------------------------------------------------------


async def _stream(
    body: ChatRequest, house: House, client: ClientAccount, jobs: Sequence[str], request: Request
) -> AsyncIterator[ServerSentEvent]:
    over, run, endings = False, jobs[-1], list[Ending]()
    try:
        yield _chunk(body, run, {"role": "assistant", "content": ""})
        for job in jobs:
            async for words in _progress(house, client, job):
                yield _chunk(body, run, {"content": words})
            endings.append(await house.desk.outcome_of(client, job))
            said = await in_thread(say_ending, request, house, endings[-1])
            yield _chunk(body, run, {"content": said if job == run else f"{said}\n\n"})
            if not endings[-1].image:
                break
        yield _chunk(body, run, {}, "stop")
        if body.stream_options and body.stream_options.include_usage:
            yield _usage_chunk(body, run, await in_thread(usage_of_endings, house, endings))
        yield ServerSentEvent("[DONE]")
        over = True
    except Denied as denied:
        over = True
        yield ServerSentEvent(json.dumps(denied.to_body()))
    finally:
        if not over:
            abandon(house, client, jobs)


async def _progress(house: House, client: ClientAccount, job: str) -> AsyncIterator[str]:
    found = await in_thread(house.desk.job, client, job)
    async for told in house.desk.feed(found).follow():
        if told.event.kind in _TOLD:
            yield f"{told.event.kind}: {told.event.text}\n\n"


def _chunk(body: ChatRequest, run: str, delta: dict[str, Any], end: str | None = None) -> ServerSentEvent:
    choice = {"index": 0, "delta": delta, "finish_reason": end, "logprobs": None}
    return ServerSentEvent(json.dumps(_head(body, run) | {"choices": [choice]}, ensure_ascii=False))


def _usage_chunk(body: ChatRequest, run: str, usage: ChatUsage) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(_head(body, run) | {"choices": [], "usage": usage.model_dump()}))


def _head(body: ChatRequest, run: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{run}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": body.model or OWN_MODEL,
    }
