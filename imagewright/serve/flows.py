"""``/v1/flows`` and ``/v1/models``: the index, and what of it runs here, in OpenAI's words."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from imagewright.schemas import Flow, Readiness
from imagewright.serve.clients import ClientAccount
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.house import ERRORS, Asking, AtHouse, House
from imagewright.serve.knobs import OWN_MODEL

router = APIRouter()
_FIRST = 1_767_225_600
"""What ``created`` says of every model: the clients want a number there."""


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
    disabled: bool = False
    similarity: float | None = None
    graph: dict[str, Any] | None = None


class FlowList(BaseModel):
    """Some flows."""

    data: list[FlowFacts]
    total: int


class FlowProblem(BaseModel):
    """One reason why a flow cannot run here."""

    kind: str
    name: str
    remedy: str


class FlowCheck(BaseModel):
    """Whether a flow runs here, and what it lacks."""

    id: str
    runnable: bool
    problems: list[FlowProblem]


class NewFlow(BaseModel):
    """A workflow as ComfyUI saves or exports it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "my-flow", "workflow": {"1": {"class_type": "KSampler", "inputs": {}}}}]
        }
    )

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$")
    workflow: dict[str, Any]
    replace: bool = False


class Switch(BaseModel):
    """Whether a flow is offered."""

    disabled: bool


class ModelFacts(BaseModel):
    """A model, as OpenAI's clients list them."""

    id: str
    object: str = "model"
    created: int = _FIRST
    owned_by: str = OWN_MODEL


class ModelList(BaseModel):
    """Models."""

    object: str = "list"
    data: list[ModelFacts]


@router.get("/v1/models", response_model=ModelList, responses=ERRORS, tags=["OpenAI"])
async def get_models(house: AtHouse, client: Asking) -> ModelList:
    """imagewright itself, which chooses the flow, and each flow that runs here."""
    ready = await in_thread(house.desk.engine.readiness)
    names = [f"{OWN_MODEL}/{flow}" for flow, found in ready.items() if found.runnable]
    return ModelList(data=[ModelFacts(id=name) for name in (OWN_MODEL, *sorted(names))])


@router.get("/v1/models/{model:path}", response_model=ModelFacts, responses=ERRORS, tags=["OpenAI"])
async def get_model(model: str, house: AtHouse, client: Asking) -> ModelFacts:
    """One of them."""
    if model not in {facts.id for facts in (await get_models(house, client)).data}:
        raise Denied("not_found", f"no model is called {model[:100]!r}", "GET /v1/models lists them", param="model")
    return ModelFacts(id=model)


@router.get("/v1/flows", response_model=FlowList, responses=ERRORS, tags=["flows"])
async def get_flows(
    house: AtHouse,
    client: Asking,
    text: Annotated[str, Query(max_length=500, description="what the flow should be good at; best first")] = "",
    runnable: Annotated[bool, Query(description="only those that run here")] = False,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> FlowList:
    """The flows, by name; with ``text``, the nearest cards."""
    found = await in_thread(find_flows, house, text, runnable)
    return FlowList(data=found[offset : offset + limit], total=len(found))


@router.post("/v1/flows", status_code=201, response_model=FlowFacts, responses=ERRORS, tags=["flows"])
async def add_flow(body: NewFlow, house: AtHouse, client: Asking) -> FlowFacts:
    """Put a workflow into the index; only the owner may."""
    _insist_on_owner(client)
    return await in_thread(_add, house, body)


@router.get("/v1/flows/{flow}", response_model=FlowFacts, responses=ERRORS, tags=["flows"])
async def get_flow(flow: str, house: AtHouse, client: Asking) -> FlowFacts:
    """A flow with its graph."""
    found, ready = await in_thread(_get, house, flow)
    facts = _tell(house, found, ready)
    facts.graph = found.graph
    return facts


@router.get("/v1/flows/{flow}/check", response_model=FlowCheck, responses=ERRORS, tags=["flows"])
async def get_flow_check(flow: str, house: AtHouse, client: Asking) -> FlowCheck:
    """Whether it runs here, and what it lacks."""
    found, ready = await in_thread(_get, house, flow)
    problems = [FlowProblem(kind=one.kind, name=one.name, remedy=one.remedy) for one in ready.problems]
    return FlowCheck(id=found.id, runnable=ready.runnable, problems=problems)


@router.patch("/v1/flows/{flow}", status_code=204, response_class=Response, responses=ERRORS, tags=["flows"])
async def switch_flow(flow: str, body: Switch, house: AtHouse, client: Asking) -> Response:
    """Offer a flow or not; only the owner may."""
    _insist_on_owner(client)
    await in_thread(_get, house, flow)
    await in_thread(lambda: house.desk.engine.index.switch(flow, on=not body.disabled))
    return Response(status_code=204)


def _insist_on_owner(client: ClientAccount) -> None:
    if not client.owns_home:
        raise Denied("not_allowed", "only the owner changes the index", "ask the owner of this server")


def _get(house: House, flow: str) -> tuple[Flow, Readiness]:
    from imagewright.errors import BadInput

    try:
        found = house.desk.engine.index.get(flow)
    except BadInput as error:
        raise Denied("not_found", str(error), "GET /v1/flows lists them") from None
    return found, house.desk.engine.backend().check(found)


def _tell(house: House, flow: Flow, ready: Readiness, similarity: float | None = None) -> FlowFacts:
    card, off = flow.card, house.desk.engine.index.switched_off()
    return FlowFacts(
        id=flow.id,
        title=card.title,
        description=card.description,
        kind=card.kind,
        base_model=card.base_model,
        tags=list(card.tags),
        licence=card.licence,
        runnable=ready.runnable,
        why_not=ready.why_not,
        disabled=flow.id in off,
        similarity=similarity,
    )


def find_flows(house: House, text: str, runnable: bool) -> list[FlowFacts]:
    """The flows by name; with ``text``, the nearest cards first."""
    engine = house.desk.engine
    ready = engine.readiness()
    known = {flow.id: flow for flow in engine.index.list()}
    near = dict(engine.index.search(text, len(known))) if text.strip() else dict.fromkeys(known)
    return [
        _tell(house, known[name], ready[name], None if likeness is None else round(likeness, 4))
        for name, likeness in near.items()
        if name in known and (not runnable or ready[name].runnable)
    ]


def _add(house: House, body: NewFlow) -> FlowFacts:
    """Stored through the same door as a file: what it is named and holds is checked there."""
    from imagewright.api import Refused as NotAdded

    with tempfile.TemporaryDirectory(prefix="imagewright-") as folder:
        path = Path(folder) / f"{body.name}.json"
        path.write_text(json.dumps(body.workflow), encoding="utf-8")
        [told] = house.desk.engine.add_flows([path], replace=body.replace)
    if isinstance(told, NotAdded):
        raise Denied("bad_input", str(told.error).replace(str(path), "the workflow"), told.error.remedy)
    return _tell(house, *_get(house, told.flow.id))
