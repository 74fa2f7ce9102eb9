"""What the command writes, and how: JSON, tables and lines that are safe to show and fit the window."""

from __future__ import annotations

import io
import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from imagewright.cli.terminal.wrapping import is_steering, line_spans, measure, prose, window, wrap

if TYPE_CHECKING:
    from rich.text import Text

_LABEL = 11
"""The columns of a label and the space behind it."""
_ROOM = 24
"""Columns that a stretched cell needs beside the others; with fewer it stands beneath them."""
_GAP = "  "
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("┌┐└┘┼├┤┬┴", "+"),
        **dict.fromkeys("─–—━", "-"),
        **{"│": "|", "·": "-", "×": "x", "✓": "+", "✗": "x", "…": "~", "→": ">"},
    }
)
_KEPT = "\ue000"
"""Stands for a space that no line may end at."""
_HIDDEN = re.compile(r"[^\x00-\x7e]")


class Page(Protocol):
    """What can be laid out for a window."""

    def lines(self, columns: int | None) -> list[Text]:
        """Its lines in a window of so many columns; each row on one line for None."""
        ...


def clean(text: str) -> str:
    """``text`` on one line without control and format characters, so that what others wrote cannot steer a terminal."""
    return "".join(c if not is_steering(c) else "" if unicodedata.category(c) == "Cf" else " " for c in text).strip()


def is_terminal(stream: object) -> bool:
    """Whether a person watches ``stream``."""
    try:
        return bool(getattr(stream, "isatty", lambda: False)())
    except ValueError:  # it is closed
        return False


def emit(text: str) -> None:
    """Write one block of text to standard output and flush it; characters that it cannot hold are replaced.

    Raises:
        OSError: standard output is closed or full.
    """
    encoding = sys.stdout.encoding or "utf-8"
    if not encoding.lower().startswith("utf"):
        text = text.translate(_PLAIN)
    text = text.encode(encoding, "replace").decode(encoding)
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def emit_prose(*paragraphs: str) -> None:
    """Write lines of prose: wrapped between words in a terminal, and there alone; they keep their indent."""
    columns = prose(window(is_terminal(sys.stdout)))
    lines: list[str] = []
    for text in paragraphs:
        indent = " " * (len(text) - len(text.lstrip(" ")))
        room = columns and columns - len(indent)
        lines += [f"{indent}{line}".replace(_KEPT, " ") for line in wrap(clean(text), room)]
    emit("\n".join(lines))


def keep_whole(path: str) -> str:
    """``path`` for ``emit_prose`` and labelled rows, which do not end a line at one of its spaces."""
    return path.replace(" ", _KEPT)


def emit_json(value: object, *, indent: int | None = 2) -> None:
    """Write ``value`` as JSON; on a stream that is not UTF-8, with escapes. What could steer a terminal is escaped."""
    utf = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    emit(_HIDDEN.sub(_escape, json.dumps(value, ensure_ascii=not utf, indent=indent)))


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return json.dumps(character)[1:-1] if is_steering(character) or "\ud800" <= character <= "\udfff" else character


def render(page: Page) -> str:
    """A page as text for standard output, coloured only for a terminal that wants colour."""
    from rich.console import Console

    tty = is_terminal(sys.stdout)
    columns = window(tty)
    console = Console(file=io.StringIO(), width=columns, force_terminal=tty, highlight=False, emoji=False)
    with console.capture() as captured:
        for line in page.lines(columns):
            console.print(line, soft_wrap=True)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _spaced(line: Text) -> Text:
    """``line`` with the spaces of what was kept whole."""
    line.plain = line.plain.replace(_KEPT, " ")
    return line


def _styled_lines(text: Text, columns: int | None) -> list[Text]:
    return [text[start:end] if end > start else text[:0] for start, end in line_spans(text.plain, columns)]


# --- tables ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """Rows in columns without lines between them; the column ``stretch`` takes the room that the others leave."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    stretch: int

    def lines(self, columns: int | None) -> list[Text]:
        """The heading and the rows. Nothing is cut: where a window is too narrow, the wide cell stands beneath."""
        from rich.text import Text

        widths = [max(measure(row[at]) for row in (self.headings, *self.rows)) for at in range(len(self.headings))]
        left = None if columns is None else columns - sum(widths) + widths[self.stretch] - len(_GAP) * (len(widths) - 1)
        if left is not None:
            widths[self.stretch] = min(widths[self.stretch], max(left, _ROOM))
        under = left is not None and left < _ROOM
        head = Text(self._join(self.headings, widths), "bold") if any(self.headings) else None
        found = [line for row in self.rows for line in self._row(row, widths, columns, under)]
        return [*([head] if head else []), *(Text(line) for line in found)]

    def _row(self, row: Sequence[str], widths: Sequence[int], columns: int | None, under: bool) -> list[str]:
        if under and columns is not None:
            first = [cell + " " * (widths[at] - measure(cell)) for at, cell in enumerate(row) if at != self.stretch]
            beneath = [f"    {line}" for line in wrap(row[self.stretch], columns - 4)] if row[self.stretch] else []
            return [_GAP.join(first).rstrip(), *beneath]
        cells = wrap(row[self.stretch], None if columns is None else widths[self.stretch])
        blank = [""] * len(row)
        whole = [row if number == 0 else blank for number in range(len(cells))]
        return [self._join(self._with(cells[n], line), widths) for n, line in enumerate(whole)]

    def _with(self, cell: str, row: Sequence[str]) -> list[str]:
        return [cell if at == self.stretch else other for at, other in enumerate(row)]

    def _join(self, row: Sequence[str], widths: Sequence[int]) -> str:
        padded = (cell + " " * (width - measure(cell)) for cell, width in zip(row, widths, strict=True))
        return _GAP.join(padded).rstrip()


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, stretch: int) -> Table:
    """A table of what others wrote, made safe to show."""
    return Table(headings, [tuple(clean(cell) for cell in row) for row in rows], stretch)


# --- labels ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Labelled:
    """Label and body, side by side: words are prose; a list of ``Text``, or one that must not wrap, is as it is."""

    rows: Sequence[tuple[str, str | Text | Sequence[Text]]]

    def lines(self, columns: int | None) -> list[Text]:
        """The rows; a label is not repeated in the next line."""
        from rich.text import Text

        found: list[Text] = []
        last = ""
        for label, body in self.rows:
            shown = "" if label == last else label
            for line in self._body(body, columns):
                found.append(Text.assemble((shown.ljust(_LABEL), "cyan"), line))
                shown = ""
            last = label
        return found

    def _body(self, body: str | Text | Sequence[Text], columns: int | None) -> Sequence[Text]:
        from rich.text import Text

        if not isinstance(body, str | Text):
            return body
        text = Text(clean(body)) if isinstance(body, str) else body
        room = prose(columns)
        lines = [text] if text.no_wrap else _styled_lines(text, None if room is None else room - _LABEL)
        return [_spaced(line) for line in lines]


def render_labelled(rows: Iterable[tuple[str, str | Text | Sequence[Text]]]) -> Labelled:
    """Label and body, side by side."""
    return Labelled(list(rows))
