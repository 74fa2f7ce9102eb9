"""``/v1/flows``: the index, a page at a time, and what of it runs here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from imagewright.errors import BadInput
from imagewright.schemas import Card, Flow, Readiness
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.house import ERRORS, Asking, AtHouse, House, insist_on_owner

if TYPE_CHECKING:
    from imagewright.api import ListedFlow

router = APIRouter(tags=["flows"])
NEAREST = 300
"""How many of the nearest cards are looked at where more is asked for than words."""
_PROBLEMS = 20
"""How many of a flow's problems a list tells."""


class FlowProblem(BaseModel):
    """One reason why a flow cannot run here."""

    kind: str
    name: str
    remedy: str


class FlowFacts(BaseModel):
    """One flow of the index."""

    id: str
    title: str
    description: str = ""
    kind: str
    base_model: str = ""
    tags: list[str] = []
    licence: str = ""
    runnable: bool
    why_not: str = ""
    problems: list[FlowProblem] = []
    disabled: bool = False
    similarity: float | None = None
    card: Card | None = None
    graph: dict[str, Any] | None = None


class FlowList(BaseModel):
    """Some flows."""

    data: list[FlowFacts]
    total: int
    next: int | None = None
    """The offset of the next page; null where this is the last."""


class FlowCheck(BaseModel):
    """Whether a flow runs here, and what it lacks; where ComfyUI servers are named, on each of them."""

    id: str
    runnable: bool
    problems: list[FlowProblem]
    servers: dict[str, list[FlowProblem]] | None = None


class FlowFilters(TypedDict):
    """Which flows are wanted; what is empty leaves all."""

    runnable: bool | None
    model: str
    kind: str
    search: str


class Switch(BaseModel):
    """Whether a flow is offered."""

    disabled: bool


