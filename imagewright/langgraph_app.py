"""The graph for LangGraph's server, which brings its own checkpointer and store: ``langgraph.json`` points here.

It shows the graph's own nodes. Input: ``prompt``, and if wanted ``seed``, ``flow``, ``thread``, ``max_images`` and
``use_critic``. Output: what the run has delivered, or its ``reply``. Its custom stream holds the run's events as plain
JSON; a question to the person is an interrupt. LangGraph does each node beside the server's event loop, so that it may
be run with ``ainvoke`` and ``astream`` and an asynchronous checkpointer.
"""

from __future__ import annotations

from typing import Any

from imagewright.api import Imagewright, serve_graph

_KEPT: list[Imagewright] = []


def _engine() -> Imagewright:
    """One engine a process, so that models stay loaded; made when the first run begins."""
    if not _KEPT:
        _KEPT.append(Imagewright())
    return _KEPT[0]


def _build() -> Any:
    compiled = serve_graph(_engine).compile(name="imagewright")
    compiled.stream_channels = list(compiled.get_output_jsonschema()["properties"])  # what is told is plain JSON
    return compiled


graph = _build()
