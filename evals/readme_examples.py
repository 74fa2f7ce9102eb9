"""Runs the commands whose output the README shows, and prints each with what it tells now, to be pasted there.

Run it with ``python -m imagewright.evals.readme_examples``; ``--check`` says which of them the README tells otherwise.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from imagewright.evals.pseudo_terminal import PseudoTerminal
from imagewright.evals.screen import read_screen

_BLOCK = re.compile(r"^```(?:console)?\n(\$ imagewright .*?)^```$", re.M | re.S)
_RUN = re.compile(r"^run [0-9-]+[0-9a-f]+\n", re.M)
_COLUMNS = 100
"""The window in which the examples are seen."""


def find_examples(page: str) -> Iterator[tuple[str, str]]:
    """Each block of ``page`` that begins with ``$ imagewright …``: the command, and what is said to come of it."""
    for found in _BLOCK.finditer(page):
        command, _, told = found[1].partition("\n")
        yield command.removeprefix("$ "), told


def run_example(command: str, home: Path) -> str:
    """What ``command`` tells in a terminal, in a home of its own, which is shown as ``…``; without the run's id."""
    words = [sys.executable, "-m", "imagewright.cli", *shlex.split(command)[1:]]
    environment = {**os.environ, "HOME": str(home), "IMAGEWRIGHT_HOME": str(home), "TERM": "xterm", "NO_COLOR": "1"}
    with PseudoTerminal(words, environment, home, _COLUMNS) as terminal:
        written = terminal.await_end()[1]
    return _RUN.sub("", read_screen(written)).replace(str(home), "…")


def main() -> int:
    """Print every example; with ``--check``, 1 where one is told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path, nargs="?", default=Path("README.md"))
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    other = 0
    with tempfile.TemporaryDirectory(prefix="readme-") as folder:
        for command, told in find_examples(options.page.read_text("utf-8")):
            now = run_example(command, Path(folder))
            same = " ".join(now.split()) == " ".join(told.split())
            other += not same
            if not options.check or not same:
                print(f"```\n$ {command}\n{now}```\n", flush=True)
    return int(options.check and other > 0)


if __name__ == "__main__":
    sys.exit(main())
