"""What ComfyUI's nodes take and give: the interface facts that a workflow of the editor is read with.

The shipped ``catalogue.json.gz`` holds the core nodes in a compact form; a running server's ``/object_info`` gives the
same facts for whatever is installed there (``imagewright.retrieval.comfy.sync``).
"""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from imagewright import untrusted
from imagewright.errors import BadInput, Fault

CATALOGUE_FILE = Path(__file__).with_name("catalogue.json.gz")
SYNCED = "comfyui-nodes.json.gz"
"""The name of the file that a server's nodes are kept in."""
MAX_CLASSES = 50_000
"""The most node classes of one server; large installations have about 5,000."""
KEPT_OPTIONS = (
    "default", "min", "max", "control_after_generate", "forceInput", "socketless", "widgetType", "dynamicPrompts",
    "image_upload", "video_upload", "audio_upload", "template", "options", "multiline",
)  # fmt: skip
"""The options of an input that say how its value is stored, sent or checked; the rest is dropped."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a node class: its name, its type (``COMBO`` for a choice) and the options that matter here."""

    name: str
    type: str
    options: Mapping[str, Any] = field(default_factory=dict)
    required: bool = True

    @property
    def choices(self) -> list[Any]:
        """The values of a choice; empty where they are the server's own files, or where it is none."""
        found = self.options.get("options")
        return found if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node class: inputs in their order, the types of its outputs, and where it stands in ComfyUI's menu."""

    inputs: tuple[InputSpec, ...]
    outputs: tuple[str, ...]
    category: str = ""
    is_output: bool = False
    is_api: bool = False
    module: str = ""


class Catalogue(Mapping[str, NodeSpec]):
    """Node classes by name, parsed when they are asked for."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]], source: str = "") -> None:
        self._rows = rows
        self._parsed: dict[str, NodeSpec] = {}
        self.source = source
        """Where the facts are from, in words."""

    def __getitem__(self, name: str) -> NodeSpec:
        if name not in self._parsed:
            self._parsed[name] = _parse(self._rows[name])
        return self._parsed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    @classmethod
    def from_object_info(cls, info: object, source: str = "") -> Catalogue:
        """The catalogue in a server's ``/object_info`` answer; classes of a wrong shape are left out.

        Raises:
            BadInput: it is no such answer, or holds more than ``MAX_CLASSES`` classes.
        """
        if not isinstance(info, dict) or len(info) > MAX_CLASSES:
            raise BadInput("this is not a list of ComfyUI's nodes", "give the address of a ComfyUI server")
        rows = {name: _compact(raw) for name, raw in info.items() if _is_class(raw)}
        if not rows:
            raise BadInput("the list of nodes is empty", "give the address of a ComfyUI server")
        return cls(rows, source)

    def over(self, other: Catalogue) -> Catalogue:
        """These facts, with those of ``other`` for the classes that are not among them."""
        return Catalogue({**other._rows, **self._rows}, f"{self.source}; for other nodes: {other.source}")

    def to_bytes(self) -> bytes:
        """The compact form, gzip JSON; the same facts give the same bytes."""
        text = json.dumps({"source": self.source, "nodes": dict(sorted(self._rows.items()))}, separators=(",", ":"))
        return gzip.compress(text.encode(), mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes, limit: int = 64_000_000) -> Catalogue:
        """Read what ``to_bytes`` wrote; at most ``limit`` bytes once unpacked.

        Raises:
            Fault: it is damaged.
        """
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                found = untrusted.parse_json(file.read(limit), "the node catalogue", untrusted.NODE_LIST)
            return cls(found["nodes"], str(found["source"]))
        except (OSError, EOFError, BadInput, KeyError, TypeError):
            raise Fault("the node catalogue is damaged", "run: imagewright comfyui sync URL, or reinstall") from None


@cache
def load_catalogue() -> Catalogue:
    """The catalogue that comes with the package: ComfyUI's core nodes."""
    try:
        return Catalogue.from_bytes(CATALOGUE_FILE.read_bytes())
    except OSError:
        raise Fault("the node catalogue is missing from the installation", "reinstall imagewright") from None


