"""Keys that people leave in the widgets of a workflow: found, dropped, and said."""

from __future__ import annotations

import re
from typing import Any

from imagewright.flow_format import Graph

_NAMES = re.compile(
    r"(?i)(^|[_\W])(api_?key|apikey|access_?key|secret_?key|(access|auth|bearer|hf|api|refresh|civitai)_?token|token|"
    r"secret|password|passwd|passphrase|credentials?|authorization)$"
)
"""Inputs whose text is a key, by their names."""
_VALUES = re.compile(
    r"\b(sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|r8_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|"
    r"AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|xox[abprs]-[\w-]{10,}|eyJ[\w-]{10,300}\.[\w-]{10,}\.[\w-]{5,})|"
    r"(?i:\bbearer\s+[\w.~+/-]{16,}=*)"
)
"""Keys by what they look like: the forms that well-known services give out."""


def drop_keys(graph: Graph) -> list[str]:
    """Empty every key in the inputs of ``graph`` (in place); one line for each, without the key."""
    said = []
    for node, value in graph.items():
        inputs = value["inputs"]
        for name, item in inputs.items():
            cleaned = "" if isinstance(item, str) and item and _NAMES.search(name) else _cleaned(item)
            if cleaned != item:
                inputs[name] = cleaned
                said.append(f"node {node}: what looks like a key in {name[:60]!r} was dropped")
        title = value.get("_meta", {}).get("title")
        if isinstance(title, str):
            value["_meta"]["title"] = _VALUES.sub("", title)
    return said


def _cleaned(item: Any) -> Any:
    """``item`` without keys, at any depth (bounded by the reader)."""
    if isinstance(item, str):
        return _VALUES.sub("", item)
    if isinstance(item, list):
        return [_cleaned(child) for child in item]
    if isinstance(item, dict):
        return {
            key: "" if isinstance(child, str) and _NAMES.search(key) else _cleaned(child) for key, child in item.items()
        }
    return item
