"""The ``imagewright`` command: the table of its commands. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from imagewright.cli.boundary import EXIT_CODES, guard
from imagewright.cli.terminal.text import emit

COMMANDS: Mapping[str, str] = {
    "chat": "imagewright.cli.chat:chat",
    "why": "imagewright.cli.runs:why",
    "doctor": "imagewright.cli.doctor:doctor",
    "draw": "imagewright.cli.draw:draw",
    "plan": "imagewright.cli.draw:plan",
    "words": "imagewright.cli.words:words",
    "setup": "imagewright.cli.setup:setup",
    "variations": "imagewright.cli.pictures:variations",
    "show": "imagewright.cli.pictures:show",
    "flows": "imagewright.cli.flows:app",
    "models": "imagewright.cli.models:app",
    "bench": "imagewright.cli.bench:app",
    "runs": "imagewright.cli.runs:app",
    "eval": "imagewright.cli.eval:app",
    "serve": "imagewright.cli.serve:serve",
    "mcp": "imagewright.cli.serve:mcp",
    "comfyui": "imagewright.cli.comfyui:app",
    "threads": "imagewright.cli.threads:app",
    "prefs": "imagewright.cli.threads:prefs",
    "clean": "imagewright.cli.clean:clean",
    "config": "imagewright.cli.doctor:config",
}
"""Each command as it is typed, and where it lies: a function, or a ``typer.Typer`` with commands of its own."""

_GREETING = """Say what you want to see: imagewright chooses what draws it best, draws it,
looks at the picture and repairs it.

  imagewright draw "a blue house"   draws it, and tells how it came about
  imagewright chat                  say what to draw, then what to change
  imagewright setup                 what more this machine could draw with

imagewright --help lists every command."""
"""What somebody sees who types nothing else; the third command is where the ways onward are."""

EXAMPLES = """\b
Examples, which work with the small model that ships:
  imagewright words           what it can draw
  imagewright draw "a house"  what is left open is filled in, and said
  imagewright draw "two red cups left of a green tree on a yellow background"
  imagewright chat            "a house", "make it blue", "bigger", "undo"

"""
app = typer.Typer(
    name="imagewright",
    help="Finds the text-to-image workflow that has measurably served prompts like yours best, and runs it.",
    epilog=EXAMPLES + EXIT_CODES,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _add_commands() -> None:
    for name, place in COMMANDS.items():
        module, _, attribute = place.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)


def _version(wanted: bool) -> None:
    if wanted:
        from imagewright import __version__

        emit(f"imagewright {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Say what to draw; the best flow for it that can run here is chosen, laid out, drawn, checked and repaired."""
    if context.invoked_subcommand is None:
        emit(_GREETING)


_add_commands()


def main() -> None:
    """The console script: run the command that was typed and exit with its code."""
    if "_IMAGEWRIGHT_COMPLETE" in os.environ:
        app()
    argv = sys.argv[1:]
    command = typer.main.get_command(app)
    sys.exit(guard(argv, lambda: command.invoke(command.make_context("imagewright", list(argv)))))


if __name__ == "__main__":
    main()
