"""What a server has: its node classes, the values that their inputs take, its files; kept for when it is away."""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from imagewright import untrusted
from imagewright.database import database, transaction
from imagewright.errors import BadInput
from imagewright.t2i_backends.comfyui.client import Client
from imagewright.t2i_backends.comfyui.faults import ServerFault, tidy
from imagewright.t2i_backends.comfyui.job_log import OWNER, TABLES
from imagewright.t2i_backends.nodes.table import NODES

MODEL_FOLDERS = tuple(
    sorted({i.folder for node in NODES.values() for i in node.inputs.values() if i.kind == "file"} - {"input"})
)
"""The folders whose lists are compared to notice that files came or went."""
_MOST_CLASSES = 50_000


@dataclass(frozen=True)
class ClassFacts:
    """One node class of a server."""

    choices: Mapping[str, tuple[str, ...]]
    """The values that an input takes, for those that take one of a list."""
    is_api: bool = False
    is_output: bool = False


@dataclass(frozen=True)
class ServerFacts:
    """All that is known of one server; ``classes`` as the server told it, in the compact form of ``_compact``."""

    rows: Mapping[str, Mapping[str, Any]]
    models: Mapping[str, list[str]]
    version: str
    at: float
    """When it was asked, in seconds of the epoch."""

    @cached_property
    def _read(self) -> dict[str, ClassFacts]:
        return {}

    def find_class(self, name: str) -> ClassFacts | None:
        """A node class; None where the server has none of that name."""
        if name not in self._read:
            row = self.rows.get(name)
            if row is None:
                return None
            choices = {key: tuple(values) for key, values in row.get("c", {}).items()}
            self._read[name] = ClassFacts(choices, bool(row.get("a")), bool(row.get("o")))
        return self._read[name]

    @property
    def stamp(self) -> tuple[object, ...]:
        """What changes when files come or go, or ComfyUI is another version."""
        return (self.version, tuple((name, tuple(files)) for name, files in sorted(self.models.items())))

    def say_age(self, now: float) -> str:
        """How old this is, in words."""
        seconds = max(0.0, now - self.at)
        for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
            if seconds >= size:
                count = int(seconds // size)
                return f"{count} {word}{'s' if count > 1 else ''} ago"
        return "just now"


def ask_stamp(client: Client) -> ServerFacts:
    """Version and files of a server, which is asked in little: no node classes are in it.

    Raises:
        ServerFault: it does not answer as ComfyUI does.
    """
    stats = client.get_json("/system_stats")
    system = stats.get("system") if isinstance(stats, dict) else None
    if not isinstance(system, dict):
        message = f"what answers at {client.server.url} is no ComfyUI"
        raise ServerFault("no-comfyui", message, "give the address that ComfyUI prints when it starts")
    return ServerFacts({}, client.list_models(MODEL_FOLDERS), tidy(system.get("comfyui_version", ""), 40), time.time())


def ask_all(client: Client, known: ServerFacts | None = None) -> ServerFacts:
    """Everything; ``known`` is what ``ask_stamp`` just gave.

    Raises:
        ServerFault: it does not answer as ComfyUI does.
    """
    stamp = known or ask_stamp(client)
    return ServerFacts(_compact(client.get_json("/object_info"), client), stamp.models, stamp.version, time.time())


def _compact(info: object, client: Client) -> dict[str, dict[str, Any]]:
    if not isinstance(info, dict) or not info or len(info) > _MOST_CLASSES:
        message = f"server {client.name} has no list of nodes that can be read"
        raise ServerFault("no-comfyui", message, "give the address that ComfyUI prints when it starts")
    return {str(name): _row(raw) for name, raw in info.items() if isinstance(raw, dict)}


def _row(raw: Mapping[str, Any]) -> dict[str, Any]:
    marks = {"a": raw.get("api_node") is True, "o": raw.get("output_node") is True}
    return {"c": dict(_choices(raw.get("input"))), **{short: True for short, on in marks.items() if on}}


def _choices(sections: object) -> Iterator[tuple[str, list[str]]]:
    for section in ("required", "optional"):
        inputs = sections.get(section) if isinstance(sections, dict) else None
        for name, spec in inputs.items() if isinstance(inputs, dict) else ():
            values = _values(spec)
            if values is not None:
                yield str(name), [value for value in values if isinstance(value, str)]


def _values(spec: object) -> list[Any] | None:
    """The values of an input that takes one of a list, in either of ComfyUI's ways to write that."""
    if not isinstance(spec, list) or not spec:
        return None
    if isinstance(spec[0], list):
        return spec[0]
    options = spec[1].get("options") if spec[0] == "COMBO" and len(spec) > 1 and isinstance(spec[1], dict) else None
    return options if isinstance(options, list) else None


# --- kept -----------------------------------------------------------------------------------


class FactStore:
    """The last known facts of each server, in the database."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, name: str, url: str) -> ServerFacts | None:
        """What is kept of the server of that name and address; None for nothing that can be read."""
        with database(self.path, OWNER, TABLES) as db:
            query = "SELECT facts, at FROM comfyui_servers WHERE name = ? AND url = ?"
            row = db.execute(query, (name, url)).fetchone()
        if row is None:
            return None
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(row["facts"])) as file:
                kept = untrusted.parse_json(file.read(untrusted.NODE_LIST.bytes), "kept facts", untrusted.NODE_LIST)
            return ServerFacts(kept["classes"], kept["models"], kept["version"], float(row["at"]))
        except (OSError, EOFError, BadInput, KeyError, TypeError):
            return None  # damaged: the server is asked anew

    def put(self, name: str, url: str, facts: ServerFacts) -> None:
        """Keep what is known."""
        kept = {"classes": facts.rows, "models": facts.models, "version": facts.version}
        data = gzip.compress(json.dumps(kept, separators=(",", ":")).encode(), 3, mtime=0)
        with database(self.path, OWNER, TABLES) as db, transaction(db):
            db.execute("INSERT OR REPLACE INTO comfyui_servers VALUES (?, ?, ?, ?)", (name, url, data, facts.at))
