"""``/v1/flows/preview`` and ``POST /v1/flows``: what a workflow becomes, and putting it into the index."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from imagewright.errors import BadInput
from imagewright.schemas import Flow, SlotBinding, SlotName
from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.flows import FlowFacts, FlowProblem, insist_on_listed, tell_servers_lack, tell_whole
from imagewright.serve.house import ERRORS, Asking, AtHouse, House, insist_on_owner

if TYPE_CHECKING:
    from imagewright.api import PreviewedFlow

router = APIRouter(tags=["flows"])
_PLACES = 300
"""How many inputs of a graph are told as places for a slot."""
_VALUE = 500
"""Characters of an input's value that are told."""


class CardWords(BaseModel):
    """What a person corrects of a card before a flow is stored."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=2000)
    tags: list[str] | None = Field(default=None, max_length=40)
    slots: dict[SlotName, list[SlotBinding]] | None = None


class SentWorkflow(BaseModel):
    """A workflow: as JSON, or as the file that ComfyUI saved."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "my-flow", "workflow": {"1": {"class_type": "KSampler", "inputs": {}}}}]
        }
    )

    name: str = Field(min_length=1, max_length=200, description="what its file is called")
    workflow: dict[str, Any] | None = Field(default=None, description="as ComfyUI saves or exports it")
    file: str | None = Field(
        default=None, description="the file in base64: JSON, or a PNG, WebP or JPEG with a workflow inside"
    )

    def to_bytes(self) -> tuple[bytes, str]:
        """The file and its name.

        Raises:
            Denied: there is none, or two, or it is no base64.
        """
        if (self.workflow is None) == (self.file is None):
            raise Denied("bad_input", "a workflow is sent as `workflow` or as `file`", "send one of them")
        if self.file is None:
            return json.dumps(self.workflow).encode(), f"{self.name}.json"
        try:
            return base64.b64decode(self.file, validate=True), self.name
        except (binascii.Error, ValueError):
            raise Denied("bad_input", "the file is no base64", "encode its bytes", param="file") from None


class NewFlow(SentWorkflow):
    """A workflow that is to be stored, with what is said otherwise of it."""

    card: CardWords | None = None
    replace: bool = False


class SlotPlace(BaseModel):
    """An input of a node, its value in the graph, and the slot that enters there; empty for none."""

    slot: str = ""
    node: str
    input: str
    class_type: str
    value: str


class NotFlow(BaseModel):
    """Why it cannot be a flow; a reason for each node in the way."""

    message: str
    remedy: str
    reasons: list[str]


class FlowPreview(BaseModel):
    """What a workflow becomes."""

    flow: FlowFacts | None = None
    known: str = ""
    """The flow that it is already."""
    twin: str = ""
    """A flow that draws the same pictures."""
    slots: list[SlotPlace] = []
    places: list[SlotPlace] = []
    """Other inputs that a slot could enter at."""
    skipped: list[str] = []
    notes: list[str] = []
    servers: dict[str, list[FlowProblem]] = {}
    refused: NotFlow | None = None


@router.post("/v1/flows/preview", response_model=FlowPreview, responses=ERRORS)
async def preview_flow(body: SentWorkflow, house: AtHouse, client: Asking) -> FlowPreview:
    """What a workflow becomes, what it lacks here, or why it cannot be one. Nothing is stored."""
    return await in_thread(_preview, house, *body.to_bytes())


@router.post("/v1/flows", status_code=201, response_model=FlowFacts, responses=ERRORS)
async def add_flow(body: NewFlow, house: AtHouse, client: Asking) -> FlowFacts:
    """Put a workflow into the index; only the owner may."""
    insist_on_owner(client, "changes the index")
    return await in_thread(_add, house, body)


def _preview(house: House, data: bytes, name: str) -> FlowPreview:
    engine = house.desk.engine
    try:
        found = engine.preview_flow(data, name)
    except BadInput as error:
        reasons = [str(reason) for reason in getattr(error, "reasons", [str(error)])]
        return FlowPreview(refused=NotFlow(message=str(error), remedy=error.remedy, reasons=reasons))
    return _tell(house, found)


def _tell(house: House, found: PreviewedFlow) -> FlowPreview:
    flow = found.flow
    slots, others = tell_slots(flow)
    return FlowPreview(
        flow=tell_whole(flow, house.desk.engine.backend().check(flow)),
        known=found.known,
        twin=found.twin,
        slots=slots,
        places=others[:_PLACES],
        skipped=list(found.skipped),
        notes=list(found.notes),
        servers=tell_servers_lack(house, flow),
    )


def tell_slots(flow: Flow) -> tuple[list[SlotPlace], list[SlotPlace]]:
    """The inputs that the slots enter at, in the card's order, and the others that hold a value."""
    taken = {(place.node, place.input): slot for slot, places in flow.card.slots.items() for place in places}
    all_places = {(place.node, place.input): place for place in _places(flow)}
    slots = [all_places[key].model_copy(update={"slot": slot}) for key, slot in taken.items() if key in all_places]
    return slots, [place for key, place in all_places.items() if key not in taken]


def _places(flow: Flow) -> Iterator[SlotPlace]:
    for node, content in flow.graph.items():
        for name, value in content["inputs"].items():
            if isinstance(value, str | int | float | bool):
                text = str(value)[:_VALUE]
                yield SlotPlace(node=node, input=name, class_type=content["class_type"], value=text)


def _add(house: House, body: NewFlow) -> FlowFacts:
    fields = body.card.model_dump(mode="json", exclude_none=True) if body.card else {}
    added = house.desk.engine.add_flow_bytes(*body.to_bytes(), fields, replace=body.replace)
    listed = insist_on_listed(house, added.flow.id)
    return tell_whole(listed.flow, listed.readiness, disabled=not listed.enabled)
