"""``/v1/doctor``, ``/v1/settings``, ``/v1/servers`` and ``/v1/clients``: how the home is, and who may use how much."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from imagewright.serve.clients import ClientAccount, Clients, read_clients
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.house import ERRORS, Asking, AtHouse, House, insist_on_owner
from imagewright.serve.token_file import drop_client, make_token, put_client
from imagewright.settings import tell_settings

router = APIRouter(tags=["upkeep"])


class FindingFacts(BaseModel):
    """One thing that was looked at."""

    state: Literal["ok", "missing", "broken"]
    what: str
    detail: str
    remedy: str = ""


class FindingSection(BaseModel):
    """Findings about one thing; its state is that of the worst."""

    name: str
    state: Literal["ok", "missing", "broken"]
    findings: list[FindingFacts]


class HomeHealth(BaseModel):
    """What works here, what is missing and how to get it."""

    sections: list[FindingSection]


class SettingFacts(BaseModel):
    """A setting, its value and where that comes from; of a key only whether it is set."""

    name: str
    value: str
    origin: str


class SettingList(BaseModel):
    """Every setting."""

    data: list[SettingFacts]


class ServerFacts(BaseModel):
    """A ComfyUI server as it is now."""

    name: str
    url: str
    version: str
    node_classes: int
    waiting: int | None = None
    """Jobs in its queue."""
    fault: str = ""
    remedy: str = ""


class ServerList(BaseModel):
    """The ComfyUI servers of the settings."""

    data: list[ServerFacts]


class ClientFacts(BaseModel):
    """A client's limits, none where null, and what it has used of them in the last 24 hours."""

    name: str
    owner: bool
    images_a_day: int | None
    images_used: int
    money_a_day: float | None
    money_used: float
    requests_a_minute: int | None
    removable: bool = False
    """Whether the owner can remove it here."""


class NewClient(BaseModel):
    """One who may use the server from now on, and how much; null: as much as wanted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "alice", "images_a_day": 200}]})

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    images_a_day: int | None = Field(default=None, ge=0, le=10**9)
    money_a_day: float | None = Field(default=None, ge=0, le=1e9, allow_inf_nan=False)
    requests_a_minute: int | None = Field(default=None, ge=1, le=10**6)


class AdmittedClient(BaseModel):
    """The new client with its token, which is told this once."""

    client: ClientFacts
    token: str


class ClientList(BaseModel):
    """Clients, the owner first."""

    data: list[ClientFacts]


_WORST = ("broken", "missing", "ok")


@router.get("/v1/doctor", response_model=HomeHealth, responses=ERRORS)
async def get_doctor(house: AtHouse, client: Asking) -> HomeHealth:
    """What ``imagewright doctor`` reports; only the owner may."""
    insist_on_owner(client, "sees how the home is")
    sections: dict[str, list[FindingFacts]] = {}
    for found in await in_thread(house.desk.engine.examine):
        facts = FindingFacts(state=found.state, what=found.what, detail=found.detail, remedy=found.remedy)
        sections.setdefault(found.section, []).append(facts)
    return HomeHealth(sections=[_tell_section(name, findings) for name, findings in sections.items()])


def _tell_section(name: str, findings: list[FindingFacts]) -> FindingSection:
    worst = min((each.state for each in findings), key=_WORST.index)
    return FindingSection(name=name, state=worst, findings=findings)


@router.get("/v1/settings", response_model=SettingList, responses=ERRORS)
async def get_settings(house: AtHouse, client: Asking) -> SettingList:
    """What is set, and where from; keys are never told. Only the owner may."""
    insist_on_owner(client, "sees the settings")
    rows = await in_thread(tell_settings, house.desk.engine.settings)
    return SettingList(data=[SettingFacts(**row._asdict()) for row in rows])


@router.get("/v1/servers", response_model=ServerList, responses=ERRORS)
async def get_servers(house: AtHouse, client: Asking) -> ServerList:
    """The ComfyUI servers: whether each answers, and how long its queue is. Only the owner may."""
    insist_on_owner(client, "sees the servers")
    states = await in_thread(house.desk.engine.tell_servers)
    return ServerList(data=[ServerFacts(**state._asdict()) for state in states])


@router.get("/v1/clients", response_model=ClientList, responses=ERRORS)
async def get_clients(request: Request, house: AtHouse, client: Asking) -> ClientList:
    """Each client's limits and what is used of them; a named client sees its own."""
    known: Clients = request.app.state.clients
    shown = list(known.names.values()) if client.owns_home else [client]
    saved = await in_thread(_saved, known) if client.owns_home else frozenset()
    return ClientList(data=await in_thread(lambda: [_tell_client(house, each, each.name in saved) for each in shown]))


@router.post("/v1/clients", status_code=201, response_model=AdmittedClient, responses=ERRORS)
async def admit_client(body: NewClient, request: Request, house: AtHouse, client: Asking) -> AdmittedClient:
    """Let one more use the server, by a new token that is told this once; only the owner may."""
    insist_on_owner(client, "admits clients")
    made = await in_thread(_admit, request.app.state.clients, body)
    facts = await in_thread(_tell_client, house, made, True)
    return AdmittedClient(client=facts, token=made.token.get_secret_value())


@router.delete("/v1/clients/{name}", status_code=204, response_class=Response, responses=ERRORS)
async def remove_client(name: str, request: Request, client: Asking) -> Response:
    """Take a client's token back at once; what it drew stays. Only the owner may."""
    insist_on_owner(client, "removes clients")
    await in_thread(_remove, request.app.state.clients, name)
    return Response(status_code=204)


def _admit(clients: Clients, body: NewClient) -> ClientAccount:
    made = ClientAccount(**body.model_dump(), token=make_token())
    if made.name in clients.names or clients.file is None:
        raise Denied("bad_input", f"a client is called {made.name!r} already", "choose another name", param="name")
    put_client(clients.file, made)
    clients.admit(made)
    return made


def _remove(clients: Clients, name: str) -> None:
    if name not in clients.names:
        raise Denied("not_found", f"no client is called {name[:60]!r}", "GET /v1/clients lists them")
    if clients.file is None or name not in _saved(clients):
        raise Denied("bad_input", f"{name} stands in no file of tokens", "its token was given to the command")
    drop_client(clients.file, name)
    clients.forget(name)


def _saved(clients: Clients) -> frozenset[str]:
    """The names in the file of tokens."""
    return frozenset(one.name for one in read_clients(clients.file)) if clients.file else frozenset()


def _tell_client(house: House, client: ClientAccount, removable: bool) -> ClientFacts:
    used = house.desk.book.used_today(client.name)
    return ClientFacts(
        name=client.name,
        owner=client.owns_home,
        images_a_day=client.images_a_day,
        images_used=used.images,
        money_a_day=client.money_a_day,
        money_used=round(used.money, 6),
        requests_a_minute=client.requests_a_minute,
        removable=removable,
    )
