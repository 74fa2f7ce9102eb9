"""``/v1/models``: imagewright and its flows as OpenAI's clients list models; and the model files that flows need."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from imagewright.errors import BadInput
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.house import ERRORS, Asking, AtHouse, House, insist_on_owner
from imagewright.serve.knobs import OWN_MODEL, flow_of_model

router = APIRouter()
MOST_NAMED = 200
"""How many flows are named as models: OpenAI's list has no pages, and clients show it as a menu."""
_FIRST = 1_767_225_600
"""What ``created`` says of every model: the clients want a number there."""


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


class ModelFileFacts(BaseModel):
    """A model file that flows need."""

    folder: str
    name: str
    here: bool
    place: str
    """Where it is, or where it belongs."""
    url: str | None = None
    flows: list[str]
    """Some of the flows that need it."""
    users: int
    """How many do."""


class ModelFileList(BaseModel):
    """Some model files."""

    data: list[ModelFileFacts]
    total: int


@router.get("/v1/models", response_model=ModelList, responses=ERRORS, tags=["OpenAI"])
async def get_models(house: AtHouse, client: Asking) -> ModelList:
    """imagewright itself, which chooses the flow, and the flows that run here, by name: the first 200.

    Any other can be asked for as well, by ``imagewright/FLOW``; ``GET /v1/flows`` has them all, in pages.
    """
    page = await in_thread(lambda: house.desk.engine.list_flows(runnable=True, limit=MOST_NAMED))
    names = [f"{OWN_MODEL}/{each.flow.id}" for each in page.flows]
    return ModelList(data=[ModelFacts(id=name) for name in (OWN_MODEL, *names)])


@router.get("/v1/models/{model:path}", response_model=ModelFacts, responses=ERRORS, tags=["OpenAI"])
async def get_model(model: str, house: AtHouse, client: Asking) -> ModelFacts:
    """One of them, or any other flow that runs here."""
    if model != OWN_MODEL and not await in_thread(_runs, house, flow_of_model(model)):
        raise Denied("not_found", f"no model is called {model[:100]!r}", "GET /v1/models lists them", param="model")
    return ModelFacts(id=model)


def _runs(house: House, flow: str | None) -> bool:
    try:
        return flow is not None and house.desk.engine.show_flow(flow).readiness.runnable
    except BadInput:
        return False


@router.get("/v1/model-files", response_model=ModelFileList, responses=ERRORS, tags=["upkeep"])
async def get_model_files(
    house: AtHouse,
    client: Asking,
    search: Annotated[str, Query(max_length=200, description="part of a name")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> ModelFileList:
    """The model files that flows need, by folder and name, and where each is or belongs; only the owner may."""
    insist_on_owner(client, "sees where files lie")
    page = await in_thread(lambda: house.desk.engine.page_models(search=search, limit=limit, offset=offset))
    data = [
        ModelFileFacts(**{**one._asdict(), "flows": list(one.flows)}, users=users)
        for one, users in zip(page.models, page.users, strict=True)
    ]
    return ModelFileList(data=data, total=page.total)
