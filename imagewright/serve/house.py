"""What the routes are given: the desk, who asks, and how links are made."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import Depends, Request

from imagewright.errors import ImagewrightError
from imagewright.serve.clients import ClientAccount
from imagewright.serve.desk import Desk
from imagewright.serve.faults import Denied, ErrorBody
from imagewright.serve.fetcher import PictureFetcher
from imagewright.serve.links import LinkSigner
from imagewright.serve.orders import Ending

if TYPE_CHECKING:
    from imagewright.serve.metrics import Metrics

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": what}
    for status, what in {
        400: "The request cannot be used",
        401: "No such token",
        402: "A budget is spent",
        403: "Not allowed",
        404: "There is none",
        408: "The body came too slowly",
        409: "Not as things stand",
        413: "Too large",
        421: "Not the name of this server",
        422: "Nothing here can draw it",
        429: "Too much at once",
        500: "A bug of ours",
        503: "The server stops",
    }.items()
}
"""What any route may answer instead, for the OpenAPI."""
STREAMS: dict[int | str, dict[str, Any]] = {
    **ERRORS,
    200: {"description": "The answer; with `stream`, events", "content": {"text/event-stream": {}}},
}
"""The same for routes that stream where that is asked for."""


@dataclass(frozen=True)
class House:
    """What belongs to one running server."""

    desk: Desk
    signer: LinkSigner
    metrics: Metrics
    public_url: str = ""
    """The address under which clients reach it, where a proxy stands before it."""
    fetcher: PictureFetcher | None = None
    """What fetches addresses for clients; None: none is fetched."""

    def base_of(self, request: Request) -> str:
        """The address that links begin with: the public one, else the one that was asked."""
        return self.public_url or str(request.base_url).rstrip("/")

    def link(self, request: Request, name: str) -> str:
        """A signed link to a picture file."""
        return self.base_of(request) + self.signer.link(name)


def house_of(request: Request) -> House:
    """The server's house."""
    return cast(House, request.app.state.house)


def client_of(request: Request) -> ClientAccount:
    """Whose request it is; the guard has found out."""
    client = request.state.client
    if client is None:
        raise Denied("invalid_token", "no token was sent", "send one")
    return cast(ClientAccount, client)


def insist_on_owner(client: ClientAccount, deed: str) -> None:
    """Refuse what the owner alone may do; ``deed`` says what that is.

    Raises:
        Denied: it is another client.
    """
    if not client.owns_home:
        raise Denied("not_allowed", f"only the owner {deed}", "ask the owner of this server")


AtHouse = Annotated[House, Depends(house_of)]
Asking = Annotated[ClientAccount, Depends(client_of)]


async def wait_for_all(request: Request, house: House, client: ClientAccount, jobs: Sequence[str]) -> list[Ending]:
    """What the jobs come to; where the client goes away before, they are cancelled.

    Raises:
        Denied: the client went away, or the server stops.
    """
    work = asyncio.ensure_future(asyncio.gather(*(house.desk.outcome_of(client, job) for job in jobs)))
    gone = asyncio.ensure_future(_wait_until_gone(request))
    both: set[asyncio.Future[Any]] = {work, gone}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return list(work.result())
    finally:
        for task in both:
            task.cancel()
    abandon(house, client, jobs)
    raise Denied("cancelled", "the client went away")


def abandon(house: House, client: ClientAccount, jobs: Sequence[str]) -> None:
    """Cancel jobs whose client went away; not awaited, since the request's own task is being cancelled."""
    loop = asyncio.get_running_loop()
    for job in jobs:
        loop.run_in_executor(None, _cancel_quietly, house, client, job)


def _cancel_quietly(house: House, client: ClientAccount, job: str) -> None:
    with contextlib.suppress(Denied, ImagewrightError):
        house.desk.cancel(client, job)


async def _wait_until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
