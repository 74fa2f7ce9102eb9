"""The values of a graph as they must be to run: numbers that stand as texts, placeholders of templates, and no NaN.

Template tools write ``"64"`` for 64 and ``"%seed%"`` for what a request fills in. A number is taken as one, as ComfyUI
does; a placeholder gives way to the class's default and so becomes a slot. Both are said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from imagewright.errors import BadInput
from imagewright.flow_format import Graph
from imagewright.retrieval.comfy.catalogue import Catalogue, InputSpec
from imagewright.retrieval.comfy.describe import output_nodes
from imagewright.retrieval.comfy.families import CLASS_FOLDERS, INPUT_FOLDERS
from imagewright.retrieval.comfy.model import UNSET
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.retrieval.comfy.widgets import PLACEHOLDER, default_of
from imagewright.schemas import SlotName

_PROMPTS = re.compile(
    r"(?i)(%|\{\{\s*|\$?\{|__)((user_?)?(positive|negative)(_?prompt)?|prompt|neg(_prompt)?|user_input)(%|\s*\}\}|\}|__)"
)
"""What stands for a prompt, in a text of its own or in a longer one."""
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
_AGAIN = "set it in ComfyUI, and save or export again"


def refuse_endless(graph: Mapping[str, Any]) -> None:
    """Hold the numbers of a graph, whatever else is wrong with it, to what JSON knows.

    Raises:
        BadInput: an input is NaN or infinite.
    """
    for node, value in graph.items():
        inputs = value.get("inputs") if isinstance(value, dict) else None
        for name, item in inputs.items() if isinstance(inputs, dict) else ():
            if _is_endless(item):
                where = f"node {str(node)[:60]} ({str(value.get('class_type'))[:60]})"
                raise BadInput(f"{where}: {str(name)[:60]} is no finite number", _AGAIN)


def settle_values(graph: Graph, catalogue: Catalogue) -> list[str]:
    """Put numbers and defaults (in place) where texts stand for them; a line for each.

    Raises:
        BadInput: a placeholder stands for what no request can fill.
    """
    said: list[str] = []
    prompts = _prompt_places(graph, catalogue)
    for node, value in graph.items():
        where = f"node {node[:60]} ({value['class_type'][:60]})"
        known = catalogue.get(value["class_type"])
        specs = {spec.name: spec for spec in known.inputs} if known else {}
        for name, item in value["inputs"].items():
            if isinstance(item, str) and (node, name) in prompts:
                value["inputs"][name] = _settle_prompt(where, name, item, said)
            elif isinstance(item, str) and name in specs:
                value["inputs"][name] = _settle(where, value["class_type"], item, specs[name], said)
            elif isinstance(item, str) and not known and PLACEHOLDER.fullmatch(item):
                said.append(f"{where}: {item[:60]!r} in {name[:60]} stays: the catalogue does not know the node")
    return said


def _prompt_places(graph: Graph, catalogue: Catalogue) -> set[tuple[str, str]]:
    """Where a request's prompts go; looked for only where something may stand for one."""
    texts = [item for value in graph.values() for item in value["inputs"].values() if isinstance(item, str)]
    if not any(_PROMPTS.search(text) for text in texts):
        return set()
    slots = find_slots(graph, output_nodes(graph, catalogue))
    asked: tuple[SlotName, ...] = ("positive", "negative")
    return {(place.node, place.input) for name in asked for place in slots.get(name, ())}


def _is_endless(value: Any) -> bool:
    """Whether a number in it is NaN or infinite; the reader has bounded the depth."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, float) and not math.isfinite(item):
            return True
        pending += item if isinstance(item, list) else list(item.values()) if isinstance(item, dict) else ()
    return False


def _settle(where: str, kind: str, text: str, spec: InputSpec, said: list[str]) -> object:
    """What stands in the place of a text, with a line where it is another thing."""
    if spec.type == "STRING":
        return text
    if PLACEHOLDER.fullmatch(text):
        default = _default(where, kind, text, spec)
        said.append(f"{where}: the placeholder {text.strip()[:60]} of {spec.name[:60]} gave way to {default!r}")
        return default
    number = _number(text, spec.type)
    if number is None:
        return text
    said.append(f"{where}: {spec.name[:60]} was the text {text[:40]!r}, taken as {number!r}")
    return number


def _settle_prompt(where: str, name: str, text: str, said: list[str]) -> str:
    if not _PROMPTS.search(text):
        return text
    rest = " ".join(_PROMPTS.sub(" ", text).split()).strip(" ,.;:")
    gone = f"; the words beside it are dropped: {rest[:80]!r}" if rest else ""
    said.append(f"{where}: the placeholder in {name[:60]} is the place of the prompt{gone}")
    return ""


def _default(where: str, kind: str, text: str, spec: InputSpec) -> object:
    """What a template's placeholder gives way to."""
    name = spec.name
    what = f"this is a template: {where} has the placeholder {text.strip()[:60]} for {name[:60]}"
    if (kind, name) in CLASS_FOLDERS or name in INPUT_FOLDERS or default_of(spec) is UNSET:
        raise BadInput(f"{what}, which no request fills", "write the file's name in its place, and add it again")
    return default_of(spec)


def _number(text: str, kind: str) -> int | float | bool | None:
    """The number that a text says, where the input takes one; None where it says none."""
    word = text.strip()
    if kind == "BOOLEAN":
        return True if word.lower() in _TRUE else False if word.lower() in _FALSE else None
    if kind == "INT" and re.fullmatch(r"[+-]?[0-9]{1,20}(\.0*)?", word):
        return int(word.split(".")[0])
    if kind in ("FLOAT", "FLOAT,INT") and re.fullmatch(
        r"[+-]?([0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?", word
    ):
        return float(word)
    return None
