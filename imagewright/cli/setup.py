"""``imagewright setup``: what this machine could run, and the ways onward; and its offer to who is new."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from imagewright.cli.models import fetch_models
from imagewright.cli.options import DeviceOption, JsonFlag, ModelsOption
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import emit, emit_json, emit_prose, is_terminal, keep_whole, render, render_labelled
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.api import Imagewright, Machine, Way
    from imagewright.settings import Settings

OFFER = "new here? imagewright setup says what this machine could draw with beyond the small model that ships"


def setup(models: ModelsOption = None, device: DeviceOption = None, as_json: JsonFlag = False) -> None:
    """Say what this machine could draw with, and in a terminal go the way that you choose. Fetches nothing unasked."""
    with engine(models, device) as opened:
        opened.runs.list(1)  # from now on this home is no new one, and nobody is offered what they have seen
        machine = opened.onward.examine()
        ways = opened.onward.list(machine)
        if as_json:
            emit_json({"machine": machine._asdict(), "ways": [way._asdict() for way in ways]})
            return
        emit(render(render_labelled([*_machine_rows(machine), *_way_rows(ways)])))
        if is_terminal(sys.stdin) and is_terminal(sys.stdout):
            _go(opened, ways[_ask(len(ways)) - 1])


def _machine_rows(machine: Machine) -> list[tuple[str, str]]:
    gpu = f"{machine.gpu}, {_gigabytes(machine.gpu_memory)} free" if machine.gpu else "none that can be used"
    return [
        ("processor", machine.processor),
        ("GPU", gpu),
        ("memory", f"{_gigabytes(machine.memory)} free"),
        ("disk", f"{_gigabytes(machine.disk)} free"),
    ]


def _gigabytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e9:.1f} GB"


def _way_rows(ways: tuple[Way, ...]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for number, way in enumerate(ways, 1):
        label = f"{number}"
        rows += [(label, f"{way.title}: {way.gives}")]
        rows += [(label, f"size {way.size}; licence {way.licence}; {way.time}"), (label, way.how)]
    return rows


def _ask(count: int) -> int:
    """The number of a way; 1, which needs nothing, for none."""
    while True:
        said = typer.prompt(f"Which way? 1 to {count}", default="1", show_default=True).strip()
        if said.isdigit() and 1 <= int(said) <= count:
            return int(said)
        emit("give one of the numbers")


def _go(opened: Imagewright, way: Way) -> None:
    if way.name == "fetch":
        if not way.ready:
            emit_prose(f"this machine is too small for it: {way.gives}")
            return
        for path in fetch_models(opened, way.how.rpartition(" ")[2], yes=False):
            emit_prose(f"fetched {keep_whole(path)}")
    elif way.name == "disk":
        _use_folder(opened, Path(way.how.partition("--models ")[2]))
    elif way.name == "mini":
        emit_prose('mini it is; try: imagewright draw "a blue house on a white background"')
    else:
        emit_prose(f"next: {way.how}")


def _use_folder(opened: Imagewright, folder: Path) -> None:
    """Add a flow for each model in ``folder``, and look into it from now on."""
    found = opened.onward.use_folder(folder)
    for flow in found:
        emit_prose(f"added flow {flow}")
    try:
        emit_prose(f"from now on its models are used: {keep_whole(str(opened.onward.keep_folder(folder)))} says so")
    except BadInput as error:
        emit_prose(f"{error}; {error.remedy}")


# --- the offer ------------------------------------------------------------------------------


def is_new_here(settings: Settings) -> bool:
    """Whether nothing was ever kept in this home, and a person types who may be offered a way: not a script or make."""
    watched = is_terminal(sys.stdin) and is_terminal(sys.stdout)
    return watched and "MAKELEVEL" not in os.environ and not settings.database.exists()
