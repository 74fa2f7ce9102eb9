"""What works here, what is missing and how to get it: packages, files, device, flows, agents."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from imagewright.errors import BadInput, ImagewrightError

if TYPE_CHECKING:
    from imagewright.container import Container
    from imagewright.retrieval.listing import FlowPage

ROOM = 500_000_000
"""Bytes of free disk below which doctor warns: models and pictures need more soon."""
_NAMED = 100
"""How many flows are named one by one."""
_AWAY = "move it away, or let sqlite3's .recover read what is left; a new one is made at the next start"
_EXTRAS = {
    "a language model": ("langchain", "pip install 'imagewright[llm]'"),
    "several lines and menus in chat": ("prompt_toolkit", "pip install 'imagewright[chat]'"),
    "serving other programs": ("fastapi", "pip install 'imagewright[serve]'"),
    "models larger than the GPU's memory": ("accelerate", "pip install 'imagewright[offload]'"),
}
_PACKAGES = ("langgraph", "torch", "diffusers", "transformers", "chromadb", "sentence-transformers")


class Finding(NamedTuple):
    """One thing that doctor looked at."""

    state: Literal["ok", "missing", "broken"]
    what: str
    detail: str
    remedy: str = ""
    section: str = ""
    """What it belongs to, in words: ``this machine``, ``the home``…"""


def examine_home(container: Container, list_flows: Callable[..., FlowPage]) -> Iterator[Finding]:
    """Every finding, what is needed first; ``list_flows`` tells which flows run here, a page at a time."""
    for section, findings in _sections(container, list_flows):
        yield from (finding._replace(section=section) for finding in findings)


def _sections(container: Container, list_flows: Callable[..., FlowPage]) -> Iterator[tuple[str, Iterable[Finding]]]:
    """The findings by what they belong to."""
    yield "this machine", (Finding("ok", "python", f"{sys.version.split()[0]} on {sys.platform}"), *_packages())
    yield "the home", _home(container)
    yield "this machine", (_looked("device", lambda: _device(container)),)
    yield "ComfyUI servers", _servers(container)
    yield "flows", _flows(list_flows)
    yield "extras", map(_extra, _EXTRAS)
    yield "language model", (_language_model(container),)


def _home(container: Container) -> Iterator[Finding]:
    yield _folder(container.settings.data_dir)
    yield _looked("file locks", lambda: _locks(container))
    for name, look in _FILES.items():
        yield _looked(name, lambda look=look: look(container))  # type: ignore[misc]


def _extra(what: str) -> Finding:
    package, remedy = _EXTRAS[what]
    here = importlib.util.find_spec(package) is not None
    return Finding("ok", what, package) if here else Finding("missing", what, f"{package} is not installed", remedy)


def _looked(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding("ok", what, look())
    except ImagewrightError as error:
        return Finding("broken", what, str(error), error.remedy)


def _packages() -> Iterator[Finding]:
    for name in _PACKAGES:
        try:
            yield Finding("ok", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding("broken", name, "not installed", f"pip install {name}")


def _folder(folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding("broken", "data folder", f"{folder}: {error.strerror}", "set IMAGEWRIGHT_HOME to another")
    detail = f"{folder}, {free / 1e9:.1f} GB free"
    return Finding("ok" if free > ROOM else "broken", "data folder", detail, "" if free > ROOM else "free some space")


def _locks(container: Container) -> str:
    """Whether processes can keep out of each other's way there."""
    from imagewright.locks import LockHeld, hold_lock

    with suppress(LockHeld), hold_lock(container.settings.data_dir / "locks" / "doctor.lock"):
        pass
    return "they work here"


def _sound(path: Path) -> None:
    """Let SQLite check a database of ours; one that is not there yet is sound."""
    from imagewright.database import open_for_reading

    if path.exists():
        with open_for_reading(path) as db:
            said = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
        if said != "ok":
            raise BadInput(f"{path} is damaged: {' '.join(said.split())}", _AWAY)


def _index(container: Container) -> str:
    _sound(container.settings.database)
    fault = container.index.vector_fault()
    if fault:
        raise BadInput(fault, "imagewright flows reindex")
    return f"{len(container.index.ids())} flows, generation {container.index.generation}"


def _embedder(container: Container) -> str:
    """What the index is asked by, and that its vectors are of that."""
    name = container.index_embedder.name
    container.index.insist_on_embedder()
    return name


def _log(container: Container) -> str:
    container.runs.list(1)
    return f"{len(container.threads.list())} conversations"


def _checkpoints(container: Container) -> str:
    _sound(container.settings.checkpoints)
    from imagewright.graph.lines import present

    present(container.settings.checkpoints, "thread ")
    return str(container.settings.checkpoints)


def _wishes(container: Container) -> str:
    return f"{len(container.preferences.all())} noted"


_FILES: dict[str, Callable[[Container], str]] = {
    "flow index": _index, "embedder": _embedder, "log of runs": _log, "checkpoints": _checkpoints,
    "preferences": _wishes,
}  # fmt: skip


def _device(container: Container) -> str:
    from imagewright.t2i_backends.models.devices import pick_device

    return str(pick_device(container.settings.device))


def _servers(container: Container) -> Iterator[Finding]:
    """Each ComfyUI server: whether it answers, its version, and how old what is known of it is."""
    if not container.settings.comfyui:
        return
    from imagewright.container import COMFYUI
    from imagewright.t2i_backends.comfyui.backend import ComfyBackend

    try:
        backend = container.backend(COMFYUI)
    except ImagewrightError as error:
        yield Finding("broken", "ComfyUI servers", str(error), error.remedy)
        return
    for server in backend.pool.servers if isinstance(backend, ComfyBackend) else ():
        server.look(anew=True)
        facts, fault = server.facts, server.fault
        known = f"ComfyUI {facts.version}, {len(facts.rows)} node classes" if facts else "nothing is known of it"
        if fault is None:
            yield Finding("ok", f"server {server.name}", known)
        else:
            age = f", asked {facts.say_age(time.time())}" if facts else ""
            yield Finding("broken", f"server {server.name}", f"{fault} ({known}{age})", fault.remedy)


def _flows(look: Callable[..., FlowPage]) -> Iterator[Finding]:
    """Which flows run here; for each that does not, the first thing that it needs; of very many only the first."""
    try:
        able, unable = look(runnable=True, limit=_NAMED), look(runnable=False, limit=_NAMED)
    except ImagewrightError as error:
        yield Finding("broken", "flows", str(error), error.remedy)
        return
    names = ", ".join(each.flow.id for each in able.flows) or "none"
    more = f" and {able.total - _NAMED:,} more" if able.total > _NAMED else ""
    yield Finding("ok" if able.flows else "broken", "flows that run here", names + more)
    for flow, readiness, _ in unable.flows:
        yield Finding("missing", f"flow {flow.id}", readiness.problems[0].remedy)
    if unable.total > _NAMED:
        yield Finding("missing", f"{unable.total - _NAMED:,} flows more", "imagewright flows list --not-runnable")


def _language_model(container: Container) -> Finding:
    """Whether one is set, and its key; no key is shown and none is tried."""
    llm = container.settings.llm
    if llm is None:
        return Finding("ok", "agents", "rules, which need no language model", "IMAGEWRIGHT_LLM sets one")
    from imagewright.agents.llm.models import missing_keys
    from imagewright.language_models import keys_of_all

    try:
        missing = missing_keys(llm, keys_of_all(container.settings))
    except ImagewrightError as error:
        return Finding("broken", "agents", str(error), error.remedy)
    return Finding("missing", "agents", llm, f"set {missing[0]}") if missing else Finding("ok", "agents", llm)
