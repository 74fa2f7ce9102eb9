"""A newcomer's first hour, typed into a terminal and recorded: commands and sayings as people type them.

Run it with ``python -m imagewright.evals.first_hour --out docs/first-hour.md``. Everything runs in a new home and a
new folder; ``--columns`` is the window's width, and 0 a pipe. What a person sees is what is written down: the moving
line of progress is gone once it is, times and ids are as they were.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagewright.evals.pseudo_terminal import PseudoTerminal
from imagewright.evals.screen import read_screen

PLACE = "/tmp/imagewright-hour"
SHOWN = "/home/you/imagewright"
"""Where the recording is made, and what stands in its place in the docs: as long, so that every line is as it was."""


@dataclass(frozen=True)
class Step:
    """One command, what it must come to, and what must and must not be told."""

    line: str
    code: int = 0
    tells: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    sayings: tuple[str, ...] = ()
    """What is typed into it, a line each."""
    light: bool = False
    """Whether it needs neither the index nor what was done before."""


@dataclass(frozen=True)
class Seen:
    """A step, and what a person saw of it."""

    step: Step
    code: int
    text: str


STEPS: Sequence[Step] = (
    Step("imagewright", tells=("imagewright draw", "imagewright chat", "imagewright setup"), light=True),
    Step("imagewright --help", tells=("Exit codes", "setup"), light=True),
    Step("imagewright setup", tells=("stay with mini", "SD 1.5", "4.3 GB", "CreativeML"), sayings=("1",), light=True),
    Step("imagewright words", tells=("house", "blue")),
    Step('imagewright draw "a blue house on a white background"', tells=("picture", ".png", "judged")),
    Step('imagewright draw "a house" -q', tells=(".png", "accepted"), never=("run 2",)),
    Step('imagewright draw "two cups" --strict -q', code=-1, tells=("accepted",)),
    Step('imagewright draw "an astronaut riding a horse"', code=3, tells=("astronaut",)),
    Step('imagewright draw "a blue house" --size 512', code=2, tells=("128x128", "leave the size out")),
    Step("imagewright draw a red house", code=2, tells=("put the whole prompt in quotes",), light=True),
    Step("imagewright draw", code=2, tells=("PROMPT",), light=True),
    Step('imagewright paint "a fox"', code=2, tells=("No such command",), light=True),
    Step('imagewright draw "a red heart" --backend midjourney', code=2, tells=("known:", "diffusers")),
    Step('imagewright plan "a fox and an owl sharing an umbrella, watercolour"', tells=("caption", "flux")),
    Step("imagewright flows", code=2, tells=("list", "check"), light=True),
    Step("imagewright flows list", tells=("mini-layout", "sd15-base")),
    Step("imagewright flows show mini-layout", tells=("Apache-2.0",)),
    Step("imagewright flows check sd15-base", tells=("v1-5-pruned-emaonly.safetensors",)),
    Step("imagewright models scan", tells=("looked in", "no models found")),
    Step("imagewright models list", tells=("missing", "checkpoints/")),
    Step("imagewright doctor", tells=("flows that run here", "data folder")),
    Step("imagewright runs list", tells=("delivered", "accepted"), never=("failed", "astronaut")),
    Step("imagewright runs show nothing", code=2, tells=("no run",), light=True),
    Step("imagewright why", tells=("seed",)),
    Step("imagewright threads list", tells=("no threads yet",), light=True),
    Step(
        "imagewright chat",
        tells=("picture 1: ", "chat-01.png", "picture 2: ", "chat-02.png", "back to picture 1", "say what to draw"),
        never=("--anyway", "chat-03.png", "raise it with"),
        sayings=(
            "what can you draw?", "a green tree on a white background", "make it red", "undo", "why this flow?",
            "an astronaut riding a horse", "/pictures", "/help", "/dance", "thumbs up", "/quit",
        ),
    ),
    Step("imagewright threads show chat", tells=("make it red", "chat-02.png")),
    Step("imagewright prefs list", tells=("no wishes yet",), light=True),
    Step("imagewright config path", tells=("config.toml",), light=True),
    Step("imagewright --version", tells=("imagewright 0",), light=True),
)  # fmt: skip
NEVER = ("bug of ours", "Traceback", "\x1b", "None", "the budget of 4", "your limit of 4")
"""What nobody may be told in this hour."""


def record(columns: int, folder: Path, steps: Sequence[Step] = STEPS) -> Iterator[Seen]:
    """Type ``steps`` in ``folder``, in a terminal of so many columns or into pipes for 0."""
    folder.mkdir(parents=True, exist_ok=True)
    for step in steps:
        code, text = _in_terminal(step, columns, folder) if columns else _in_pipe(step, folder)
        yield Seen(step, code, text)


def find_faults(seen: Seen, columns: int, paths: Sequence[str]) -> list[str]:
    """What misleads in one step: the wrong end, what is missing, what must not be told, a line broken in a path."""
    step, found = seen.step, list[str]()
    if step.code >= 0 and seen.code != step.code:
        found.append(f"exit code {seen.code}, not {step.code}")
    plain = " ".join(seen.text.split())
    found += [f"does not tell {part!r}" for part in step.tells if part not in seen.text and part not in plain]
    found += [f"tells {part!r}" for part in (*step.never, *NEVER) if part in seen.text]
    joined = "".join(line.strip() for line in seen.text.splitlines())
    found += [f"breaks {path}" for path in paths if joined.count(path) > seen.text.count(path)]
    wide = [line for line in seen.text.splitlines() if columns and len(line) > columns and not _has_path(line)]
    return found + [f"is wider than the window: {line}" for line in wide if not line.startswith("> ")]


def _has_path(line: str) -> bool:
    return any("/" in word and len(word) > 20 for word in line.split())


def _command(step: Step) -> list[str]:
    return [sys.executable, "-m", "imagewright.cli", *shlex.split(step.line)[1:]]


def _environment(folder: Path) -> dict[str, str]:
    """A newcomer's: nothing is set, and nothing of this machine's own home is seen."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IMAGEWRIGHT_", "XDG_"))}
    for name in ("MAKELEVEL", "COLUMNS", "NO_COLOR"):
        kept.pop(name, None)
    return {**kept, "HOME": str(folder), "IMAGEWRIGHT_HOME": str(folder / "kept"), "TERM": "xterm-256color",
            "IMAGEWRIGHT_PREVIEW": "none", "PROMPT_TOOLKIT_NO_CPR": "1", "LANG": "C.UTF-8"}  # fmt: skip


