"""What a person has on a ComfyUI server, brought into the index: saved workflows, and templates that run there."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from imagewright import untrusted
from imagewright.comfy_settings import find_servers
from imagewright.errors import BadInput, ImagewrightError
from imagewright.flow_format import MAX_BYTES
from imagewright.keys import read_keys
from imagewright.retrieval.adding import Added, AlreadyThere, Refused, add_files
from imagewright.retrieval.comfy.catalogue import Catalogue, catalogue_of
from imagewright.retrieval.intake import read_flow_file
from imagewright.schemas import Readiness
from imagewright.t2i_backends.comfyui.ability import Abilities
from imagewright.t2i_backends.comfyui.client import Client
from imagewright.t2i_backends.comfyui.facts import FactStore
from imagewright.t2i_backends.comfyui.servers import Pool, Server

if TYPE_CHECKING:
    from imagewright.container import Container

MOST_WORKFLOWS = 2000
"""The most saved workflows, and the most templates, of one server."""
_LISTED = untrusted.Bounds(bytes=20_000_000, remedy="ask the server again")


class ImportedWorkflow(NamedTuple):
    """One workflow of a server."""

    server: str
    name: str
    """As the server calls it."""
    told: Added | AlreadyThere | Refused
    readiness: Readiness | None = None
    """Whether that server can run it; None for one that was refused."""


def import_workflows(container: Container, url: str | None) -> Iterator[ImportedWorkflow]:
    """Bring in the workflows of the server at ``url``, or called so; of all named ones for None. Twice adds nothing.

    Raises:
        BadInput: it is no address and no name of a server.
        ServerFault: the server does not answer as ComfyUI does.
    """
    settings = container.settings
    keys = read_keys(settings.keys_file) if settings.keys_file else {}
    for server in find_servers(settings.comfyui, url):
        with closing(Client(server, keys)) as client:
            known = Server(client, FactStore(settings.database))
            known.look(anew=True)
            if known.fault is not None:
                raise known.fault
            nodes = Catalogue.from_object_info(client.get_json("/object_info"), server.url)
            nodes = nodes.over(catalogue_of(settings.data_dir))
            yield from _import_from(container, client, nodes, Abilities(Pool([known])))


def _import_from(
    container: Container, client: Client, nodes: Catalogue, abilities: Abilities
) -> Iterator[ImportedWorkflow]:
    with tempfile.TemporaryDirectory() as folder:
        files = dict(_saved(client, Path(folder)))
        files |= dict(_templates(client, Path(folder), nodes, abilities))
        for told in add_files(container.index, list(files), nodes):
            name = files[told.path]
            ready = None if isinstance(told, Refused) else abilities.check(told.flow)
            yield ImportedWorkflow(client.name, name, replace(told, path=Path(name)), ready)


# --- what is there --------------------------------------------------------------------------


def _saved(client: Client, folder: Path) -> Iterator[tuple[Path, str]]:
    """The workflows that were saved on the server, as files of ours with names of ours; and what they are called."""
    rows = client.get_json("/userdata?dir=workflows&recurse=true&split=false&full_info=true", _LISTED)
    for row in (rows if isinstance(rows, list) else ())[:MOST_WORKFLOWS]:
        name = row.get("path") if isinstance(row, dict) else row
        if isinstance(name, str) and name.lower().endswith(".json"):
            status, data = client.ask("GET", f"/userdata/{quote(f'workflows/{name}', safe='')}", limit=MAX_BYTES)
            if status == 200:
                yield _write(folder / "saved", name, data), name


def _templates(client: Client, folder: Path, nodes: Catalogue, abilities: Abilities) -> Iterator[tuple[Path, str]]:
    """The templates for pictures from text that the server can run."""
    for name in list(_template_names(client.get_json("/templates/index.json", _LISTED)))[:MOST_WORKFLOWS]:
        status, data = client.ask("GET", f"/templates/{quote(name, safe='')}.json", limit=MAX_BYTES)
        if status != 200:
            continue
        path = _write(folder / "templates", f"{name}.json", data)
        try:
            flow = read_flow_file(path, nodes).flow
        except ImagewrightError:
            continue  # a template with nodes that are not read is no workflow of the person's that they would miss
        if flow.card.kind == "text-to-image" and abilities.check(flow).runnable:
            yield path, f"template {name}"


def _template_names(index: Any) -> Iterator[str]:
    for category in index if isinstance(index, list) else ():
        rows = category.get("templates") if isinstance(category, dict) else None
        for row in rows if isinstance(rows, list) else ():
            name = row.get("name") if isinstance(row, dict) else None
            if isinstance(name, str) and row.get("mediaType", "image") == "image":
                yield name


def _write(folder: Path, name: str, data: bytes) -> Path:
    """A file of ours: of the server's name only plain letters are kept, and a number makes it unique."""
    stem = re.sub(r"[^\w -]+", "-", name.removesuffix(".json").rpartition("/")[2])[:80].strip("- ") or "workflow"
    for number in range(MOST_WORKFLOWS * 2):
        path = folder / (str(number) if number else "") / f"{stem}.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            return path
    raise BadInput("the server has too many workflows of one name", "rename some")
