"""Our way to a picture on a server beside a bare script that posts the same graph: in turns, and their medians."""

from __future__ import annotations

import random
import statistics
import time
import uuid
from dataclasses import dataclass

import httpx

from imagewright.errors import BadInput, CannotDraw
from imagewright.ports import Job
from imagewright.schemas import Flow
from imagewright.t2i_backends.comfyui.backend import ComfyBackend
from imagewright.t2i_backends.comfyui.prepare import prepare

_POLL = 0.02
"""Seconds between two looks of the bare script; the half of it is what the script itself may be late."""


@dataclass(frozen=True)
class ServerSpeed:
    """Seconds a picture, medians of ``repeats`` in turns."""

    server: str
    flow: str
    repeats: int
    ours: float
    bare: float
    overhead: float
    """The median of ``ours / bare - 1`` over the pairs."""
    low: float
    high: float
    """Its quartiles."""


def compare_server(backend: ComfyBackend, flow: Flow, prompt: str, repeats: int) -> ServerSpeed:
    """Draw ``flow`` with us and with the bare script in turns, on the first server that can run it, with new seeds.

    Raises:
        BadInput: fewer than two ``repeats``, of which there are no quartiles.
        CannotDraw: no server can run the flow, or a job failed.
    """
    if repeats < 2:
        raise BadInput("one turn says nothing of how far times vary", "repeats=3 or more")
    server = backend.find_able(flow)[0]
    seeds, pairs = random.Random(0), []
    _time_ours(backend, Job(flow=flow, prompt=prompt, seed=seeds.getrandbits(31)))  # models are loaded by this one
    for number in range(repeats):
        jobs = [Job(flow=flow, prompt=prompt, seed=seeds.getrandbits(31)) for _ in range(2)]
        order = (_time_ours, _time_bare) if number % 2 == 0 else (_time_bare, _time_ours)
        taken = {time_one: time_one(backend, job) for time_one, job in zip(order, jobs, strict=True)}
        pairs.append((taken[_time_ours], taken[_time_bare]))
    over = sorted(ours / bare - 1 for ours, bare in pairs)
    low, _, high = statistics.quantiles(over, n=4)
    ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    return ServerSpeed(server.name, flow.id, repeats, ours, bare, statistics.median(over), low, high)


def _time_ours(backend: ComfyBackend, job: Job) -> float:
    return backend.draw(job, lambda step: None, lambda: False).seconds


def _time_bare(backend: ComfyBackend, job: Job) -> float:
    """What a script of ten lines does: post, poll the history, fetch the file."""
    server = backend.find_able(job.flow)[0]
    facts = server.facts
    if facts is None:
        raise CannotDraw(f"server {server.name} does not answer", "start ComfyUI there")
    graph = prepare(job, server.client, facts).graph
    ident, url = str(uuid.uuid4()), server.client.server.url
    with httpx.Client(headers=server.client.headers, verify=server.client.tls or True, trust_env=False) as http:
        start = time.perf_counter()
        answer = http.post(f"{url}/prompt", json={"prompt": graph, "prompt_id": ident})
        if answer.status_code != 200:
            raise CannotDraw(f"server {server.name} refuses the flow", f"imagewright flows check {job.flow.id}")
        while ident not in (row := http.get(f"{url}/history/{ident}").json()):
            time.sleep(_POLL)
        for output in row[ident]["outputs"].values():
            for image in output.get("images", ()):
                http.get(f"{url}/view", params=image)
        return time.perf_counter() - start