@router.get("/v1/flows", response_model=FlowList, responses=ERRORS)
async def get_flows(
    house: AtHouse,
    client: Asking,
    text: Annotated[str, Query(max_length=500, description="what the flow should be good at; best first")] = "",
    search: Annotated[str, Query(max_length=200, description="words of id, title, description or tags")] = "",
    runnable: Annotated[bool | None, Query(description="only those that run here, or that do not")] = None,
    model: Annotated[str, Query(max_length=200, description="part of the name of a base model or a file")] = "",
    kind: Annotated[str, Query(max_length=40, description="text-to-image, upscale…")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> FlowList:
    """The flows, by name; with ``text``, the nearest cards, 300 at most."""
    filters: FlowFilters = {"runnable": runnable, "model": model, "kind": kind, "search": search}
    if text.strip():
        return await in_thread(find_nearest, house, text, limit, offset, filters)
    page = await in_thread(lambda: house.desk.engine.list_flows(**filters, limit=limit, offset=offset))
    return FlowList(data=[tell_flow(each) for each in page.flows], total=page.total, next=page.next)


@router.get("/v1/flows/{flow}", response_model=FlowFacts, responses=ERRORS)
async def get_flow(flow: str, house: AtHouse, client: Asking) -> FlowFacts:
    """A flow with its whole card and its graph."""
    found = await in_thread(insist_on_listed, house, flow)
    return tell_whole(found.flow, found.readiness, disabled=not found.enabled)


@router.get("/v1/flows/{flow}/check", response_model=FlowCheck, responses=ERRORS, response_model_exclude_none=True)
async def get_flow_check(flow: str, house: AtHouse, client: Asking) -> FlowCheck:
    """Whether it runs here, and what it lacks."""
    found = await in_thread(insist_on_listed, house, flow)
    servers = await in_thread(tell_servers_lack, house, found.flow)
    ready = found.readiness
    return FlowCheck(id=flow, runnable=ready.runnable, problems=tell_problems(ready), servers=servers or None)


@router.patch("/v1/flows/{flow}", status_code=204, response_class=Response, responses=ERRORS)
async def switch_flow(flow: str, body: Switch, house: AtHouse, client: Asking) -> Response:
    """Offer a flow or not; only the owner may."""
    insist_on_owner(client, "changes the index")
    await in_thread(insist_on_listed, house, flow)
    await in_thread(lambda: house.desk.engine.switch_flow(flow, on=not body.disabled))
    return Response(status_code=204)


@router.delete("/v1/flows/{flow}", status_code=204, response_class=Response, responses=ERRORS)
async def remove_flow(flow: str, house: AtHouse, client: Asking) -> Response:
    """Forget a flow; its scores stay, for when it is added again. A shipped one comes back with the next release.

    Only the owner may.
    """
    insist_on_owner(client, "changes the index")
    await in_thread(insist_on_listed, house, flow)
    await in_thread(house.desk.engine.remove_flow, flow)
    return Response(status_code=204)


# --- as answers -------------------------------------------------------------------------------


def insist_on_listed(house: House, flow: str) -> ListedFlow:
    """The flow of that id.

    Raises:
        Denied: there is none.
    """
    try:
        return house.desk.engine.show_flow(flow)
    except BadInput as error:
        raise Denied("not_found", str(error), "GET /v1/flows lists them") from None


def find_nearest(house: House, text: str, limit: int, offset: int, filters: FlowFilters | None = None) -> FlowList:
    """Flows whose cards are nearest to ``text``, nearest first; with ``filters``, those of the nearest 300 that fit."""
    wanted = {name: value for name, value in (filters or {}).items() if value not in ("", None)}
    count = NEAREST if wanted else min(offset + limit + 1, NEAREST)
    hits = [hit for hit in house.desk.engine.find_flows(text, count) if _fits(hit[0], wanted)]
    page = [tell_flow(each, round(cosine, 4)) for each, cosine in hits[offset : offset + limit]]
    following = offset + limit if len(hits) > offset + limit else None
    total = len(hits) if wanted else min(house.desk.engine.list_flows(limit=1).total, NEAREST)
    return FlowList(data=page, total=total, next=following)


def _fits(listed: ListedFlow, wanted: Mapping[str, object]) -> bool:
    card = listed.flow.card
    words = " ".join((listed.flow.id, card.title, card.description, *card.tags)).casefold()
    models = " ".join((card.base_model, *(file.name for file in card.models))).casefold()
    return (
        wanted.get("runnable") in (None, listed.readiness.runnable)
        and wanted.get("kind") in (None, card.kind)
        and str(wanted.get("model", "")).strip().casefold() in models
        and all(word in words for word in str(wanted.get("search", "")).casefold().split())
    )


def tell_flow(listed: ListedFlow, similarity: float | None = None) -> FlowFacts:
    """A flow as a list has it."""
    facts = _tell(listed.flow, listed.readiness)
    facts.disabled, facts.similarity = not listed.enabled, similarity
    return facts


def tell_whole(flow: Flow, readiness: Readiness, *, disabled: bool = False) -> FlowFacts:
    """A flow with its whole card and its graph."""
    facts = _tell(flow, readiness)
    facts.problems, facts.disabled = tell_problems(readiness), disabled
    facts.card, facts.graph = flow.card, flow.graph
    return facts


def _tell(flow: Flow, ready: Readiness) -> FlowFacts:
    card = flow.card
    return FlowFacts(
        id=flow.id,
        title=card.title,
        description=card.description,
        kind=card.kind,
        base_model=card.base_model,
        tags=list(card.labels),
        licence=card.licence,
        runnable=ready.runnable,
        why_not=ready.why_not,
        problems=tell_problems(ready)[:_PROBLEMS],
    )


def tell_problems(readiness: Readiness) -> list[FlowProblem]:
    """What is missing, each with what to do."""
    return [FlowProblem(kind=one.kind, name=one.name, remedy=one.remedy) for one in readiness.problems]


def tell_servers_lack(house: House, flow: Flow) -> dict[str, list[FlowProblem]]:
    """What each ComfyUI server lacks for a flow."""
    return {name: tell_problems(ready) for name, ready in house.desk.engine.check_servers(flow).items()}
