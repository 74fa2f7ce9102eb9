"""``imagewright bench``: measurements of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imagewright.cli.options import DeviceOption, FlowOption, JsonFlag, ModelsOption
from imagewright.cli.terminal.text import emit, emit_json, render, table
from imagewright.errors import BadInput

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
    server: Annotated[
        str | None, typer.Option(metavar="URL|NAME", help="Time a ComfyUI server instead: a bare script against us.")
    ] = None,
    flow: FlowOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Time our denoising loop against the stock diffusers pipeline on the same weights, in turns, with peak memory."""
    from imagewright.cli.runs import engine

    if server is not None:
        _bench_server(server, flow, repeats, as_json)
        return
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


def _bench_server(server: str, flow: str | None, repeats: int, as_json: bool) -> None:
    from imagewright.cli.runs import engine

    if flow is None:
        raise BadInput("no flow is named", "--flow ID: one that the server can run; see: imagewright flows check")
    with engine() as opened:
        found = opened.bench_server(server, flow, repeats=repeats)
    if as_json:
        emit_json(vars(found))
        return
    row = (found.server, found.flow, f"{found.ours:.3f} s", f"{found.bare:.3f} s", f"{100 * found.overhead:+.2f} %")
    emit(render(table(("server", "flow", "ours", "bare script", "overhead"), [row], stretch=1)))
    emit(f"quartiles of the overhead {100 * found.low:+.2f} to {100 * found.high:+.2f} %, {repeats} of each in turns")


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


@app.command("serve")
def bench_serve(
    alone: Annotated[int, typer.Option(metavar="N", min=5, max=100, help="Pictures one at a time.")] = 40,
    together: Annotated[int, typer.Option(metavar="N", min=2, max=250, help="Pictures asked for at once.")] = 200,
    many: Annotated[int, typer.Option(metavar="N", min=0, max=100_000, help="Pictures for the memory.")] = 2000,
    as_json: JsonFlag = False,
) -> None:
    """Measure what `imagewright serve` itself costs, over a backend that costs nothing, in a home of its own."""
    from imagewright.extras import insist_on_extra

    insist_on_extra("serve", "fastapi", "uvicorn", "sse_starlette", "mcp", "httpx")
    from imagewright.serve.bench import bench_server, to_json

    found = bench_server(alone, together, many)
    if as_json:
        emit_json(to_json(found))
        return
    emit(
        f"one at a time: {1000 * found.own_median:.0f} ms a run of its own, {1000 * found.own_p95:.0f} ms at the 95th "
        f"percentile; {found.alone_rate:.1f} a second"
    )
    emit(
        f"{found.together} at once: {found.lost} lost, {found.doubled} doubled, {found.together_rate:.1f} a second; "
        f"{found.most_waiting} waited at most"
    )
    emit(f"imagewright draw at the server: {found.terminal_median:.2f} s from start to end")
    emit(f"{found.many} more: {found.memory_before:.0f} MB before, {found.memory_after:.0f} MB after")


def _row(found: Compared) -> tuple[str, ...]:
    if found.problem:
        return (found.level, found.problem, "", "", "", "", "")
    peaks = (f"{peak / 1e6:.0f} MB" for peak in (found.ours_peak, found.stock_peak, found.text_peak))
    steps = (f"{1000 * seconds:.1f} ms" for seconds in (found.ours, found.stock))
    return (found.level, *steps, f"{100 * found.overhead:+.1f} %", *peaks)
