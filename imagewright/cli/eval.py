"""``imagewright eval``: measurements of the whole system that anyone can repeat."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from imagewright.cli import runs as cli_runs
from imagewright.cli.options import BackendOption, DeviceOption, JsonFlag, ModelsOption, read_whole
from imagewright.cli.terminal.text import emit, emit_json
from imagewright.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Measure what each part adds.")
_MOST = 10_000


@app.callback()
def root() -> None:
    """Measure what each part adds."""


@app.command()
def ablation(
    prompts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Prompts with what they must show, JSONL.")
    ] = None,
    sample: Annotated[str, typer.Option(metavar="N", help="How many prompts.")] = "300",
    prompt_seed: Annotated[
        str | None, typer.Option(metavar="N", help="Other prompts of the same kinds than the fixed ones.")
    ] = None,
    seeds: Annotated[str, typer.Option(metavar="N", help="Pictures for each prompt and arm.")] = "1",
    images: Annotated[Path, typer.Option(metavar="DIR", help="Where pictures and outcomes go.")] = Path("out/ablation"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Draw anew: DIR must hold no earlier run.")] = False,
    only: Annotated[list[str] | None, typer.Option("--arm", metavar="ARM", help="Only this arm; repeatable.")] = None,
    judge: Annotated[str, typer.Option(metavar="NAME", help="exact, or a scorer that grades instead.")] = "exact",
    plain: Annotated[str, typer.Option(metavar="ID", help="The flow of the plain arm.")] = "mini-plain",
    backend: BackendOption = None,
    max_images: Annotated[str, typer.Option(metavar="N", help="The full arm's budget.")] = "6",
    draws: Annotated[str, typer.Option(metavar="N", help="The cap of best-of-n.")] = "4",
    workers: Annotated[
        str | None,
        typer.Option(metavar="N", help="Processes that share the cores; by default one a core, on a CPU, for mini."),
    ] = None,
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
) -> None:
    """The same prompts and seeds through arms with and without each part, judged by the exact checker.

    A run that was stopped goes on with the same command. DIR keeps every picture, named by arm, prompt and seed. The
    flows are those of the index; IMAGEWRIGHT_HOME names another one.
    """
    wanted, number = read_whole("--sample", sample, _MOST), read_whole("--seeds", seeds, 100)
    chosen = None if prompt_seed is None else read_whole("--prompt-seed", prompt_seed, 2**31)
    if prompts is not None and chosen is not None:
        raise BadInput("--prompts and --prompt-seed both say which prompts to draw", "leave one of them out")
    budget, cap = read_whole("--max-images", max_images, 100), read_whole("--draws", draws, 100)
    processes = None if workers is None else read_whole("--workers", workers, 64)
    if 0 in (wanted, number, budget, cap, processes):
        options = "--sample, --seeds, --max-images, --draws and --workers"
        raise BadInput(f"{options} are whole numbers from 1", "leave them out")
    if fresh and images.is_dir() and any(images.rglob("*.cell.json")):
        raise BadInput(f"{images} holds an earlier run", "name another folder, or leave out --fresh to go on with it")
    from imagewright.container import DEFAULT_BACKEND
    from imagewright.evals.ablation import PAIRS, REMOVED, SEED, hold_out, read_cases, write_prompts
    from imagewright.evals.ablation_report import ablation_table, plot
    from imagewright.evals.ablation_run import AblationOrder, arms_of, draw_apart, judge_of, outcomes, workers_for
    from imagewright.evals.paired import report

    made = read_cases(prompts)[:wanted] if prompts else hold_out(wanted, SEED if chosen is None else chosen)
    asked = AblationOrder(
        tuple(made), number, images, plain, budget, cap, judge, backend or DEFAULT_BACKEND, tuple(only or ())
    )
    with cli_runs.engine(models, device) as engine:
        arms = arms_of(engine, asked)
        judge_of(judge)
        write_prompts(made, images)
        base_model = engine.index.get(plain).card.base_model
        processes = processes or workers_for(engine.settings, asked, len(arms), base_model)
        tell = _Told(len(arms) * len(made) * number)
        if processes > 1:
            draw_apart(engine.settings, asked, processes, tell)
        found = []
        for outcome in outcomes(engine, arms, asked):
            found.append(outcome)
            tell(len(found))
    result = report(found, PAIRS, REMOVED)
    (images / "report.json").write_text(json.dumps(asdict(result), indent=1) + "\n", "utf-8")
    plot(result.arms).save(images / "plot.png")
    if as_json:
        emit_json(asdict(result))
    else:
        emit(ablation_table(result.arms, result.pairs, result.removed))
        emit(f"\npictures, outcomes, report.json and plot.png: {images}")


class _Told:
    """Progress on stderr: a line for every hundredth of the cells."""

    def __init__(self, total: int) -> None:
        self._total, self._last = total, 0

    def __call__(self, done: int) -> None:
        if done - self._last >= max(1, self._total // 100):
            self._last = done
            print(f"{done}/{self._total}", file=sys.stderr, flush=True)
