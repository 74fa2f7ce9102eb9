"""The text chunks of a delivered PNG: ComfyUI's ``prompt``, A1111's ``parameters`` and our own ``imagewright``.

ComfyUI loads the graph that it finds under ``prompt`` (JSON, API format). ``parameters`` is the line format of the
Stable Diffusion web UI, which model sites read. ``imagewright`` is JSON with a version; no chunk holds a path or a key.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from imagewright.flow_format import bind, graph_hash, parse_graph, read_json
from imagewright.graph.draw import negative_of, wanted_negative
from imagewright.graph.state import State
from imagewright.redaction import blank_text, blank_value
from imagewright.schemas import Flow, Round
from imagewright.settings import environment_secrets

CHUNK_VERSION = 1
"""Of the ``imagewright`` chunk; a reader refuses a higher one."""
_Graph = dict[str, dict[str, Any]]


def texts(
    state: State, flow: Flow, made: Round, facts: Mapping[str, str], version: str, graph: str = ""
) -> dict[str, str]:
    """The three chunks for ``made``; none where the person wants none.

    ``graph`` is the graph as a backend ran it, as JSON, where that is not the flow's own with its slots filled.
    """
    if state.request.strip:
        return {}
    run = parse_graph(read_json(graph.encode())) if graph else graph_as_run(state, flow, made)
    chunks = {
        "prompt": json.dumps(blank_keys(run)),
        "parameters": parameters(state, flow, made, facts, version),
        "imagewright": json.dumps(_ours(state, flow, made, facts, version), ensure_ascii=False),
    }
    own = environment_secrets()
    return {name: blank_text(text, own) for name, text in chunks.items()}


def graph_as_run(state: State, flow: Flow, made: Round) -> _Graph:
    """The flow's graph with the slots filled as they were for ``made``."""
    values: dict[Any, object] = {"positive": made.prompt, "seed": made.seed, "width": state.request.width,
                                 "height": state.request.height}  # fmt: skip
    if negative := negative_of(flow, wanted_negative(state.request, made.layout)):
        values["negative"] = negative
    return bind(flow, values)


def parameters(state: State, flow: Flow, made: Round, facts: Mapping[str, str], version: str) -> str:
    """The web UI's text: prompt, negative prompt, then ``Name: value`` pairs."""
    negative = negative_of(flow, wanted_negative(state.request, made.layout))
    pairs = {
        "Steps": facts.get("steps"), "Sampler": facts.get("sampler"), "Schedule type": facts.get("scheduler"),
        "CFG scale": facts.get("cfg"), "Seed": str(made.seed), "Size": _size(state), "Model": _model(flow),
        "Model hash": next((v[:10] for k, v in facts.items() if k.startswith("model ")), None),
        "Version": f"imagewright {version}",
    }  # fmt: skip
    line = ", ".join(f"{name}: {value}" for name, value in pairs.items() if value)
    return "\n".join([_one_line(made.prompt), *([f"Negative prompt: {_one_line(negative)}"] if negative else []), line])


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _size(state: State) -> str | None:
    width, height = state.request.width, state.request.height
    return f"{width}x{height}" if width and height and not state.request.pasted else None


def _model(flow: Flow) -> str:
    return (flow.card.base_model or flow.id).replace(",", " ")


def _ours(state: State, flow: Flow, made: Round, facts: Mapping[str, str], version: str) -> dict[str, Any]:
    hashes = {name.removeprefix("model "): value for name, value in facts.items() if name.startswith("model ")}
    return {
        "version": CHUNK_VERSION, "made_with": version, "run": state.run, "flow": made.flow, "seed": made.seed,
        "prompt": made.prompt, "graph_hash": graph_hash(flow.graph), "models": hashes, "base": made.base,
        "layout": made.layout.model_dump(mode="json") if made.layout else None,
        "score": made.verdict.score if made.verdict else None,
    }  # fmt: skip


def blank_keys(graph: _Graph) -> _Graph:
    """``graph`` with every input emptied that is named like a key, looks like one, or is one of this environment's."""
    own = environment_secrets()
    clean = copy.deepcopy(graph)
    for node in clean.values():
        for part in ("inputs", "_meta"):
            if part in node:
                node[part] = {name: blank_value(name, value, own) for name, value in node[part].items()}
    return clean
