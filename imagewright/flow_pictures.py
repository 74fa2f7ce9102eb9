"""A flow's own places for a picture: which LoadImage starts it, guides it or masks it; and a person's pictures in them.

Of several LoadImage the first in the graph's order that the sampling starts from takes the person's picture; where none
does, the first that feeds a ControlNet, then the first that the flow is only told of. The others keep their files. A
mask goes into the picture's own alpha where the flow reads that, else into the first node that is read as one.
"""

from __future__ import annotations

import copy
import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageOps

from imagewright.flow_format import Graph, links
from imagewright.needs import Need
from imagewright.ports import Backend, Picture
from imagewright.schemas import Card, DrawRequest, Flow, Problem, Readiness, SlotBinding

Brings = Literal["", "picture", "mask"]
"""What a request brings: nothing, a picture, or a picture and its mask."""
Role = Literal["start", "hint", "reference"]
ROLES: dict[Role, str] = {"start": "start picture", "hint": "control hint", "reference": "reference"}
PICTURE_KINDS = ("image-to-image", "inpaint")
"""The kinds of flows that draw from a picture and from words."""
STAND_IN = "imagewright-picture.png"
"""In the place of a picture whose flow is only looked at."""
_SETTINGS = frozenset({"width", "height", "batch_size", "seed", "noise_seed", "steps", "denoise"})
"""Inputs that take a number: what was only measured on a picture ends in them."""
_LATENTS = frozenset({"latent_image", "latent", "samples", "optional_latent"})
_DENOISE = frozenset({"denoise", "sigmas", "sigmas_1", "high_sigmas"})
"""Inputs behind which a sampler's denoise stands, where it is not its own."""
_SAMPLES = frozenset({"sampler_name", "sampler", "noise", "seed", "noise_seed"})


@dataclass(frozen=True)
class Places:
    """Where a person's picture and mask go in a flow."""

    picture: SlotBinding
    role: Role
    mask: SlotBinding | None = None
    channel: str = ""
    """The channel that the flow reads its mask from; ``alpha`` is 1 where it is transparent."""


def say_brought(request: DrawRequest) -> Brings:
    """What ``request`` brings."""
    return "" if request.image is None else "picture" if request.mask is None else "mask"


# --- looking at a flow ----------------------------------------------------------------------


def takes_picture(card: Card) -> bool:
    """Whether a flow draws from words and from a picture that somebody brings."""
    return card.kind in PICTURE_KINDS and {"positive", "input_image"} <= card.slots.keys()


def find_places(flow: Flow) -> Places | None:
    """Where a picture and a mask go in ``flow``; None for one that draws from text, or does nothing with a picture."""
    if not takes_picture(flow.card):
        return None
    uses = _Uses(flow.graph)
    loads = [at for at in flow.card.slots["input_image"] if at.node in flow.graph]
    ends = {at.node: uses.ends(at.node, 0) for at in loads}
    for role in ROLES:
        first = next((at for at in loads if role in ends[at.node]), None)
        if first is not None:
            return Places(first, role, *_find_mask(flow, uses, first, loads))
    return None


def _find_mask(
    flow: Flow, uses: _Uses, picture: SlotBinding, loads: list[SlotBinding]
) -> tuple[SlotBinding | None, str]:
    """Where the mask goes, and the channel that it is read from; None and nothing where the flow reads none."""
    if "mask" in uses.ends(picture.node, 1):
        return picture, "alpha"
    masks = [at for at in flow.card.slots.get("mask", ()) if at.node in flow.graph]
    places = {at.node: at for at in (*loads, *masks) if at.node != picture.node}
    for node in (node for node in flow.graph if node in places):
        if places[node] in masks and uses.ends(node, 0):
            return places[node], str(flow.graph[node]["inputs"].get("channel", "alpha"))
        if "mask" in uses.ends(node, 1):
            return places[node], "alpha"
        if uses.ends(node, 0) == {"mask"}:
            return places[node], "red"
    return None, ""


