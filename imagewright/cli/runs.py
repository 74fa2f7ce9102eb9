"""``imagewright runs``, and what drawing shares with it: the engine, the listener and the result."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagewright.cli import complete
from imagewright.cli.options import DeviceOption, JsonFlag, ModelsOption, QuietFlag
from imagewright.cli.terminal.progress import ProgressLine
from imagewright.cli.terminal.text import clean, emit, emit_json, render, table
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.container import Imagewright
    from imagewright.schemas import RunEvent, RunResult

app = typer.Typer(help="Look at runs, and go on with one that was interrupted.", no_args_is_help=True)
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.", autocompletion=complete.runs)]


@contextlib.contextmanager
def engine(models: list[Path] | None = None, device: str | None = None) -> Iterator[Imagewright]:
    """The engine under the settings of the environment, with what the command line overrides.

    Raises:
        BadInput: a folder of models does not exist, or a setting cannot be used.
    """
    for folder in models or ():
        if not folder.is_dir():
            raise BadInput(f"--models {folder} is not a folder", "name a folder laid out as ComfyUI's models")
    from imagewright.container import Imagewright
    from imagewright.settings import load_settings

    given = {"IMAGEWRIGHT_DEVICE": device} if device else {}
    settings = load_settings({**os.environ, **given})
    roots = (*(folder.expanduser() for folder in models or ()), *settings.model_roots)
    with contextlib.closing(Imagewright(settings.model_copy(update={"model_roots": roots}))) as opened:
        yield opened


def follow(work: Callable[[Callable[[RunEvent], None]], RunResult], *, quiet: bool) -> RunResult:
    """Do the work of a run while its progress is shown."""
    with ProgressLine(quiet) as progress:
        return work(progress)


def show_result(result: RunResult, *, as_json: bool, quiet: bool) -> None:
    """Print a delivered run: as JSON, as its path, or as its story."""
    if as_json:
        emit_json(result_json(result))
    elif quiet:
        emit(result.path)
    else:
        from imagewright.cli.story import tell_run

        emit(render(tell_run(result)))


def result_json(result: RunResult) -> dict[str, Any]:
    """What ``draw --json`` prints: the plan's keys and the run's. Without a layout, an empty one."""
    from imagewright.schemas import Layout

    value = result.model_dump(mode="json")
    if result.layout is None:
        value["layout"] = Layout().model_dump(mode="json")
    first = (
        "prompt",
        "categories",
        "candidates",
        "layout",
        "path",
        "seed",
        "flow",
        "rounds",
        "images",
        "seconds",
        "run",
    )
    return {key: value[key] for key in (*first, *(key for key in value if key not in first))}


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="The newest N.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List the newest runs and how they stand."""
    with engine() as opened:
        rows = opened.runs.list(limit)
    if as_json:
        emit_json({"runs": [row.model_dump(mode="json", exclude={"request", "result"}) for row in rows]})
    elif not rows:
        emit('no runs yet; draw something: imagewright draw "a red circle"')
    else:
        lines = [(row.id, row.status, row.result.flow if row.result else "", row.prompt) for row in rows]
        emit(render(table(("run", "status", "flow", "prompt"), lines, stretch=3)))


@app.command("show")
def show_run(run: RunArgument, as_json: JsonFlag = False) -> None:
    """Show a run: its story, what was rejected, prompts, models and versions; with --json its whole trace."""
    with engine() as opened:
        if as_json:
            emit_json(opened.runs.show(run))
            return
        row, trace = opened.runs.get(run), opened.runs.trace(run)
    if row.result is not None:
        from imagewright.cli.trace import tell_trace

        show_result(row.result, as_json=False, quiet=False)
        emit(render(tell_trace(trace)))
        return
    emit(render(table(("run", "status", "prompt"), [(row.id, row.status, row.prompt)], stretch=2)))
    if row.error:
        emit(clean(row.error))
    emit(f"nothing was delivered; go on with: imagewright runs resume {row.id}")


@app.command("resume")
def resume_run(
    run: RunArgument,
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Go on with a run that was interrupted; what was drawn is not drawn again, and it is delivered once."""
    with engine(models, device) as opened:
        result = follow(lambda listen: opened.resume(run, on_event=listen), quiet=quiet)
    show_result(result, as_json=as_json, quiet=quiet)
