"""The MCP server: seven tools over the same desk as the HTTP routes, for agents of others."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp_types import CallToolResult, ContentBlock, ImageContent, ResourceLink, TextContent
from PIL import Image
from pydantic import Field
from pydantic_core import to_jsonable_python
from starlette.types import ASGIApp, Receive, Scope, Send

import imagewright
from imagewright.box_changes import BoxChange
from imagewright.schemas import DrawRequest
from imagewright.serve.clients import ClientAccount
from imagewright.serve.conversations import order_by_hand, split_order
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.fetcher import read_image_url
from imagewright.serve.flows import find_nearest
from imagewright.serve.gallery import PictureFilter, find_pictures
from imagewright.serve.house import House, abandon
from imagewright.serve.knobs import Knobs
from imagewright.serve.orders import Ending, JobOrder, cut_at_question
from imagewright.serve.renders import put_on_white, read_upload, render_as, to_base64, to_paint
from imagewright.serve.runs import find_job, run_of

PREVIEW = 768
"""Pixels of the longer side of the picture that an agent is shown."""
PICTURE_URI = "imagewright://pictures/"
INSTRUCTIONS = (
    "Draws pictures with the workflow that has measurably served such prompts best, checks and repairs them."
    " Name a thread to change its last picture later. Errors say what to do."
)
_SHA = re.compile(r"[0-9a-f]{64}")
_TOLD = frozenset({"flow", "layout", "step", "image", "verdict", "repair", "note", "fallback"})
Thread = Annotated[str, Field(max_length=150, description="conversation; its last picture can be changed")]
DrawText = Annotated[str, Field(min_length=1, max_length=20_000)]
WhoAsks = Callable[[Context], ClientAccount]


def build_mcp(house: House, asker: WhoAsks) -> MCPServer:
    """The server; ``asker`` says whose call it is."""
    server = MCPServer(
        "imagewright",
        version=imagewright.__version__,
        instructions=INSTRUCTIONS,
        log_level="ERROR",
        subscriptions=False,
    )
    tools = PictureTools(house, asker)
    for tool in (
        tools.draw,
        tools.change,
        tools.feedback,
        tools.search_flows,
        tools.explain,
        tools.job_status,
        tools.list_images,
    ):
        server.add_tool(tool, structured_output=False)
    server.resource(PICTURE_URI + "{image}", mime_type="image/png", description="a whole picture")(tools.read_picture)
    return server


class PictureTools:
    """What agents call."""

    def __init__(self, house: House, asker: WhoAsks) -> None:
        self._house, self._asker = house, asker

    async def draw(
        self,
        ctx: Context,
        prompt: DrawText,
        thread: Thread = "",
        seed: int | None = None,
        size: Annotated[str, Field(description="auto or WxH")] = "auto",
        flow: Annotated[str | None, Field(description="see search_flows; best left out")] = None,
        negative_prompt: str = "",
        quality: Literal["auto", "low", "high"] = "auto",
        image: Annotated[str, Field(description="start from it: sha256 of a picture, or data: URL")] = "",
        mask: Annotated[str, Field(description="white is drawn anew, the rest of image stays")] = "",
        strength: Annotated[float | None, Field(gt=0, le=1, description="1 draws anew")] = None,
    ) -> CallToolResult:
        """Draw a picture from words, or from a picture and words."""
        knobs = _knobs(
            seed=seed, size=size, flow=flow, negative_prompt=negative_prompt, quality=quality, thread=thread or None
        )
        client = self._asker(ctx)
        request = _request(self._house, client, prompt, knobs)
        if image or mask or strength is not None:
            request = await _known(_start_from, self._house, client, request, (image, mask, strength))
        order = JobOrder(kind="draw", request=request)
        return await self._work(ctx, client, [order])

    async def change(
        self,
        ctx: Context,
        thread: Thread,
        text: Annotated[str, Field(max_length=20_000)] = "",
        boxes: Annotated[tuple[BoxChange, ...], Field(description="by a result's boxes; shares of the picture")] = (),
        seed: int | None = None,
        flow: str | None = None,
        quality: Literal["auto", "low", "high"] = "auto",
    ) -> CallToolResult:
        """Say something in a thread: 'make the fox bigger', 'undo', 'one more', 'why?', or the answer to a question."""
        client, knobs = self._asker(ctx), _knobs(thread=thread, seed=seed, flow=flow, quality=quality)
        if boxes:
            order = await _known(order_by_hand, self._house, client, thread, boxes, text, knobs)
        elif text:
            order = JobOrder(kind="say", request=_request(self._house, client, text, knobs))
        else:
            raise ToolError("nothing is said. Give text, or boxes that change")
        return await self._work(ctx, client, await _known(split_order, self._house, order))

    async def feedback(self, ctx: Context, thread: Thread, thumb: Literal["up", "down"]) -> CallToolResult:
        """Say whether a thread's last picture is good; it counts when flows are chosen."""
        return await self.change(ctx, thread, f"thumbs {thumb}")

    async def search_flows(
        self, ctx: Context, text: Annotated[str, Field(max_length=500)], limit: Annotated[int, Field(ge=1, le=20)] = 5
    ) -> CallToolResult:
        """Find workflows by what they are good at."""
        self._asker(ctx)
        found = await _known(find_nearest, self._house, text, limit, 0)
        return _tell(
            [],
            flows=[
                {"id": one.id, "title": one.title, "runnable": one.runnable, "why_not": one.why_not}
                for one in found.data
            ],
        )

    async def explain(
        self, ctx: Context, run: str, about: Literal["", "flow", "layout", "seed", "prompt", "verdict", "cost"] = ""
    ) -> CallToolResult:
        """Why the picture of a run came out as it did."""
        job = await _known(find_job, self._house, self._asker(ctx), run)
        return _tell([], text=await _known(self._house.desk.engine.explain, run_of(job), about))

    async def job_status(self, ctx: Context, run: str, cancel: bool = False) -> CallToolResult:
        """How a run stands; or cancel it."""
        client = self._asker(ctx)
        if cancel:
            await _known(self._house.desk.cancel, client, run)
        job = await _known(find_job, self._house, client, run)
        ending = job.outcome or Ending()
        trouble = ending.trouble.model_dump() if ending.trouble else None
        return _tell([], run=run, status=job.status, image=ending.image, text=ending.text, error=trouble)

    async def list_images(
        self,
        ctx: Context,
        text: Annotated[str, Field(max_length=200)] = "",
        limit: Annotated[int, Field(ge=1, le=50)] = 10,
    ) -> CallToolResult:
        """The newest pictures; with text, those whose prompt says it."""
        page = await _known(find_pictures, self._house, self._asker(ctx), PictureFilter(text=text), limit)
        images = [
            {
                "run": row.run,
                "prompt": row.prompt,
                "flow": row.flow,
                "seed": row.seed,
                "uri": PICTURE_URI + row.image,
            }
            for row in page.rows
        ]
        return _tell([], images=images)

    async def read_picture(self, image: str, ctx: Context) -> bytes:
        """The whole picture."""
        try:
            path = await in_thread(self._house.desk.insist_on_picture, self._asker(ctx), image)
        except Denied as denied:
            raise ResourceNotFoundError(denied.message) from None
        return await asyncio.to_thread(path.read_bytes)

    # --- how ------------------------------------------------------------------------------------

    async def _work(self, ctx: Context, client: ClientAccount, orders: list[JobOrder]) -> CallToolResult:
        """Queue orders, tell their progress, and give what comes of them; a call that is cancelled takes them along."""
        await _known(self._house.desk.insist_on_flow, orders[0].request)
        runs = await _known(self._house.desk.accept, client, orders)
        over, told_so_far, endings = False, itertools.count(1), list[Ending]()
        try:
            for run in runs:
                await self._follow(ctx, client, run, told_so_far)
                endings.append(await self._house.desk.outcome_of(client, run))
            over = True
        except Denied as denied:
            raise ToolError(_said(denied.message, denied.remedy)) from None
        finally:
            if not over:
                abandon(self._house, client, runs)
        told: CallToolResult = await _known(_tell_endings, self._house, client, orders[-1], endings)
        return told

    async def _follow(self, ctx: Context, client: ClientAccount, run: str, told_so_far: Iterator[int]) -> None:
        job = await in_thread(self._house.desk.job, client, run)
        async for told in self._house.desk.feed(job).follow():
            if told.event.kind in _TOLD:
                await ctx.report_progress(next(told_so_far), None, told.event.text[:300])


