"""The ``imagewright`` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagewright.cli import bench as cli_bench
from imagewright.cli import chat as cli_chat
from imagewright.cli import comfyui as cli_comfyui
from imagewright.cli import doctor as cli_doctor
from imagewright.cli import eval as cli_eval
from imagewright.cli import eval_llm as cli_eval_llm
from imagewright.cli import eval_scale as cli_eval_scale
from imagewright.cli import eval_selection as cli_eval_selection
from imagewright.cli import flow_edit as cli_flow_edit
from imagewright.cli import flows as cli_flows
from imagewright.cli import models as cli_models
from imagewright.cli import runs as cli_runs
from imagewright.cli import threads as cli_threads
from imagewright.cli import why as cli_why
from imagewright.cli.boundary import guard
from imagewright.cli.options import (
    LARGEST_SEED,
    MOST_IMAGES,
    BackendOption,
    CategoriesOption,
    DeviceOption,
    FlowOption,
    JsonFlag,
    LayoutOption,
    LlmOption,
    ModelsOption,
    PolishOption,
    QuietFlag,
    ThreadOption,
    parents_of,
    read_money,
    read_out,
    read_prompt,
    read_prompts,
    read_seconds,
    read_size,
    read_tokens,
    read_whole,
)
from imagewright.cli.terminal.text import emit, emit_json, render
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.schemas import DrawRequest

app = typer.Typer(
    name="imagewright",
    help="Finds the text-to-image workflow that has measurably served prompts like yours best, and runs it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
cli_flows.app.command("edit")(cli_flow_edit.edit_flow)
app.add_typer(cli_flows.app, name="flows")
app.add_typer(cli_models.app, name="models")
app.add_typer(cli_bench.app, name="bench")
app.add_typer(cli_runs.app, name="runs")
cli_eval_llm.add_to(cli_eval.app)
cli_eval_selection.add_to(cli_eval.app)
cli_eval_scale.add_to(cli_eval.app)
app.add_typer(cli_eval.app, name="eval")
app.add_typer(cli_comfyui.app, name="comfyui")
app.add_typer(cli_threads.app, name="threads")
app.add_typer(cli_threads.prefs, name="prefs")
app.command("chat")(cli_chat.chat)
app.command("why")(cli_why.why)
app.command("doctor")(cli_doctor.doctor)
app.add_typer(cli_doctor.config, name="config")
cli_runs.app.command("replay")(cli_why.replay_run)


def _version(wanted: bool) -> None:
    if wanted:
        from imagewright import __version__

        emit(f"imagewright {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Say what to draw; the best flow for it that can run here is chosen, laid out, drawn, checked and repaired."""


