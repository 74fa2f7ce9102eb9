"""``imagewright doctor`` and ``imagewright config``: what works here, what is missing, and where settings come from."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from imagewright.cli.options import DeviceOption, JsonFlag, ModelsOption
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import clean, emit, emit_json, is_terminal, render, table

if TYPE_CHECKING:
    from imagewright.api import Finding

config = typer.Typer(help="Settings, and where each comes from.", no_args_is_help=True)


def doctor(models: ModelsOption = None, device: DeviceOption = None, as_json: JsonFlag = False) -> None:
    """Say what works here, what is missing and how to get it; exit code 1 where something is broken."""
    with engine(models, device) as opened:
        found = [*opened.examine(), _terminal()]
    if as_json:
        emit_json({"findings": [finding._asdict() for finding in found]})
    else:
        rows = [(f.state, f.what, f"{f.detail}{'; ' if f.remedy else ''}{f.remedy}") for f in found]
        emit(render(table(("", "what", "how it is"), rows, stretch=2)))
    if any(finding.state == "broken" for finding in found):
        raise typer.Exit(1)


def _terminal() -> Finding:
    from imagewright.api import Finding
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
    from imagewright.settings import load_settings, tell_settings

    for name, value, whence in tell_settings(load_settings(environ), environ):
        yield name, clean(value), whence