async def _known(work: Callable[..., Any], *arguments: object) -> Any:
    """Do ``work`` beside the loop; what we foresaw is an error that an agent can act on."""
    try:
        return await in_thread(work, *arguments)
    except Denied as denied:
        raise ToolError(_said(denied.message, denied.remedy)) from None


def _said(message: str, remedy: str) -> str:
    return f"{message}. {remedy}" if remedy else message


def _knobs(**given: Any) -> Knobs:
    try:
        return Knobs(**given)
    except ValueError as error:
        raise ToolError(str(error).splitlines()[-2].strip() if "\n" in str(error) else str(error)) from None


def _request(house: House, client: ClientAccount, prompt: str, knobs: Knobs) -> Any:
    try:
        return knobs.to_request(prompt, client, str(house.desk.place_of(client)))
    except Denied as denied:
        raise ToolError(_said(denied.message, denied.remedy)) from None


def _start_from(
    house: House, client: ClientAccount, request: DrawRequest, brought: tuple[str, str, float | None]
) -> DrawRequest:
    """``request`` with the picture and the mask that are named, both in the store."""
    image, mask, strength = brought
    kept: dict[str, Any] = {"strength": strength}
    if image:
        kept["image"] = _keep(house, client, "image", image, put_on_white)
    if mask:
        kept["mask"] = _keep(house, client, "mask", mask, to_paint)
    return request.revise(**kept)