def _in_pipe(step: Step, folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        _command(step), input="".join(f"{said}\n" for said in step.sayings), cwd=folder, env=_environment(folder),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def _in_terminal(step: Step, columns: int, folder: Path) -> tuple[int, str]:
    with PseudoTerminal(_command(step), _environment(folder), folder, columns) as terminal:
        for said in step.sayings:
            terminal.await_prompt()
            terminal.say(said)
        code, written = terminal.await_end()
    return code, read_screen(written)


# --- the page -------------------------------------------------------------------------------


def tell(columns: int, seen: Sequence[Seen]) -> str:
    """The recording as a page of Markdown."""
    head = f"""# A first hour

What somebody sees who has just installed imagewright, in a window of {columns} columns, on a CPU: {len(seen)} commands
as they were typed, with nothing left out but colours and the moving line of progress
(`python -m imagewright.evals.first_hour`; a test looks for what would mislead). `(exit 3)` is the exit code where it
is not 0.
"""
    parts = [f"```console\n$ {one.step.line}{_ending(one.code)}\n{one.text.rstrip()}\n```\n" for one in seen]
    return "\n".join([head, *parts]).replace(PLACE, SHOWN)


def _ending(code: int) -> str:
    return f"    (exit {code})" if code else ""


def main() -> int:
    """Record the hour; 1 where something in it misleads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/first-hour.md"))
    parser.add_argument("--columns", type=int, default=80)
    options = parser.parse_args()
    folder = Path(PLACE)
    if folder.exists():
        print(f"{folder} is there already", file=sys.stderr)
        return 2
    faults, seen = 0, list[Seen]()
    try:
        for one in record(options.columns, folder):
            seen.append(one)
            found = find_faults(one, options.columns, [str(path) for path in folder.rglob("*.png")])
            faults += len(found)
            print(f"{one.step.line}: {'; '.join(found) or 'well'}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    options.out.write_text(tell(options.columns, seen), "utf-8")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
