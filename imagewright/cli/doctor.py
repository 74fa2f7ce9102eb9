"""``imagewright doctor`` and ``imagewright config``: what works here, what is missing, and where settings come from."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from imagewright.cli.options import DeviceOption, JsonFlag, ModelsOption
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import clean, emit, emit_json, is_terminal, render, table
from imagewright.errors import BadInput, ImagewrightError

if TYPE_CHECKING:
    from imagewright.container import Imagewright

config = typer.Typer(help="Settings, and where each comes from.", no_args_is_help=True)
ROOM = 500_000_000
"""Bytes of free disk below which doctor warns: models and pictures need more soon."""
_EXTRAS = {
    "a language model": ("langchain", "pip install 'imagewright[llm]'"),
    "several lines and menus in chat": ("prompt_toolkit", "pip install 'imagewright[chat]'"),
    "models larger than the GPU's memory": ("accelerate", "pip install 'imagewright[offload]'"),
}
_PACKAGES = ("langgraph", "torch", "diffusers", "transformers", "chromadb", "sentence-transformers")


class Finding(NamedTuple):
    """One thing that doctor looked at."""

    state: Literal["ok", "missing", "broken"]
    what: str
    detail: str
    remedy: str = ""


def doctor(models: ModelsOption = None, device: DeviceOption = None, as_json: JsonFlag = False) -> None:
    """Say what works here, what is missing and how to get it; exit code 1 where something is broken."""
    with engine(models, device) as opened:
        found = list(examine(opened))
    if as_json:
        emit_json({"findings": [finding._asdict() for finding in found]})
    else:
        rows = [(f.state, f.what, f"{f.detail}{'; ' if f.remedy else ''}{f.remedy}") for f in found]
        emit(render(table(("", "what", "how it is"), rows, stretch=2)))
    if any(finding.state == "broken" for finding in found):
        raise typer.Exit(1)


def examine(opened: Imagewright) -> Iterator[Finding]:
    """Every finding, what is needed first."""
    yield Finding("ok", "python", f"{sys.version.split()[0]} on {sys.platform}")
    yield from _packages()
    yield _folder(opened.settings.data_dir)
    for name, look in _FILES.items():
        yield _looked(name, lambda look=look: look(opened))  # type: ignore[misc]
    yield _looked("device", lambda: _device(opened))
    yield from _flows(opened)
    for what, (package, remedy) in _EXTRAS.items():
        here = importlib.util.find_spec(package) is not None
        yield Finding("ok", what, package) if here else Finding("missing", what, f"{package} is not installed", remedy)
    yield _language_model(opened)
    yield _terminal()


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


def _index(opened: Imagewright) -> str:
    fault = opened.index.vector_fault()
    if fault:
        raise BadInput(fault, "imagewright flows reindex")
    return f"{len(opened.index.ids())} flows, generation {opened.index.generation}"


def _log(opened: Imagewright) -> str:
    opened.runs.list(1)
    return f"{len(opened.threads.list())} conversations"


def _checkpoints(opened: Imagewright) -> str:
    from imagewright.graph.lines import present

    present(opened.settings.checkpoints, "thread ")
    return str(opened.settings.checkpoints)


def _wishes(opened: Imagewright) -> str:
    return f"{len(opened.preferences.all())} noted"


_FILES: dict[str, Callable[[Any], str]] = {
    "flow index": _index, "log of runs": _log, "checkpoints": _checkpoints, "preferences": _wishes,
}  # fmt: skip


def _device(opened: Imagewright) -> str:
    from imagewright.t2i_backends.models.devices import pick_device

    return str(pick_device(opened.settings.device))


def _flows(opened: Imagewright) -> Iterator[Finding]:
    """Which flows run here; for each that does not, the first thing that it needs."""
    try:
        readiness = opened.readiness()
    except ImagewrightError as error:
        yield Finding("broken", "flows", str(error), error.remedy)
        return
    able = [name for name, ready in readiness.items() if ready.runnable]
    yield Finding("ok" if able else "broken", "flows that run here", ", ".join(able) or "none")
    for name, ready in readiness.items():
        if not ready.runnable:
            yield Finding("missing", f"flow {name}", ready.problems[0].remedy)


def _language_model(opened: Imagewright) -> Finding:
    """Whether one is set, and its key; no key is shown and none is tried."""
    llm = opened.settings.llm
    if llm is None:
        return Finding("ok", "agents", "rules, which need no language model", "IMAGEWRIGHT_LLM sets one")
    from imagewright.agents.llm.models import missing_keys
    from imagewright.language_models import keys_of_all

    try:
        missing = missing_keys(llm, keys_of_all(opened.settings))
    except ImagewrightError as error:
        return Finding("broken", "agents", str(error), error.remedy)
    return Finding("missing", "agents", llm, f"set {missing[0]}") if missing else Finding("ok", "agents", llm)


def _terminal() -> Finding:
    from imagewright.cli.terminal.preview import protocol

    if not is_terminal(sys.stdout):
        return Finding("ok", "pictures in the terminal", "output is no terminal")
    how = protocol(os.environ, sys.stdout.encoding or "")
    remedy = "IMAGEWRIGHT_PREVIEW=kitty, iterm, sixel or blocks chooses" if how in ("blocks", "none") else ""
    return Finding("ok", "pictures in the terminal", how, remedy)


# --- config ---------------------------------------------------------------------------------


@config.command("show")
def show_config(
    origin: Annotated[bool, typer.Option("--origin", help="Say where each comes from.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show every setting: the environment goes before the file, a command's own option before both."""
    rows = list(settings_in_force(os.environ))
    if as_json:
        emit_json({name: {"value": value, "origin": whence} for name, value, whence in rows})
        return
    lines = [(name, value, *((whence,) if origin else ())) for name, value, whence in rows]
    emit(render(table(("setting", "value", *(("origin",) if origin else ())), lines, stretch=1)))


@config.command("path")
def config_path() -> None:
    """Print where the settings file belongs."""
    from imagewright.settings import config_file

    emit(str(config_file(os.environ)))


def settings_in_force(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Name, value and origin of each setting; keys are never shown."""
    from pydantic import SecretStr

    from imagewright.settings import load_settings, setting_origins

    loaded = load_settings(environ)
    for name, whence in setting_origins(environ).items():
        value = getattr(loaded, name)
        shown = _keys(value) if isinstance(value, SecretStr | Mapping) else _plain(value)
        yield name, clean(shown), whence


def _keys(value: object) -> str:
    return "set, not shown" if value else ""


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return os.pathsep.join(map(str, value))
    return "" if value is None else str(value)
