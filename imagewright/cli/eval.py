"""``imagewright eval``: measurements of the whole system that anyone can repeat."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from imagewright.cli import runs as cli_runs
from imagewright.cli.options import BackendOption, DeviceOption, JsonFlag, ModelsOption, read_whole
from imagewright.cli.terminal.text import emit, emit_json
from imagewright.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Measure what each part adds.")
DataOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", envvar="IMAGEWRIGHT_DATA", help="Holds geneval/ and t2i-compbench/."),
]
FileOption = Annotated[
    Path | None, typer.Option("--evidence", metavar="FILE", help="Evidence or a score matrix (default: what ships).")
]
FlowsOption = Annotated[
    Path | None, typer.Option("--flows", metavar="DIR", help="The flows' files (default: the index's flows).")
]
_MOST = 10_000


@app.callback()
def root() -> None:
    """Measure what each part adds."""


@app.command()
def plain(
    things: Annotated[str, typer.Option(metavar="N", help="How many of the world's things.")] = "14",
    forms: Annotated[
        str, typer.Option(metavar="LIST", help="Of: bare, a, two, three, four.")
    ] = "bare,a,two,three,four",
    seeds: Annotated[str, typer.Option(metavar="N", help="Pictures for each prompt and arm.")] = "1",
    images: Annotated[Path, typer.Option(metavar="DIR", help="Where pictures and outcomes go.")] = Path("out/plain"),
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Plain prompts ("a house") beside the same with colour and background named, judged by the exact checker.

    A run that was stopped goes on with the same command. The flows are those of the index.
    """
    from imagewright.evals.plain_prompts import FORMS, THINGS, report_plain, sweep_plain, tell_report

    wanted = [form.strip() for form in forms.split(",")]
    if unknown := [form for form in wanted if form not in FORMS]:
        raise BadInput(f"no form is called {unknown[0][:40]!r}", f"forms: {', '.join(FORMS)}")
    number, count = read_whole("--things", things, len(THINGS)), read_whole("--seeds", seeds, 100)
    if 0 in (number, count):
        raise BadInput("--things and --seeds are whole numbers from 1", "leave them out")
    images.mkdir(parents=True, exist_ok=True)
    with cli_runs.engine(models, device) as engine:
        tell, cells = _Told(2 * number * len(wanted) * count), []
        for cell in sweep_plain(engine, images, THINGS[:number], wanted, count):
            cells.append(cell)
            tell(len(cells))
    report = report_plain(cells)
    emit_json(asdict(report)) if as_json else emit(tell_report(report))


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
    from imagewright.api import DEFAULT_BACKEND
    from imagewright.evals.ablation import PAIRS, REMOVED, choose_cases, write_prompts
    from imagewright.evals.ablation_report import ablation_table, plot
    from imagewright.evals.ablation_run import AblationOrder, arms_of, draw_apart, judge_of, outcomes, workers_for
    from imagewright.evals.paired import report

    made = choose_cases(prompts, wanted, chosen, judge)
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


# --- what the agents cost, and how well the rules place -----------------------------------


@app.command()
def tokens(as_json: JsonFlag = False) -> None:
    """Print the tokens that each agent reads for one request, beside a table in context."""
    from imagewright.evals import tokens as evals

    rows = evals.measure_tokens(evals.wordpieces())
    if as_json:
        table = [
            {"agent": row.agent, **dict(zip(map(str, evals.INDEX_SIZES), row.tokens, strict=True))} for row in rows
        ]
        return emit_json({"limit": evals.LIMIT, "rows": table})
    lines = [f"{'tokens read, by flows in the index':<36}{''.join(f'{size:>12,}' for size in evals.INDEX_SIZES)}"]
    lines += [f"{row.agent:<36}{''.join(f'{n:>12,}' for n in row.tokens)}" for row in rows]
    return emit("\n".join(lines))