class _Uses:
    """What the outputs of a graph's nodes are used for in the end."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._users: dict[str, list[tuple[int, str, str]]] = {}
        for user, value in graph.items():
            for name, (source, number) in links(value["inputs"]).items():
                self._users.setdefault(source, []).append((number, user, name))

    def ends(self, node: str, number: int) -> set[str]:
        """The roles that one output has: ``start``, ``hint``, ``reference``, ``mask``."""
        return {end for end, _ in self.trace_output(node, number)}

    def trace_output(self, node: str, number: int) -> set[tuple[str, str]]:
        """``(role, node)``: the roles that one output has, and the nodes by which it has them."""
        found: set[tuple[str, str]] = set()
        seen, queue = {node}, deque((user, name) for at, user, name in self._users.get(node, ()) if at == number)
        while queue:
            user, name = queue.popleft()
            end = self._end(user, name)
            if end:
                found.add((end, user))
            if end or name in _SETTINGS or user in seen:
                continue
            seen.add(user)
            queue.extend((next_user, next_name) for _, next_user, next_name in self._users.get(user, ()))
        return found

    def _end(self, user: str, name: str) -> str:
        inputs = self._graph[user]["inputs"]
        if "mask" in name.lower():
            return "mask"
        if "ControlNet" in self._graph[user]["class_type"]:
            return "hint"
        linked = links(inputs)
        if "guider" in linked or ("positive" in linked and not _SAMPLES.isdisjoint(inputs)):
            return "start" if name in _LATENTS else "reference"
        return ""


# --- what can run ---------------------------------------------------------------------------


def why_unfit(flow: Flow, brings: Brings, named: bool = False) -> str:
    """What keeps the pictures that are brought from being of use to ``flow``, in one line; empty where nothing does.

    ``named``: whether the person asked for this very flow; only then a picture may be something else than the start.
    """
    if not brings or not takes_picture(flow.card):
        return ""
    places = find_places(flow)
    if places is None:
        return "nothing in the flow draws from its picture; run it in ComfyUI"
    if places.role != "start" and not named:
        return f"its picture is a {ROLES[places.role]}, not what is started from: name it with --flow {flow.id}"
    if brings == "mask" and places.mask is None:
        return "it takes no mask, leave --mask out"
    return "it needs a mask, too: --mask FILE" if brings == "picture" and places.mask is not None else ""


def check_with(backend: Backend, flow: Flow, brings: Brings, named: bool = False) -> Readiness:
    """As ``Backend.check``, of ``flow`` with what is brought in its own places; others are checked as they are."""
    why = why_unfit(flow, brings, named)
    if why:
        return Readiness(problems=(Problem(kind="slot", name="input_image", remedy=why),))
    return backend.check(put_stand_ins(flow) if brings else flow)


def put_stand_ins(flow: Flow) -> Flow:
    """``flow`` as if a picture had been brought, to look at the rest of it; one without such places as it is."""
    places = find_places(flow)
    if places is None:
        return flow
    names = {places.picture: STAND_IN, **({places.mask: STAND_IN} if places.mask else {})}
    return _put_names(flow, names)


def fill_need(need: Need) -> Need:
    """``need`` of a flow whose own places a picture was brought for."""
    filled = need.kind in PICTURE_KINDS and "input_image" in need.slots
    return need.model_copy(update={"kind": "text-to-image"}) if filled else need


# --- filling --------------------------------------------------------------------------------


def fill_pictures(
    flow: Flow, places: Places, image: Picture, mask: Picture | None, strength: float | None
) -> tuple[Flow, dict[str, Picture]]:
    """``flow`` with the names of our own pictures in its places, and these pictures by name.

    ``mask``, in the size of ``image``, is white where something is drawn anew; it becomes the channel that the flow
    reads. ``strength``, where it is not None, becomes the denoise of a flow that starts from the picture.
    """
    pictures = {places.picture: image}
    if mask is not None and places.mask is not None:
        under = image if places.mask == places.picture else mask.convert("L")
        pictures[places.mask] = _with_alpha(under, mask) if places.channel == "alpha" else under.convert("RGB")
    names = {place: name_own(picture) for place, picture in pictures.items()}
    filled = _put_names(flow, names)
    for at in find_denoise(flow, places) if strength is not None else ():
        filled.graph[at.node]["inputs"][at.input] = strength
    return filled, {names[place]: picture for place, picture in pictures.items()}


def find_denoise(flow: Flow, places: Places) -> tuple[SlotBinding, ...]:
    """Where a strength goes: the denoise of the sampler that starts from the picture; empty where it states none."""
    if places.role != "start":
        return ()
    starts = [node for end, node in _Uses(flow.graph).trace_output(places.picture.node, 0) if end == "start"]
    near, queue = set(starts), deque(starts)
    while queue:
        linked = links(flow.graph[queue.popleft()]["inputs"])
        found = {source for name, (source, _) in linked.items() if name in _DENOISE and source not in near}
        near |= found
        queue.extend(found)
    return tuple(at for at in flow.card.slots.get("denoise", ()) if at.node in near)


def name_own(picture: Picture) -> str:
    """A file name of our making, by what is to be seen."""
    seen = hashlib.sha256(repr((picture.mode, picture.size)).encode() + picture.tobytes()).hexdigest()
    return f"imagewright-picture-{seen[:32]}.png"


def list_own(graph: Graph, pictures: Mapping[str, Picture]) -> Iterator[tuple[str, str, str]]:
    """``(node, input, name)`` where ``graph`` names one of ``pictures``."""
    for node, value in graph.items():
        for name, item in value["inputs"].items():
            if isinstance(item, str) and item in pictures:
                yield node, name, item


def _put_names(flow: Flow, names: Mapping[SlotBinding, str]) -> Flow:
    graph = copy.deepcopy(flow.graph)
    for at, name in names.items():
        graph[at.node]["inputs"][at.input] = name
    return flow.model_copy(update={"graph": graph, "card": flow.card.model_copy(update={"kind": "text-to-image"})})


def _with_alpha(picture: Picture, mask: Picture) -> Image.Image:
    """Transparent where ``mask`` is white: ComfyUI takes 1 - alpha for the mask."""
    found = picture.convert("RGB")
    found.putalpha(ImageOps.invert(mask.convert("L")))
    return found
