"""``imagewright eval``: measurements of the whole system that anyone can repeat."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagewright import cli_runs
from imagewright.cli_options import BackendOption, DeviceOption, JsonFlag, ModelsOption, read_whole
from imagewright.cli_text import emit, emit_json
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.container import Imagewright
    from imagewright.evals.ablation import Arm, Judge
    from imagewright.evals.mini_report import Case

app = typer.Typer(no_args_is_help=True, help="Measure what each part adds.")
MOST = 10_000


@app.callback()
def root() -> None:
    """Measure what each part adds."""


@app.command()
def ablation(
    prompts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Prompts with what they must show, JSONL.")
    ] = None,
    sample: Annotated[str, typer.Option(metavar="N", help="How many prompts.")] = "300",
    seeds: Annotated[str, typer.Option(metavar="N", help="Pictures for each prompt and arm.")] = "1",
    images: Annotated[Path, typer.Option(metavar="DIR", help="Where pictures and outcomes go.")] = Path("out/ablation"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Draw anew: DIR must hold no earlier run.")] = False,
    only: Annotated[list[str] | None, typer.Option("--arm", metavar="ARM", help="Only this arm; repeatable.")] = None,
    judge: Annotated[str, typer.Option(metavar="NAME", help="exact, or a scorer that grades instead.")] = "exact",
    plain: Annotated[str, typer.Option(metavar="ID", help="The flow of the plain arm.")] = "mini-plain",
    backend: BackendOption = None,
    max_images: Annotated[str, typer.Option(metavar="N", help="The full arm's budget.")] = "6",
    draws: Annotated[str, typer.Option(metavar="N", help="The cap of best-of-n.")] = "4",
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
) -> None:
    """The same prompts and seeds through arms with and without each part, judged by the exact checker.

    A run that was stopped goes on with the same command. DIR keeps every picture, named by arm, prompt and seed. The
    flows are those of the index; IMAGEWRIGHT_HOME names another one.
    """
    wanted, number = read_whole("--sample", sample, MOST), read_whole("--seeds", seeds, 100)
    budget, cap = read_whole("--max-images", max_images, 100), read_whole("--draws", draws, 100)
    if not all((wanted, number, budget, cap)):
        raise BadInput("--sample, --seeds, --max-images and --draws are whole numbers from 1", "leave them out")
    if fresh and images.is_dir() and any(images.rglob("*.cell.json")):
        raise BadInput(f"{images} holds an earlier run", "name another folder, or leave out --fresh to go on with it")
    from imagewright.container import DEFAULT_BACKEND
    from imagewright.evals.ablation import PAIRS, Setting, held_out, read_prompts, run_all
    from imagewright.evals.ablation_report import plot, table
    from imagewright.evals.paired import Outcome, report
    from imagewright.evals.sharing import SharingEngine
    from imagewright.t2i_backends.mini.editions import SHIPPED

    made = (read_prompts(prompts) if prompts else held_out(SHIPPED, wanted))[:wanted]
    with cli_runs.engine(models, device) as engine:
        arms = _arms(engine, made, plain, budget, cap, backend, only)
        outcomes: list[Outcome] = []
        total = len(arms) * len(made) * number
        setting = Setting(_judge(judge), judge, _measured(engine))
        sharing = SharingEngine(engine, backend or DEFAULT_BACKEND)
        for outcome in run_all(sharing, arms, made, range(number), setting, images):
            outcomes.append(outcome)
            if len(outcomes) % max(1, total // 100) == 0:
                print(f"{len(outcomes)}/{total} {outcome.arm}", file=sys.stderr, flush=True)
    result = report(outcomes, PAIRS)
    (images / "report.json").write_text(json.dumps(asdict(result), indent=1) + "\n", "utf-8")
    plot(result.arms).save(images / "plot.png")
    if as_json:
        emit_json(asdict(result))
    else:
        emit(table(result.arms, result.pairs))
        emit(f"\npictures, outcomes, report.json and plot.png: {images}")


def _arms(
    engine: Imagewright, made: list[Case], plain: str, budget: int, cap: int, backend: str | None,
    only: list[str] | None,
) -> tuple[Arm, ...]:  # fmt: skip
    """The arms, with the table of the index's evidence on the backend behind them."""
    from imagewright.container import DEFAULT_BACKEND
    from imagewright.evals.ablation import arms, table_of

    engine.index.get(plain)
    evidence = engine.index.evidence_for(backend=engine.backend(backend or DEFAULT_BACKEND).name)
    labels = engine.index.prompt_facts()
    categories = {case.prompt: engine.plan(case.prompt).categories for case in made}
    found = arms(table_of(evidence, {p: f.categories for p, f in labels.items()}, categories), plain, budget, cap)
    unknown = sorted({*(only or ())} - {arm.name for arm in found})
    if unknown:
        raise BadInput(f"no arm is called {unknown[0]!r}", f"arms: {', '.join(arm.name for arm in found)}")
    return tuple(replace(arm, backend=backend) for arm in found if not only or arm.name in only)


def _measured(engine: Imagewright) -> str:
    """A digest of what choices and pictures rest on: flows, evidence, the flows' weights, the number format."""
    from imagewright.t2i_backends.model_files import ModelFiles
    from imagewright.tools.sweep import weights

    flows, settings = engine.index.list(), engine.settings
    lines = sorted(item.model_dump_json() for item in (*flows, *engine.index.evidence_for()))
    lines += sorted(set(weights(flows, ModelFiles(settings.model_roots), settings.device).values()))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _judge(name: str) -> Judge:
    from imagewright.evals.ablation import judge_exactly
    from imagewright.t2i_backends.mini.editions import SHIPPED

    if name == "exact":
        return judge_exactly(SHIPPED)
    from imagewright import registry
    from imagewright.agents.rules.parse import parse_prompt

    scorer = registry.load("scorers", name)()
    return lambda case, image: float(scorer.score(case.prompt, parse_prompt(case.prompt), image))
