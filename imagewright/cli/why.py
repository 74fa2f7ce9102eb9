"""``imagewright why`` and ``imagewright runs replay``: what a trace is good for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from imagewright.cli.options import DeviceOption, JsonFlag, ModelsOption
from imagewright.cli.runs import RunArgument, engine
from imagewright.cli.terminal.progress import ProgressLine
from imagewright.cli.terminal.text import clean, emit, emit_json
from imagewright.errors import BadInput

DIFFERENT = 1
"""The exit code of a replay that gave other pixels."""


def why(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="The newest delivered one, unless named.")] = None,
    about: Annotated[
        str, typer.Option(metavar="TOPIC", help="flow, layout, seed, prompt, verdict or cost; all, unless named.")
    ] = "",
) -> None:
    """Say why a picture came out as it did."""
    from imagewright.graph.why import explain
    from imagewright.intents import Topic

    if about not in get_args(Topic):
        raise BadInput(f"there is nothing to say about {about!r}", "topics: flow, layout, seed, prompt, verdict, cost")
    with engine() as opened:
        found = run or next((row.id for row in opened.runs.list(100) if row.result is not None), None)
        if found is None:
            raise BadInput("no run has delivered a picture yet", 'draw something: imagewright draw "a red circle"')
        trace = opened.runs.trace(found)
    emit("\n".join(clean(line) for line in explain(trace, cast(Topic, about)).split("\n")))


def replay_run(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Keep the picture here.")] = None,
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Draw a run's picture again from its trace; exit code 1 where the pixels are not the same."""
    from imagewright.memory.artifacts import write_whole

    if out is not None and (out.suffix.lower() != ".png" or out.exists()):
        raise BadInput(f"{out} is no new .png file", "name a .png file that is not there yet")
    with engine(models, device) as opened:
        with ProgressLine() as progress:
            found = opened.replay(run, on_event=progress)
        if out is not None:
            write_whole(out, opened.store.get(found.image).read_bytes())
    if as_json:
        emit_json(found.model_dump(mode="json"))
    else:
        far = "" if found.mean_difference is None else f" (mean difference {found.mean_difference} of 255)"
        emit(f"the same pixels: {found.image}" if found.same else f"other pixels: {found.image}{far}")
        emit("\n".join(f"differs: {clean(line)}" for line in found.differences)) if found.differences else None
    if not found.same:
        raise typer.Exit(DIFFERENT)
