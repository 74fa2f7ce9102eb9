"""Progress on standard error: one live line on a terminal, plain lines elsewhere, the run's id first; nothing if quiet.

Notes are part of what a run comes to, and are told with it; here they are told only where it comes to nothing.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from imagewright.cli.terminal.text import clean, is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from imagewright.schemas import RunEvent

_SILENT = {"run", "step", "preview", "answer", "note", "fallback"}
"""Kinds that have no line of their own; answers and notes are what the command itself prints. In plain lines a fallback
has one all the same, where it happens."""


class ProgressLine:
    """A listener for the events of one run, and a context manager that cleans up its line."""

    def __init__(self, quiet: bool = False, *, names_run: bool = True) -> None:
        self._run = "" if names_run else "not told"
        self._quiet = quiet
        self._live = not quiet and is_terminal(sys.stderr)
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._quarter = 0
        self.notes: list[str] = []
        """The notes of the run so far."""

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        if error is not None and not self._quiet:
            for note in self.notes:
                print(f"note: {note}", file=sys.stderr, flush=True)

    def __call__(self, event: RunEvent) -> None:
        """Show one event."""
        if event.kind in ("note", "fallback"):
            self.notes.append(clean(event.text))
        if self._quiet:
            return
        if not self._run:
            self._run = event.run
            print(f"run {clean(event.run)}", file=sys.stderr, flush=True)
        if self._live:
            self._move(event)
        else:
            self._print(event)

    def _print(self, event: RunEvent) -> None:
        if event.kind == "step" and event.step and event.total:
            quarter = event.step * 4 // event.total
            if quarter != self._quarter and quarter < 4:
                print(f"  step       {event.step}/{event.total}", file=sys.stderr, flush=True)
            self._quarter = quarter
        elif event.kind == "fallback" or event.kind not in _SILENT:
            print(f"  {event.kind:<10} {clean(event.text)}", file=sys.stderr, flush=True)

    def _move(self, event: RunEvent) -> None:
        bar = self._started()
        assert self._task is not None
        if event.kind == "step" and event.total:
            bar.update(self._task, completed=event.step or 0, total=event.total, count=f"{event.step}/{event.total}")
        elif event.kind == "error":
            bar.console.print(f"{event.kind}: {clean(event.text)}", markup=False, highlight=False)
        elif event.kind not in _SILENT:
            bar.tasks[0].total = None
            bar.update(self._task, description=clean(event.text)[:40], completed=0, count="")

    def _started(self) -> Bar:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            text, count = (TextColumn(f"{{task.{what}}}", markup=False) for what in ("description", "fields[count]"))
            columns = (SpinnerColumn(), text, BarColumn(bar_width=20), count, TimeElapsedColumn())
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("starting", total=None, count="")
            self._bar.start()
        return self._bar
