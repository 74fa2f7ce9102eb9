"""Keys that people leave in the widgets of a workflow: found, dropped, and said."""

from __future__ import annotations

from imagewright.flow_format import Graph
from imagewright.redaction import blank_text, blank_value


def drop_keys(graph: Graph) -> list[str]:
    """Empty every key in the inputs of ``graph`` (in place); one line for each, without the key."""
    said = []
    for node, value in graph.items():
        inputs = value["inputs"]
        for name, item in inputs.items():
            cleaned = blank_value(name, item)
            if cleaned != item:
                inputs[name] = cleaned
                said.append(f"node {node}: what looks like a key in {name[:60]!r} was dropped")
        title = value.get("_meta", {}).get("title")
        if isinstance(title, str):
            value["_meta"]["title"] = blank_text(title)
    return said
