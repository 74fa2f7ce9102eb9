"""``/v1/doctor``, ``/v1/settings``, ``/v1/servers`` and ``/v1/clients``: how the home is, and who may use how much."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from imagewright.serve.clients import ClientAccount, Clients
from imagewright.serve.desk import in_thread
from imagewright.serve.house import ERRORS, Asking, AtHouse, House, insist_on_owner
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
    return ClientList(data=await in_thread(lambda: [_tell_client(house, each) for each in shown]))


def _tell_client(house: House, client: ClientAccount) -> ClientFacts:
    used = house.desk.book.used_today(client.name)
    return ClientFacts(
        name=client.name,
        owner=client.owns_home,
        images_a_day=client.images_a_day,
        images_used=used.images,
        money_a_day=client.money_a_day,
        money_used=round(used.money, 6),
        requests_a_minute=client.requests_a_minute,
    )