def _keep(
    house: House, client: ClientAccount, param: str, named: str, read: Callable[[Image.Image], Image.Image]
) -> str:
    """The SHA-256 of a picture that a client names by it, by its link, or sends as an address."""
    sha = named.removeprefix(PICTURE_URI)
    if _SHA.fullmatch(sha):
        house.desk.insist_on_picture(client, sha)
        return sha
    return house.desk.engine.store.put_image(read(read_upload(read_image_url(named, param, house.fetcher), param)))


def _tell_endings(house: House, client: ClientAccount, order: JobOrder, endings: Sequence[Ending]) -> CallToolResult:
    """The last one, and of several variations where the others are."""
    *before, ending = cut_at_question(endings)
    others = [PICTURE_URI + made.image for made in before]
    if (trouble := ending.trouble) is not None:
        raise Denied(trouble.code, trouble.message, trouble.remedy)
    thread = client.own_thread(order.request.thread) if order.request.thread else None
    if not ending.image:
        return _tell([], run=ending.run, thread=thread, text=ending.text, asked=ending.asked, choices=ending.choices)
    return _tell_picture(house, client, thread, ending, {"others": others} if others else {})


def _tell_picture(
    house: House, client: ClientAccount, thread: str | None, ending: Ending, more: dict[str, Any]
) -> CallToolResult:
    engine = house.desk.engine
    result = engine.runs.get(ending.run).result
    if result is None:
        raise Denied("not_found", "the run was deleted meanwhile")
    png = engine.store.get(ending.image).read_bytes()
    verdict = next((made.verdict for made in result.rounds if made.image == result.image), None)
    facts = {
        "run": result.run,
        "thread": thread,
        "sha256": result.image,
        "flow": result.flow,
        "seed": result.seed,
        "score": verdict.score if verdict else None,
        "notes": result.notes,
        "uri": PICTURE_URI + result.image,
        "boxes": engine.show_layout(result.run).boxes,
        **more,
    }
    if client.owns_home:
        facts["path"] = result.path
    link = ResourceLink(
        type="resource_link",
        uri=PICTURE_URI + result.image,
        name=Path(result.path).name,
        mime_type="image/png",
        size=len(png),
        description="the whole picture",
    )
    preview = ImageContent(type="image", data=to_base64(render_as(png, "png", None, PREVIEW)), mime_type="image/png")
    return _tell([preview, link], **facts)


def _tell(blocks: Sequence[ContentBlock], **facts: Any) -> CallToolResult:
    """The facts as structured content, and as text for agents that read only that."""
    plain = to_jsonable_python(facts)
    text = TextContent(type="text", text=json.dumps(plain, ensure_ascii=False))
    return CallToolResult(content=[text, *blocks], structured_content=plain)


# --- over HTTP ----------------------------------------------------------------------------------


def asker_of_request(ctx: Context) -> ClientAccount:
    """Whose call it is that came over HTTP: the guard has found out, for every single request.

    Raises:
        ToolError: nobody's.
    """
    request = ctx.request_context.request
    client = getattr(getattr(request, "state", None), "client", None)
    if not isinstance(client, ClientAccount):
        raise ToolError("no token was sent")
    return client


class OwnSessions:
    """Lets a session be used by the client that opened it only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the client to the SDK, which compares it with the session's."""
        client = scope.get("state", {}).get("client")
        if isinstance(client, ClientAccount):
            scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=client.name, scopes=[]))
        await self._app(scope, receive, send)