@app.command()
def draw(
    prompt: Annotated[str | None, typer.Argument(metavar="PROMPT", help="What to draw; - is standard input.")] = None,
    out: Annotated[str | None, typer.Option(metavar="PATH", help="A .png file, or a folder for a new one.")] = None,
    seed: Annotated[str | None, typer.Option(metavar="N", help="The same seed draws the same picture.")] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="In pixels: 64, or 96x64.")] = None,
    flow: FlowOption = None,
    backend: BackendOption = None,
    categories: CategoriesOption = True,
    layout: LayoutOption = True,
    critic: Annotated[bool, typer.Option("--critic/--no-critic", help="Check the picture and repair it.")] = True,
    max_images: Annotated[str, typer.Option(metavar="N", help="Pictures to make at most.")] = "4",
    max_seconds: Annotated[str | None, typer.Option(metavar="S", help="Seconds to take at most.")] = None,
    max_tokens: Annotated[str | None, typer.Option(metavar="N", help="Tokens for language models at most.")] = None,
    max_money: Annotated[str | None, typer.Option(metavar="USD", help="What they may cost at most.")] = None,
    thread: ThreadOption = None,
    llm: LlmOption = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Draw what can be drawn of the prompt.")] = False,
    polish: PolishOption = False,
    strip: Annotated[bool, typer.Option("--strip", help="Leave prompt, flow and trace out of the PNG.")] = False,
    batch: Annotated[str | None, typer.Option(metavar="FILE", help="Draw each line of FILE into --out.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; draw nothing.")] = False,
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Draw PROMPT and tell how it came about."""
    if (prompt is None) == (batch is None):
        raise BadInput("draw takes either a PROMPT or --batch FILE", "see: imagewright draw --help")
    text = read_prompt(prompt) if prompt is not None else "a batch"
    width, height = read_size(size)
    whole_seed = None if seed is None else read_whole("--seed", seed, LARGEST_SEED)
    images, seconds = read_whole("--max-images", max_images, MOST_IMAGES), read_seconds(max_seconds)
    tokens, money = read_tokens(max_tokens), read_money(max_money)
    from imagewright.schemas import DrawRequest

    request = DrawRequest(
        prompt=text,
        seed=whole_seed,
        width=width,
        height=height,
        flow=flow,
        backend=backend,
        use_categories=categories,
        use_layout=layout,
        use_critic=critic,
        max_images=images,
        max_seconds=seconds,
        max_tokens=tokens,
        max_money=money,
        thread=thread,
        llm=llm,
        polish=polish,
        strip=strip,
        anyway=anyway,
    )
    if dry_run:
        texts = [text] if batch is None else read_prompts(batch)
        _tell_plans([request.model_copy(update={"prompt": one}) for one in texts], models, device, as_json=as_json)
        return
    path = read_out(out, text) if batch is None else Path(out or "batch").expanduser()
    request = request.model_copy(update={"out": str(path)})
    if batch is not None:
        from imagewright.cli.batch import draw_batch

        with cli_runs.engine(models, device) as engine:
            draw_batch(engine, batch, path, request, as_json=as_json, quiet=quiet)
        return
    _draw(request, path, models, device, as_json=as_json, quiet=quiet)


def _draw(
    request: DrawRequest, path: Path, models: list[Path] | None, device: str | None, *, as_json: bool, quiet: bool
) -> None:
    with parents_of(path), cli_runs.engine(models, device) as engine:
        if request.flow is not None:
            engine.index.get(request.flow)
        result = cli_runs.follow(lambda listen: engine.draw(request, on_event=listen), quiet=quiet)
    cli_runs.show_result(result, as_json=as_json, quiet=quiet)


@app.command()
def plan(
    prompt: Annotated[str | None, typer.Argument(metavar="PROMPT", help="- reads standard input.")] = None,
    from_file: Annotated[str | None, typer.Option(metavar="FILE", help="One prompt a line; - is stdin.")] = None,
    llm: LlmOption = None,
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what PROMPT would be drawn with and where things would go. Draws nothing."""
    if (prompt is None) == (from_file is None):
        raise BadInput("plan takes either a PROMPT or --from-file FILE", "see: imagewright plan --help")
    prompts = [read_prompt(prompt)] if prompt is not None else read_prompts(from_file or "-")
    from imagewright.schemas import DrawRequest

    requests = [DrawRequest(prompt=one, llm=llm) for one in prompts]
    _tell_plans(requests, models, device, as_json=as_json, lines=from_file is not None)


def _tell_plans(
    requests: list[DrawRequest], models: list[Path] | None, device: str | None, *, as_json: bool, lines: bool = False
) -> None:
    """Plan each request and tell it: as one line of JSON, as JSON, or as its story."""
    with cli_runs.engine(models, device) as engine:
        for request in requests:
            planned = engine.plan(request)
            if lines:
                emit_json(planned.model_dump(mode="json"), indent=None)
            elif as_json:
                emit_json(planned.model_dump(mode="json"))
            else:
                from imagewright.cli.story import tell_plan

                emit(render(tell_plan(planned)))


def main() -> None:
    """The console script: run the command that was typed and exit with its code."""
    if "_IMAGEWRIGHT_COMPLETE" in os.environ:
        app()
    argv = sys.argv[1:]
    command = typer.main.get_command(app)
    sys.exit(guard(argv, lambda: command.invoke(command.make_context("imagewright", list(argv)))))


if __name__ == "__main__":
    main()
