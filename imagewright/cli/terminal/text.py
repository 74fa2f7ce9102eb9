"""What the command writes, and how: JSON, tables and lines that are safe to show."""

from __future__ import annotations

import io
import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 80
_LEAST = 20
"""The columns that a column that takes what is left has at least, where its text is that long."""
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("┌┐└┘┼├┤┬┴", "+"),
        **dict.fromkeys("─–—━", "-"),
        **{"│": "|", "·": "-", "×": "x", "✓": "+", "✗": "x", "…": "~", "→": ">"},
    }
)


def clean(text: str) -> str:
    """``text`` on one line without control characters, so that what others wrote cannot steer a terminal."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text).strip()


def is_terminal(stream: object) -> bool:
    """Whether a person watches ``stream``."""
    return bool(getattr(stream, "isatty", lambda: False)())


def emit(text: str) -> None:
    """Write one block of text to standard output and flush it; characters that it cannot hold are replaced.

    Raises:
        OSError: standard output is closed or full.
    """
    encoding = sys.stdout.encoding or "utf-8"
    if not encoding.lower().startswith("utf"):
        text = text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def emit_json(value: object, *, indent: int | None = 2) -> None:
    """Write ``value`` as JSON; on a stream that is not UTF-8, with escapes."""
    utf = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    emit(json.dumps(value, ensure_ascii=not utf, indent=indent))


def render(what: RenderableType) -> str:
    """A rich renderable as text, coloured only for a terminal that wants colour.

    It is 80 columns wide, or as wide as its longest word: a path or a name that is broken can be neither copied nor
    searched for.
    """
    from rich.console import Console

    tty = is_terminal(sys.stdout)
    console = Console(file=io.StringIO(), width=10_000, force_terminal=tty, highlight=False, emoji=False)
    console.width = max(_width(tty), console.measure(what).minimum)
    with console.capture() as captured:
        console.print(what)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, stretch: int) -> RenderableType:
    """A table without lines whose column ``stretch`` takes the room that the others leave; the others are never cut."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    cells = [[clean(cell) for cell in row] for row in rows]
    grid = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for number, heading in enumerate(headings):
        wide, longest = number == stretch, max((cell_len(row[number]) for row in cells), default=0)
        words = max((cell_len(word) for row in cells for word in row[number].split()), default=0)
        least = max(words, min(longest, _LEAST)) if wide else longest
        grid.add_column(heading, ratio=1 if wide else None, no_wrap=not wide, overflow="fold", min_width=least or None)
    for row in cells:
        grid.add_row(*(Text(cell) for cell in row))
    return grid


def render_labelled(rows: Iterable[tuple[str, RenderableType]]) -> RenderableType:
    """Label and body, side by side; a label is not repeated in the next line."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="cyan", no_wrap=True, width=10)
    grid.add_column(overflow="fold")
    last = ""
    for label, body in rows:
        grid.add_row("" if label == last else label, Text(clean(body)) if isinstance(body, str) else body)
        last = label
    return grid


def _width(tty: bool) -> int:
    import shutil

    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if tty else WIDTH
