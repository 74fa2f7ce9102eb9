"""From a job to the graph that goes to one server: slots, regions, a picture to redraw; and what must never go out."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass

from imagewright.errors import BadInput
from imagewright.flow_format import Graph, bind, links
from imagewright.flow_pictures import list_own
from imagewright.ports import Job
from imagewright.redaction import blank_value, is_key_name
from imagewright.schemas import SlotName
from imagewright.t2i_backends.comfyui import inpaint
from imagewright.t2i_backends.comfyui.client import Client
from imagewright.t2i_backends.comfyui.facts import ServerFacts
from imagewright.t2i_backends.comfyui.faults import ServerFault
from imagewright.t2i_backends.comfyui.lacks import find_substitute, spelled_there
from imagewright.t2i_backends.comfyui.splice import SPLICED, Unspliceable, list_classes, splice_regions
from imagewright.t2i_backends.pictures.inputs import MOST_PIXELS

MOST_STEPS = 10_000
MOST_BATCH_PIXELS = 4 * MOST_PIXELS
"""Pixels of all pictures that are drawn at once."""


@dataclass(frozen=True)
class Prepared:
    """A graph that may be sent."""

    graph: Graph
    spliced: bool
    """Whether it holds more than the flow's own nodes."""
    notes: tuple[str, ...]
    """What was done otherwise than was asked, a line each."""
    substituted: tuple[str, ...] = ()
    """The models that others took the place of, before and after."""

    @property
    def text(self) -> str:
        """The graph as JSON, where it is not the flow's own with its slots filled; else nothing."""
        return json.dumps(self.graph) if self.spliced else ""


def prepare(job: Job, client: Client, facts: ServerFacts, prefix: str = "", substitutes: bool = False) -> Prepared:
    """The graph of ``job`` for the server of ``client``, which gets the pictures that it needs.

    ``prefix`` is the name under which its SaveImage nodes save, where it must be another than the flow's. With
    ``substitutes`` a model that the server lacks is replaced by the same one in another precision.

    Raises:
        BadInput: the flow lacks a slot, a size is beyond what is drawn, or a file leads out of its folder.
        ServerFault: the server does not take a picture.
    """
    graph, notes = _bind(job)
    spliced = False
    if job.regions and job.redraw is None:
        try:
            graph = splice_regions(graph, job.flow.card.slots, job.regions, job.region_share)
            spliced = True
        except Unspliceable as reason:
            notes.append(f"the layout is not in the picture's graph, it was drawn by words: {reason}")
    if job.redraw is not None:
        graph, spliced = _redraw(job, graph, client), True
    if job.pictures:
        _upload(job, graph, client)
        spliced = True
    graph, replaced = _spell(graph, facts, substitutes)
    for node in graph.values():
        if prefix and node["class_type"] == "SaveImage" and isinstance(node["inputs"].get("filename_prefix"), str):
            node["inputs"]["filename_prefix"] = prefix
    _insist_on_bounds(graph)
    _insist_on_own(graph, job, facts, client.name)
    return Prepared(graph, spliced or bool(replaced), tuple(notes), tuple(replaced))


def _bind(job: Job) -> tuple[Graph, list[str]]:
    width, height = (job.width, job.height) if job.redraw is None else job.redraw.image.size
    if job.redraw is not None and (job.width or width, job.height or height) != (width, height):
        raise BadInput(f"a redraw keeps the size of its picture, {width} x {height}", "leave the size out")
    values: Mapping[SlotName, object] = {
        "positive": job.prompt,
        "negative": job.negative,
        "seed": job.seed,
        "width": width,
        "height": height,
        "steps": job.steps,
        "guidance": job.guidance,
    }
    kept = ("width", "height") if job.redraw else ()
    lacking = [name for name, value in values.items() if value is not None and name not in job.flow.card.slots]
    notes = [f"the flow has no slot for {name}: it was left out" for name in lacking if name not in kept]
    insist: tuple[SlotName, ...] = ("positive",)
    return bind(job.flow, values, insist), notes


