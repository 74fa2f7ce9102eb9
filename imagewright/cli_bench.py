"""``imagewright bench``: measurements of this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from imagewright.cli_options import DeviceOption, JsonFlag, ModelsOption
from imagewright.cli_text import emit, emit_json, render, table

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
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Time our denoising loop against the stock diffusers pipeline on the same weights, in turns, with peak memory."""
    from imagewright.cli_runs import engine

    with engine(models, device) as opened:
        from imagewright.t2i_backends.bench import compare

        found = compare(opened.settings.model_roots, opened.settings.device, checkpoint, size, steps, repeats)
    if as_json:
        emit_json(vars(found))
        return
    rows = [
        ("our loop", f"{1000 * found.ours:.1f} ms", f"{found.ours_peak / 1e6:.0f} MB"),
        ("stock pipeline", f"{1000 * found.stock:.1f} ms", f"{found.stock_peak / 1e6:.0f} MB"),
    ]
    emit(render(table(("what", "a step", "peak memory"), rows, stretch=0)))
    emit(
        f"{checkpoint}, {size} x {size}, {steps} steps on {found.device} in {found.dtype}, "
        f"medians of {repeats} in turns"
    )
    emit(f"overhead {100 * found.overhead:+.1f} %, quartiles {100 * found.low:+.1f} to {100 * found.high:+.1f} %")