@app.command()
def layouts(
    data: DataOption = None,
    failures: Annotated[bool, typer.Option("--failures", help="Also print what was not laid out as asked.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Lay out the prompts of GenEval and T2I-CompBench by rules and say how many are as asked."""
    from imagewright.evals.layouts import evaluate_sets

    if data is None:
        raise BadInput("no benchmark data", "give --data DIR or set IMAGEWRIGHT_DATA")
    scores = evaluate_sets(data)
    if as_json:
        return emit_json(
            [{"set": s.name, "passed": s.passed, "total": s.total, "failures": s.failures} for s in scores]
        )
    emit("\n".join(score.line for score in scores))
    if failures:
        emit("\n".join(line for score in scores for line in score.failures) or "none failed")
    return None


# --- what the evidence is worth on prompts that it does not hold --------------------------


@app.command()
def selection(
    evidence: FileOption = None,
    flows: FlowsOption = None,
    folds: Annotated[str, typer.Option(metavar="N", help="How many parts are held out in turn.")] = "5",
    new_things: Annotated[
        bool, typer.Option("--new-things", help="Hold out whole combinations of things, not single prompts.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """How well the evidence predicts prompts that it does not hold: intervals, and each rule's choice. Draws nothing.

    Scores are the evidence's own, so this tells rules of choosing apart and judges no picture; ``eval ablation`` does.
    """
    parts = read_whole("--folds", folds, 100)
    if parts < 2:
        raise BadInput("--folds must be a whole number from 2", "leave it out for 5")
    from imagewright.evals import selection as held_out
    from imagewright.evals.matrix import flows_in

    scores = held_out.read_evidence(evidence)
    with cli_runs.engine(None, None) as engine, tempfile.TemporaryDirectory() as home:
        known = list(engine.index.list()) if flows is None else flows_in(flows, None)
        key = held_out.by_things if new_things else held_out.by_prompt
        cells, outcomes = held_out.predict(scores, known, engine.index.embedder, Path(home), parts, key)
    result = held_out.report_selection(cells, outcomes, scores)
    return emit_json(result.as_json()) if as_json else emit(result.table())


_MOST_FLOWS, _MOST_SCORES = 1_000_000, 10_000_000


@app.command("scale")
def measure_scaling(
    flows: Annotated[str, typer.Option(metavar="N,N…", help="The sizes.")] = "310,10000,100000",
    evidence: Annotated[str, typer.Option(metavar="N", help="Scores of 100,000 flows.")] = "1000000",
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="Where the made-up indexes are kept.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Choose among made-up flows by the hundred thousand: times, memory, disk, tokens, and what retrieving loses.

    The first run makes the indexes, which takes minutes and a gigabyte or two; they are kept for the next.
    """
    sizes = [read_whole("--flows", each, _MOST_FLOWS) for each in flows.split(",")]
    scores = read_whole("--evidence", evidence, _MOST_SCORES)
    if 0 in (*sizes, scores):
        raise BadInput("--flows and --evidence are whole numbers from 1", "leave them out")
    from imagewright.evals.scale import format_scale, measure_scale

    with cli_runs.engine(None, None) as engine:
        home = folder or engine.settings.data_dir / "made-up"
    rows = list(measure_scale(sizes, scores, home))
    if as_json:
        emit_json({"sizes": [asdict(row) for row in rows]})
    else:
        emit(format_scale(rows))


@app.command("adding")
def measure_writing(
    flows: Annotated[str, typer.Option(metavar="N", help="How many workflows; 0 for none.")] = "10000",
    scores: Annotated[str, typer.Option(metavar="N", help="How many scores; 0 for none.")] = "1000000",
    kills: Annotated[str, typer.Option(metavar="N", help="Add them again, with so many kill -9 on the way.")] = "0",
    as_json: JsonFlag = False,
) -> None:
    """Add made-up workflows and learn made-up scores: whether the rate falls and memory grows, and what kill -9 loses.

    Nothing is kept. 10,000 workflows and a million scores take some ten minutes on two cores.
    """
    many, rows = read_whole("--flows", flows, _MOST_FLOWS), read_whole("--scores", scores, _MOST_SCORES)
    if 0 < many < 100 or 0 < rows < 100:
        raise BadInput("--flows and --scores are 0, or whole numbers from 100", "leave them out")
    from imagewright.evals.adding import format_adding, measure_adding

    found = list(measure_adding(many, rows, read_whole("--kills", kills, 100)))
    if as_json:
        emit_json({"work": [{**asdict(row), "rate": row.rate} for row in found]})
    else:
        emit(format_adding(found))


@app.command("page")
def measure_first_use(
    repeats: Annotated[str, typer.Option(metavar="N", help="How often each view is opened, cold and warm.")] = "5",
    as_json: JsonFlag = False,
) -> None:
    """Open each view of the page in Chromium: bytes, requests, first content, first use, layout shift.

    The server is one of its own over a backend that draws at once, with three pictures.
    """
    count = read_whole("--repeats", repeats, 1000)
    if count == 0:
        raise BadInput("--repeats is a whole number from 1", "leave it out")
    from imagewright.evals import page

    with page.open_browser() as browser:
        from imagewright.serve.bench import draw_some, run_no_cost

        with tempfile.TemporaryDirectory(prefix="imagewright-page-") as home, run_no_cost(Path(home)) as (http, _):
            draw_some(http, 3)
            token = http.headers["authorization"].removeprefix("Bearer ")
            found = page.measure_page(browser, str(http.base_url).rstrip("/"), token, count)
    return emit_json({"views": page.to_json(found)}) if as_json else emit(page.format_page(found))