def _redraw(job: Job, graph: Graph, client: Client) -> Graph:
    redraw = job.redraw
    assert redraw is not None
    try:
        inpaint.find_place(graph)
        mask = inpaint.mask_picture(redraw)
        names = [client.upload(*inpaint.encode(image), inpaint.FOLDER) for image in (redraw.image, mask)]
        return inpaint.splice_redraw(graph, names[0], names[1], redraw.strength)
    except Unspliceable as reason:
        raise BadInput(f"a box cannot be redrawn with flow {job.flow.id!r}: {reason}", "choose another flow") from None


def _upload(job: Job, graph: Graph, client: Client) -> None:
    """Give the server the pictures that the job brings, and ``graph`` their names there."""
    sent = {name: client.upload(*inpaint.encode(image), inpaint.FOLDER) for name, image in job.pictures.items()}
    for node, name, own in list(list_own(graph, job.pictures)):
        graph[node]["inputs"][name] = sent[own]


def _spell(graph: Graph, facts: ServerFacts, substitutes: bool) -> tuple[Graph, list[str]]:
    """The names of files as the server writes them, and what took the place of what."""
    spelled, replaced = copy.deepcopy(graph), []
    for node in spelled.values():
        known = facts.find_class(node["class_type"])
        for name, value in node["inputs"].items():
            choices = known.choices.get(name) if known else None
            if not choices or not isinstance(value, str):
                continue
            there = spelled_there(value, choices)
            if there is None and substitutes and (there := find_substitute(value, choices)) is not None:
                replaced.append(f"{value} is replaced by {there}, as was allowed")
            node["inputs"][name] = there or value
    return spelled, replaced


def _insist_on_bounds(graph: Graph) -> None:
    """Bound what a server is made to do.

    Raises:
        BadInput: a picture or a batch would be too large, or the steps too many.
    """
    for node in graph.values():
        sides = [node["inputs"].get(name) for name in ("width", "height")]
        batch, steps = node["inputs"].get("batch_size", 1), node["inputs"].get("steps", 1)
        if all(isinstance(side, int) for side in sides):
            pixels = sides[0] * sides[1]
            if pixels > MOST_PIXELS or (isinstance(batch, int) and pixels * batch > MOST_BATCH_PIXELS):
                raise BadInput(f"{sides[0]} x {sides[1]} pixels are too many", f"at most {MOST_PIXELS:,} are drawn")
        if isinstance(steps, int) and steps > MOST_STEPS:
            raise BadInput(f"{steps} steps are too many", f"at most {MOST_STEPS:,} are drawn")


def _insist_on_own(graph: Graph, job: Job, facts: ServerFacts, server: str) -> None:
    """Let only the flow's own node classes and ours out, none that costs money, and no key.

    Raises:
        ServerFault: a class is an api node of the server.
        BadInput: an input holds what looks like a key.
    """
    added = list_classes(graph) - list_classes(job.flow.graph) - {*SPLICED, *inpaint.ADDED}
    if added:
        raise BadInput(f"nodes would go out that the flow does not have: {', '.join(sorted(added))}", "tell us")
    for name in sorted(list_classes(graph)):
        known = facts.find_class(name)
        if known is not None and known.is_api:
            message = f"node {name[:80]!r} of server {server} sends what it gets to a paid service"
            raise ServerFault("invalid", message, "such nodes are never sent; choose another flow")
    for node, value in graph.items():
        for name, item in value["inputs"].items():
            if name in links(value["inputs"]) or not isinstance(item, str):
                continue
            if (is_key_name(name) and item.strip()) or (name != "text" and blank_value(name, item) != item):
                message = f"input {name[:60]!r} of node {node[:60]!r} holds what looks like a key"
                raise BadInput(message, "keys are never sent in a flow: empty it")
