"""``imagewright runs`` and ``imagewright why``, and what drawing shares with them: engine, listener and result."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagewright.cli import complete
from imagewright.cli.options import DeviceOption, JsonFlag, ModelsOption, QuietFlag, ServerFlag
from imagewright.cli.terminal.progress import ProgressLine
from imagewright.cli.terminal.text import clean, emit, emit_json, emit_prose, render, table
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.api import Imagewright, RunRow
    from imagewright.schemas import RunEvent, RunResult

NOT_ACCEPTED = 5
"""The exit code where a picture was made, none was accepted, and ``--strict`` asks for one."""
DIFFERENT = 1
"""The exit code of a replay that gave other pixels."""
app = typer.Typer(help="Look at runs, and go on with one that was interrupted.", no_args_is_help=True)
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.", autocompletion=complete.runs)]


@contextlib.contextmanager
def engine(models: list[Path] | None = None, device: str | None = None) -> Iterator[Imagewright]:
    """The engine under the settings of the environment, with what the command line overrides.

    Raises:
        BadInput: a folder of models does not exist, or a setting cannot be used.
    """
    from imagewright.starvation import insist_on_memory

    insist_on_memory()
    for folder in models or ():
        if not folder.is_dir():
            raise BadInput(f"--models {folder} is not a folder", "name a folder laid out as ComfyUI's models")
    from imagewright.api import Imagewright
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
        emit(f"{result.path}\t{result.judgement}")
    else:
        from imagewright.cli.story import tell_run

        emit(render(tell_run(result)))


def open_file(path: Path) -> None:
    """Open a file with this system's viewer; where there is none, say so.

    Raises:
        BadInput: the file is gone.
    """
    if not path.is_file():
        raise BadInput(f"{path} is not there", "it was moved or deleted; `imagewright runs list` shows runs")
    if typer.launch(str(path)):
        print(clean(f"nothing here opens pictures; it is at {path}"), file=sys.stderr)


def result_json(result: RunResult) -> dict[str, Any]:
    """What ``draw --json`` prints: the plan's keys and the run's. Without a layout, an empty one."""
    from imagewright.schemas import Layout

    value = result.model_dump(mode="json") | {"accepted": result.accepted, "score": result.score}
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
        "accepted",
        "score",
    )
    return {key: value[key] for key in (*first, *(key for key in value if key not in first))}


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="The newest N.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="Also what was refused before anything was drawn.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the newest runs, how they stand and how their pictures were judged."""
    with engine() as opened:
        rows = opened.runs.list(limit, refused=everything)
    if as_json:
        emit_json({"runs": [_row_json(row) for row in rows]})
    elif not rows:
        emit('no runs yet; draw something: imagewright draw "a red circle"')
    else:
        lines = [(row.id, *_standing(row), row.prompt) for row in rows]
        emit(render(table(("run", "status", "judged", "flow", "prompt"), lines, stretch=4)))


def _standing(row: RunRow) -> tuple[str, str, str]:
    return (row.status, row.result.judgement, row.result.flow) if row.result else (row.status, "", "")


def _row_json(row: RunRow) -> dict[str, Any]:
    judged = {"accepted": row.result.accepted, "score": row.result.score} if row.result else {}
    return {**row.model_dump(mode="json", exclude={"request", "result"}), **judged}


@app.command("show")
def show_run(run: RunArgument, as_json: JsonFlag = False) -> None:
    """Show a run: its story, what was rejected, prompts, models and versions; with --json its whole trace."""
    with engine() as opened:
        if as_json:
            emit_json(opened.runs.show(run))
            return
        row, trace = opened.runs.get(run), opened.runs.trace(run)
    if row.result is not None:
        from imagewright.cli.story import tell_trace

        show_result(row.result, as_json=False, quiet=False)
        emit(render(tell_trace(trace)))
        return
    emit(render(table(("run", "status", "prompt"), [(row.id, row.status, row.prompt)], stretch=2)))
    if row.error:
        emit_prose(row.error)
    if row.status == "refused":
        emit("nothing was drawn")
    else:
        emit(f"nothing was delivered; go on with: imagewright runs resume {row.id}")


@app.command("resume")
def resume_run(
    run: RunArgument,
    reply: Annotated[str | None, typer.Option(metavar="TEXT", help="The answer to the question it waits with.")] = None,
    models: ModelsOption = None,
    device: DeviceOption = None,
    server: ServerFlag = True,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Go on with a run that was interrupted; what was drawn is not drawn again, and it is delivered once."""
    from imagewright.cli.workplace import engine_at_work

    with engine_at_work(models, device, server=server, quiet=quiet) as opened:
        result = follow(lambda listen: opened.resume(run, on_event=listen, reply=reply), quiet=quiet)
    show_result(result, as_json=as_json, quiet=quiet)


@app.command("delete")
def delete_runs(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Their ids.", autocompletion=complete.runs)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete runs: their traces, and their pictures, also where they were delivered to."""
    with engine() as opened:
        for run in runs:
            opened.runs.get(run)
        if not yes:
            typer.confirm(f"Delete {', '.join(runs)} with all of their pictures?", abort=True, err=True)
        count = opened.delete_runs(runs)
    emit(clean(f"{', '.join(runs)}: gone, and {count} pictures of the store with them"))


# --- what a trace is good for --------------------------------------------------------------


@app.command("replay")
def replay_run(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Keep the picture here.")] = None,
    models: ModelsOption = None,
    device: DeviceOption = None,
    server: ServerFlag = True,
    as_json: JsonFlag = False,
) -> None:
    """Draw a run's picture again from its trace; exit code 1 where the pixels are not the same."""
    if out is not None and (out.suffix.lower() != ".png" or out.exists()):
        raise BadInput(f"{out} is no new .png file", "name a .png file that is not there yet")
    from imagewright.cli.workplace import engine_at_work

    with engine_at_work(models, device, server=server) as opened, ProgressLine() as progress:
        found = opened.replay(run, on_event=progress, out=out)
    if as_json:
        emit_json(found.model_dump(mode="json"))
    else:
        far = "" if found.mean_difference is None else f" (mean difference {found.mean_difference} of 255)"
        emit(f"the same pixels: {found.image}" if found.same else f"other pixels: {found.image}{far}")
        emit("\n".join(f"differs: {clean(line)}" for line in found.differences)) if found.differences else None
    if not found.same:
        raise typer.Exit(DIFFERENT)


def why(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="The newest delivered one, unless named.")] = None,
    about: Annotated[
        str, typer.Option(metavar="TOPIC", help="flow, layout, seed, prompt, verdict or cost; all, unless named.")
    ] = "",
) -> None:
    """Say why a picture came out as it did."""
    with engine() as opened:
        said = opened.explain(run, about)
    emit_prose(*said.split("\n"))
