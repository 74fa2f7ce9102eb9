"""Handing over a picture exactly once: the file, the trace beside it, and the row that says so."""

from __future__ import annotations

import functools
import json
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from imagewright.errors import BadInput, Fault
from imagewright.flow_format import graph_hash
from imagewright.graph import change, png_texts
from imagewright.graph.budget import pick_delivered
from imagewright.graph.choose import name_backend
from imagewright.graph.delivery_names import Names, name_delivery, say_names
from imagewright.graph.parts import Parts
from imagewright.graph.picture_file import pack_picture
from imagewright.graph.repairs.close_up import flow_of
from imagewright.graph.repairs.tried import list_tried
from imagewright.graph.state import Spent, State
from imagewright.memory.reservations import fill_name
from imagewright.schemas import Round, RunResult
from imagewright.trace import TRACE_FORMAT, Trace, TraceFlow, TraceSpent

_PACKAGES = ("imagewright", "langgraph", "torch", "diffusers", "transformers", "chromadb", "sentence-transformers")


def deliver(parts: Parts, state: State) -> RunResult:
    """Write the best picture and its trace, then record the delivery; a run delivered before is left as it is.

    Killed at any point, it can be done again: the same bytes are put under the same names, and only one row exists.
    What has meanwhile taken a name and is not this run's stays; the picture then gets the next number, and a note says
    so.

    Raises:
        BadInput: the file cannot be written.
    """
    row = parts.runs.get(state.run)
    if row.result is not None:
        return row.result
    if not state.rounds:
        raise Fault("deliver was reached without a picture")
    made = pick_delivered(state)
    texts = texts_of(parts, state, made)
    kept = [parts.store.get(image).read_bytes() for image in _images(parts, state, made)]
    pictures = [pack_picture(png, Path(row.out), texts) for png in kept]
    try:
        names = name_delivery(parts.runs, row, pictures)
        result = result_of(state, made, names)
        result = result.model_copy(update={"notes": (*result.notes, *say_names(Path(row.out), names))})
        trace = trace_of(parts, state, result, [path.name for path in names.others]).to_json()
        for path, data in zip((names.picture, *names.others), pictures, strict=True):
            fill_name(path, state.run, data)
        fill_name(names.trace, state.run, json.dumps(trace, ensure_ascii=False, indent=1).encode())
    except BadInput as error:
        remedy = f"the picture is kept; make room there, then: imagewright runs resume {state.run}"
        raise BadInput(str(error), remedy) from error
    parts.runs.deliver(result, trace)
    parts.store.drop_previews(state.run)
    return result


def _images(parts: Parts, state: State, made: Round) -> tuple[str, ...]:
    """The SHA-256 of ``made``, and of the other pictures of the batch that it is the first of."""
    drawn = parts.store.find(_key(state, made))
    return (made.image, *(drawn.more if drawn else ()))


def _key(state: State, made: Round) -> str:
    return state.keys[[found.image for found in state.rounds].index(made.image)]


def result_of(state: State, made: Round, names: Names) -> RunResult:
    """What the run comes to when ``made`` is delivered under ``names``."""
    return RunResult(
        run=state.run,
        prompt=_prompt(state),
        path=str(names.picture),
        image=made.image,
        seed=made.seed,
        flow=made.flow,
        categories=state.categories.telling if state.categories else (),
        candidates=state.candidates,
        layout=made.layout,
        rounds=state.rounds,
        images=len(state.rounds),
        seconds=round(state.spent.seconds, 3),
        notes=state.notes,
        trace=str(names.trace),
    )


def _prompt(state: State) -> str:
    """What was asked for: the words of a new picture, the whole prompt of an edited one."""
    changed = state.settled is not None and state.intent is not None and state.intent.kind != "create"
    return state.settled.prompt if changed and state.settled else state.request.prompt


def texts_of(parts: Parts, state: State, made: Round) -> dict[str, str]:
    """The PNG's text chunks, unless the person wants none."""
    drawn = parts.store.find(_key(state, made))
    facts, graph = (drawn.facts, drawn.graph) if drawn else ({}, "")
    flow = parts.catalogue.flow(made.flow)
    return png_texts.texts(state, flow, made, facts, versions()["imagewright"], graph)


def trace_of(parts: Parts, state: State, result: RunResult, batch: Sequence[str] = ()) -> Trace:
    """All that is needed to understand the run and to replay it; ``batch`` are the files beside the delivered one."""
    trace = Trace(
        imagewright=TRACE_FORMAT,
        **result.model_dump(mode="json"),
        request=state.request,
        first_seed=state.seed,
        thread=state.request.thread,
        said=state.said or state.request.prompt,
        intent=state.intent,
        settled=state.settled,
        categorised=state.categories,
        choice=state.choice,
        generation=state.generation,
        rejected={c.flow: c.why_not for c in state.candidates if not c.runnable},
        parsed=state.planned.parsed if state.planned else None,
        planned_by=state.planned.decided_by if state.planned else "",
        tried=list_tried(change.base(state), state.rounds),
        spent=_spent(state.spent),
        backend=name_backend(parts, state.candidates, result.flow),
        flows={name: _flow_facts(parts, name) for name in _flows(state.rounds)},
        facts=tuple(made.facts if (made := parts.store.find(key)) else {} for key in state.keys),
        versions=versions(),
    )
    return trace.model_copy(update={"batch": tuple(batch)}) if batch else trace


def _spent(spent: Spent) -> TraceSpent:
    """What the run used; its cost is ``unknown`` where something was used that has no price."""
    plain = spent.model_dump()
    return TraceSpent(**plain | ({"money": "unknown", "money_at_least": spent.money} if spent.unpriced else {}))


def _flows(rounds: Sequence[Round]) -> tuple[str, ...]:
    """The flows of a run, first used first; those that drew close-ups too."""
    used = (name for made in rounds for name in (made.flow, flow_of(made.flow, made.repair)))
    return tuple(dict.fromkeys(used))


def _flow_facts(parts: Parts, name: str) -> TraceFlow:
    flow = parts.catalogue.flow(name)
    graph = png_texts.blank_keys(flow.graph)
    card, digest = flow.card, graph_hash(flow.graph)
    return TraceFlow(title=card.title, slots=card.slots, graph_hash=digest, graph=graph, kind=card.kind)


def versions() -> dict[str, str]:
    """Python, the platform and the packages that a picture depends on."""
    return dict(_versions())


@functools.cache
def _versions() -> dict[str, str]:
    """As ``versions``, looked up once a process."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found
