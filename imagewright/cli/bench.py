"""``imagewright bench``: measurements of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imagewright.cli.options import DeviceOption, JsonFlag, ModelsOption
from imagewright.cli.terminal.text import emit, emit_json, render, table

if TYPE_CHECKING:
    from imagewright.api import Compared

app = typer.Typer(help="Measure what this machine does.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure what this machine does."""


@app.command("backend")
def bench_backend(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="A diffusers folder, or random:flux-dev…")
    ] = "mini",
    size: Annotated[int, typer.Option(metavar="N", min=16, max=2048, help="The side of the picture in pixels.")] = 64,
    steps: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Steps of each picture.")] = 10,
    repeats: Annotated[int, typer.Option(metavar="N", min=3, max=100, help="Pictures of each, in turns.")] = 7,
    levels: Annotated[
        str, typer.Option(metavar="LIST", help="Offload levels: none,model,group; all on a GPU, else none.")
    ] = "",
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Time our denoising loop against the stock diffusers pipeline on the same weights, in turns, with peak memory."""
    from imagewright.cli.runs import engine

    with engine(models, device) as opened:
        asked, about, found = opened.bench_backend(checkpoint, size=size, steps=steps, repeats=repeats, levels=levels)
    if as_json:
        emit_json({**vars(asked), **about, "levels": [vars(one) for one in found]})
        return
    head = ("offload", "a step", "stock", "overhead", "peak", "stock", "text")
    emit(render(table(head, [_row(one) for one in found], stretch=1)))
    for one in found:
        if not one.problem:
            emit(f"{one.level}: quartiles of the overhead {100 * one.low:+.1f} to {100 * one.high:+.1f} %")
    on = f"{about['device']} {about['gpu']}".strip()
    emit(f"{checkpoint}, {size} x {size}, {steps} steps on {on} in {about['dtype']}, medians of {repeats} in turns")


@app.command("request")
def bench_request(
    requests: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many prompts to draw.")] = 20,
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Time what a warm request costs around its picture: without drawing it and without the critic's looking."""
    from imagewright.cli.runs import engine
    from imagewright.evals.around import format_around, measure_around

    with engine(models, device) as opened:
        found = measure_around(opened, requests)
    if as_json:
        emit_json(vars(found))
    else:
        emit(format_around(found))


def _row(found: Compared) -> tuple[str, ...]:
    if found.problem:
        return (found.level, found.problem, "", "", "", "", "")
    peaks = (f"{peak / 1e6:.0f} MB" for peak in (found.ours_peak, found.stock_peak, found.text_peak))
    steps = (f"{1000 * seconds:.1f} ms" for seconds in (found.ours, found.stock))
    return (found.level, *steps, f"{100 * found.overhead:+.1f} %", *peaks)
