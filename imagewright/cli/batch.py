"""``imagewright draw --batch FILE``: one picture a line, a manifest that can be gone on with, a contact sheet."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from imagewright import untrusted
from imagewright.cli.options import read_prompts
from imagewright.cli.terminal.progress import ProgressLine
from imagewright.cli.terminal.text import clean, emit, emit_json
from imagewright.errors import BadInput, Cancelled, CannotDraw, ImagewrightError

if TYPE_CHECKING:
    from imagewright.container import Imagewright
    from imagewright.schemas import DrawRequest, RunEvent, RunResult

MANIFEST = "manifest.json"
_SHEET = "contact-sheet.png"
_FORMAT = 1
_THUMB = 128
"""The side of a picture on the contact sheet, in pixels."""
_COLUMNS = 6
_Row = dict[str, Any]


def draw_batch(
    opened: Imagewright, source: str, folder: Path, request: DrawRequest, *, as_json: bool, quiet: bool
) -> None:
    """Draw every prompt of ``source`` into ``folder``; what an earlier call has delivered there is not drawn again.

    Raises:
        BadInput: the file, the folder or its manifest cannot be used.
        Cancelled: Ctrl-C; the same command goes on.
    """
    prompts = read_prompts(source)
    batch = Batch(opened, folder, prompts)
    for number in range(len(prompts)):
        with ProgressLine(quiet) as progress:
            row = batch.draw(number, request, progress)
        if not (quiet or as_json):
            emit(clean(f"{number + 1:03}  {row['status']:<9}  {row.get('path') or row.get('error', '')}"))
    sheet = batch.contact_sheet()
    if as_json:
        emit_json({"manifest": str(folder / MANIFEST), "contact_sheet": sheet, "rows": batch.rows})
    else:
        delivered = sum(row["status"] == "delivered" for row in batch.rows)
        emit(clean(f"{delivered} of {len(prompts)} pictures are in {folder}{f'; {sheet}' if sheet else ''}"))
    if any(row["status"] != "delivered" for row in batch.rows):
        raise typer.Exit(CannotDraw.exit_code)


class Batch:
    """The prompts of one batch and how each stands; the manifest on the disk is always whole."""

    def __init__(self, opened: Imagewright, folder: Path, prompts: Sequence[str]) -> None:
        from imagewright.database import storage_errors

        self._engine, self._folder = opened, folder
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / MANIFEST
        before = self._read()
        self.rows: list[_Row] = [
            before[n] if n < len(before) and before[n]["prompt"] == prompt else {"prompt": prompt, "status": "waiting"}
            for n, prompt in enumerate(prompts)
        ]
        if any(row["prompt"] != prompt for row, prompt in zip(before, prompts, strict=False)):
            raise BadInput(f"{self._file} is of another batch", "name another folder with --out")

    def _read(self) -> list[_Row]:
        if not self._file.exists():
            return []
        try:
            value = untrusted.load_json(self._file)
            rows = [dict(row, prompt=str(row["prompt"]), status=str(row["status"])) for row in value["rows"]]
        except (BadInput, KeyError, TypeError) as error:
            raise BadInput(f"{self._file} is no manifest: {error}", "move it away, or name another folder") from None
        if value.get("imagewright_batch", 0) > _FORMAT:
            raise BadInput(f"{self._file} was written by a newer version", "upgrade imagewright")
        return rows

    def _write(self) -> None:
        from imagewright.memory.artifacts import write_whole

        value = {"imagewright_batch": _FORMAT, "rows": self.rows}
        write_whole(self._file, json.dumps(value, ensure_ascii=False, indent=1).encode())

    def draw(self, number: int, request: DrawRequest, progress: Callable[[RunEvent], None]) -> _Row:
        """Draw one prompt, unless it is done; what cannot be drawn is written down, and the batch goes on."""
        row = self.rows[number]
        if row["status"] == "delivered" and Path(row["path"]).exists():
            return row

        def listen(event: RunEvent) -> None:
            if event.kind == "run" and row.get("run") != event.run:
                row.update(run=event.run, status="running")
                self._write()
            progress(event)

        try:
            result = self._drawn(row, number, request, listen)
            row.update(status="delivered", path=result.path, image=result.image, seed=result.seed, flow=result.flow)
            row.pop("error", None)
        except Cancelled:
            raise
        except ImagewrightError as error:
            row.update(status="failed", error=str(error))
        self._write()
        return row

    def _drawn(self, row: _Row, number: int, request: DrawRequest, listen: Callable[[RunEvent], None]) -> RunResult:
        """The picture of one row: its run is gone on with where there is one, else begun."""
        if row["status"] == "running" and (run := row.get("run")) and self._known(run):
            return self._engine.resume(run, on_event=listen)
        out = str(self._folder / f"{number + 1:03}.png")
        return self._engine.draw(request.model_copy(update={"prompt": row["prompt"], "out": out}), on_event=listen)

    def _known(self, run: str) -> bool:
        try:
            return self._engine.runs.get(run).status != "failed"
        except BadInput:
            return False

    def contact_sheet(self) -> str:
        """Write all pictures, small and numbered, into one; its path, empty where there is none."""
        from PIL import Image, ImageDraw

        from imagewright.memory.artifacts import write_whole

        made = [(n, Path(row["path"])) for n, row in enumerate(self.rows) if row["status"] == "delivered"]
        if not made:
            return ""
        columns = min(_COLUMNS, len(made))
        lines = -(-len(made) // columns)
        paper = Image.new("RGB", (columns * _THUMB, lines * (_THUMB + 14)), "white")
        pen = ImageDraw.Draw(paper)
        for place, (number, path) in enumerate(made):
            x, y = place % columns * _THUMB, place // columns * (_THUMB + 14)
            with Image.open(path, formats=("PNG",)) as image:
                small = image.convert("RGB")
                small.thumbnail((_THUMB - 4, _THUMB - 4))
                paper.paste(small, (x + 2, y + 2))
            pen.text((x + 2, y + _THUMB), f"{number + 1:03}", fill="black")
        import io

        buffer = io.BytesIO()
        paper.save(buffer, "PNG")
        write_whole(self._folder / _SHEET, buffer.getvalue())
        return str(self._folder / _SHEET)