def catalogue_of(folder: Path) -> Catalogue:
    """The nodes that were kept from a server in ``folder`` (``Imagewright.sync_nodes``), over the shipped ones.

    Raises:
        Fault: the synced file is damaged.
    """
    try:
        data = (folder / SYNCED).read_bytes()
    except FileNotFoundError:
        return load_catalogue()
    return Catalogue.from_bytes(data).over(load_catalogue())


def _is_class(raw: object) -> bool:
    return isinstance(raw, dict) and isinstance(raw.get("input"), dict)


def _compact(raw: Mapping[str, Any]) -> dict[str, Any]:
    """One class of ``/object_info`` in our own form: ``{"i": [[name, type, options, required]], "o": [types]}``."""
    rows = [
        [name, *_row(value), section == "required"]
        for section in ("required", "optional")
        for name, value in _ordered(raw, section)
    ]
    outputs = raw.get("output")
    found = {"i": rows, "o": [_type(item) for item in outputs] if isinstance(outputs, list) else []}
    marks = {"c": "category", "e": "output_node", "a": "api_node", "m": "python_module"}
    return {**found, **{short: raw[name] for short, name in marks.items() if raw.get(name)}}


def _ordered(raw: Mapping[str, Any], section: str) -> Iterator[tuple[str, Any]]:
    """The inputs of a section in ``input_order``, then those that it leaves out."""
    inputs = raw["input"].get(section)
    if not isinstance(inputs, dict):
        return
    order = raw.get("input_order")
    first = order.get(section) if isinstance(order, dict) else None
    names = [name for name in first if isinstance(name, str)] if isinstance(first, list) else []
    for name in dict.fromkeys([*names, *inputs]):
        if name in inputs:
            yield name, inputs[name]


def _type(value: object) -> str:
    return value if isinstance(value, str) else "COMBO"


def _row(value: object) -> tuple[str, dict[str, Any]]:
    """``[type, options]`` of ``/object_info``, where a list in the type's place holds a choice's values."""
    if not isinstance(value, list) or not value:
        return "*", {}
    raw = value[1] if len(value) > 1 and isinstance(value[1], dict) else {}
    options = {name: raw[name] for name in KEPT_OPTIONS if raw.get(name) is not None}
    if isinstance(value[0], list):
        options["options"] = value[0]
    return _type(value[0]), options


def _parse(row: Mapping[str, Any]) -> NodeSpec:
    inputs = tuple(InputSpec(name, kind, options, bool(required)) for name, kind, options, required in row["i"])
    marks = str(row.get("c", "")), bool(row.get("e")), bool(row.get("a")), str(row.get("m", ""))
    return NodeSpec(inputs, tuple(row["o"]), *marks)


def specs_of(section: object, prefix: str) -> list[InputSpec]:
    """The inputs of a nested definition (``{"required": {...}, "optional": {...}}``), named ``prefix.name``."""
    found: list[InputSpec] = []
    for part in ("required", "optional"):
        inputs = section.get(part) if isinstance(section, dict) else None
        for name, value in inputs.items() if isinstance(inputs, dict) else ():
            kind, options = _row(value)
            found.append(InputSpec(f"{prefix}.{name}", kind, options, part == "required"))
    return found


def main(arguments: Sequence[str]) -> None:
    """Write the shipped catalogue from a saved ``/object_info`` answer: ``FILE SOURCE``, as the maintainers do."""
    info = untrusted.load_json(Path(arguments[0]), untrusted.NODE_LIST)
    CATALOGUE_FILE.write_bytes(Catalogue.from_object_info(info, arguments[1]).to_bytes())


if __name__ == "__main__":
    main(sys.argv[1:])
