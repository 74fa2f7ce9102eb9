"""Many prompts into one folder: a picture each, a manifest that can be gone on with, a contact sheet."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Required, TypedDict, cast

from imagewright import limits, untrusted
from imagewright.errors import BadInput, Cancelled, ImagewrightError
from imagewright.schemas import DrawRequest, RunEvent, RunResult, say_judgement

if TYPE_CHECKING:
    from imagewright.memory.runs import RunLog

_MANIFEST = "manifest.json"
_SHEET = "contact-sheet.png"
_FORMAT = 1


class BatchRow(TypedDict, total=False):
    """One prompt and how it stands, as the manifest holds it."""

    prompt: Required[str]
    status: Required[str]
    """``waiting``, ``running``, ``delivered`` or ``failed``."""
    run: str
    path: str
    """Where the picture is; there once it is delivered, as the five below."""
    image: str
    """Its content hash."""
    seed: int
    flow: str
    accepted: bool | None
    """Whether the critic accepted it; None where it was not judged."""
    score: float | None
    """From 0 to 1; None where it was not judged."""
    error: str
    """Why it failed."""


class DrawnBatch(NamedTuple):
    """What came of a batch."""

    manifest: Path
    contact_sheet: str
    """Its path; empty where no picture was made."""
    rows: tuple[BatchRow, ...]

    def _repr_png_(self) -> bytes | None:
        """The contact sheet, for a notebook; None where there is none."""
        return Path(self.contact_sheet).read_bytes() if self.contact_sheet else None


class Draws(Protocol):
    """What a batch needs of an engine."""

    @property
    def runs(self) -> RunLog:
        """The log that says how a run stands."""
        ...

    def draw(self, prompt: DrawRequest, /, *, on_event: Callable[[RunEvent], None]) -> RunResult:
        """Draw one request."""
        ...

    def resume(self, run: str, on_event: Callable[[RunEvent], None]) -> RunResult:
        """Go on with a run."""
        ...


def draw_all(
    engine: Draws,
    prompts: Sequence[str],
    folder: Path,
    request: DrawRequest,
    on_event: Callable[[RunEvent], None],
    on_row: Callable[[int, BatchRow], None],
    *,
    own_seeds: bool = False,
) -> DrawnBatch:
    """Draw every prompt with the other fields of ``request`` into ``folder``.

    ``on_row`` hears the number of each prompt, from 0, and how it stands. With ``own_seeds`` a seed that is asked for
    is the first one's, and each picture has the next. What an earlier call has delivered is not
    drawn again; what cannot be drawn is written down, and the batch goes on.

    Raises:
        BadInput: the folder or its manifest cannot be used.
        Cancelled: Ctrl-C; the same call goes on.
    """
    batch = Batch(engine, folder, prompts)
    for number in range(len(prompts)):
        seed = (
            request.seed if request.seed is None or not own_seeds else (request.seed + number) % (limits.MAX_SEED + 1)
        )
        on_row(number, batch.draw(number, request.revise(seed=seed), on_event))
    return DrawnBatch(folder / _MANIFEST, batch.contact_sheet(), tuple(batch.rows))


class Batch:
    """The prompts of one batch and how each stands; the manifest on the disk is always whole."""

    def __init__(self, engine: Draws, folder: Path, prompts: Sequence[str]) -> None:
        from imagewright.database import storage_errors
        from imagewright.memory.reservations import list_names

        self._engine, self._folder = engine, folder
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / _MANIFEST
        self._sheet = _SHEET
        before = self._read()
        if not self._file.exists() and (folder / _SHEET).exists():  # somebody's own
            self._sheet = next(name.name for name in list_names(folder / _SHEET, counts=False) if not name.exists())
        self.rows: list[BatchRow] = [
            before[n] if n < len(before) and before[n]["prompt"] == prompt else {"prompt": prompt, "status": "waiting"}
            for n, prompt in enumerate(prompts)
        ]
        if any(row["prompt"] != prompt for row, prompt in zip(before, prompts, strict=False)):
            raise BadInput(f"{self._file} is of another batch", "name another folder with --out")

    def _read(self) -> list[BatchRow]:
        if not self._file.exists():
            return []
        try:
            value = untrusted.load_json(self._file)
            rows = [_row(row) for row in value["rows"]]
            self._sheet = Path(str(value.get("contact_sheet", _SHEET))).name
        except (BadInput, KeyError, TypeError) as error:
            raise BadInput(f"{self._file} is no manifest: {error}", "move it away, or name another folder") from None
        if value.get("imagewright_batch", 0) > _FORMAT:
            raise BadInput(f"{self._file} was written by a newer version", "upgrade imagewright")
        return rows

    def _write(self) -> None:
        from imagewright.memory.artifacts import write_whole

        named = {} if self._sheet == _SHEET else {"contact_sheet": self._sheet}
        value = {"imagewright_batch": _FORMAT, **named, "rows": self.rows}
        write_whole(self._file, json.dumps(value, ensure_ascii=False, indent=1).encode())

    def draw(self, number: int, request: DrawRequest, progress: Callable[[RunEvent], None]) -> BatchRow:
        """Draw one prompt, unless it is done; what cannot be drawn is written down, and the batch goes on."""
        row = self.rows[number]
        if row["status"] == "delivered" and Path(row["path"]).exists():
            return row

        def listen(event: RunEvent) -> None:
            if event.kind == "run" and row.get("run") != event.run:
                row["run"], row["status"] = event.run, "running"
                self._write()
            progress(event)

        try:
            result = self._drawn(row, number, request, listen)
            row["status"], row["path"], row["image"] = "delivered", result.path, result.image
            row["seed"], row["flow"] = result.seed, result.flow
            row["accepted"], row["score"] = result.accepted, result.score
            row.pop("error", None)
        except Cancelled:
            raise
        except ImagewrightError as error:
            row["status"], row["error"] = "failed", str(error)
        self._write()
        return row

    def _drawn(self, row: BatchRow, number: int, request: DrawRequest, listen: Callable[[RunEvent], None]) -> RunResult:
        """The picture of one row: its run is gone on with where there is one, else begun."""
        if row["status"] == "running" and (run := row.get("run")) and self._known(run):
            return self._engine.resume(run, on_event=listen)
        out = str(self._folder / f"{number + 1:03}{limits.PICTURE_FORMATS[request.format or 'png']}")
        taken = "number" if request.taken == "refuse" else request.taken
        return self._engine.draw(request.revise(prompt=row["prompt"], out=out, taken=taken), on_event=listen)

    def _known(self, run: str) -> bool:
        try:
            return self._engine.runs.get(run).status != "failed"
        except BadInput:
            return False

    def contact_sheet(self) -> str:
        """Write all pictures, small and numbered, into one; its path, empty where there is none."""
        from imagewright.contact_sheet import paint_sheet
        from imagewright.memory.artifacts import write_whole

        made = [(n, Path(row["path"])) for n, row in enumerate(self.rows) if row["status"] == "delivered"]
        if not made:
            return ""
        sheet = paint_sheet([(f"{number + 1:03}", say_row(self.rows[number]), path) for number, path in made])
        write_whole(self._folder / self._sheet, sheet)
        return str(self._folder / self._sheet)


def say_row(row: BatchRow) -> str:
    """How the picture of a delivered row was judged, in words."""
    return say_judgement(row.get("accepted"), row.get("score"))


def _row(value: dict[str, Any]) -> BatchRow:
    return cast(BatchRow, {**value, "prompt": str(value["prompt"]), "status": str(value["status"])})
