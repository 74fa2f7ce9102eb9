"""The ablation at work: its arms on an engine's evidence, in this process or shared out among several.

A finished cell is a file, so processes need not know of each other: each draws its share of the prompts, and the one
that started them reads what all have made.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

from imagewright import registry
from imagewright.api import DEFAULT_BACKEND, Imagewright
from imagewright.errors import BadInput, CannotDraw, Fault, ImagewrightError
from imagewright.evals.ablation import Arm, CellSetting, Judge, arms, cells, judge_exactly, table_of
from imagewright.evals.mini_report import ReportCase
from imagewright.evals.paired import ArmOutcome
from imagewright.evals.sharing import SharingEngine
from imagewright.ports import Critic
from imagewright.schemas import MINI, DrawRequest
from imagewright.settings import Settings
from imagewright.t2i_backends.models.devices import runs_on_cpu
from imagewright.t2i_backends.models.model_files import ModelFiles
from imagewright.tools.sweep import weights

_MOST_WORKERS, _CELLS_A_WORKER = 8, 20
_LOOK_SECONDS = 2.0
"""How often the processes are looked after, unless one of them has something to say or ends."""


@dataclass(frozen=True)
class AblationOrder:
    """What an ablation is to draw and how it is judged: plain values, which another process can be given."""

    cases: tuple[ReportCase, ...]
    seeds: int
    images: Path
    """The folder of pictures and outcomes."""
    plain: str
    """The flow of the plain arm."""
    max_images: int
    """The full arm's budget."""
    draws: int
    """The cap of best-of-n."""
    judge: str = "exact"
    """``exact``, or the name of a scorer."""
    backend: str = DEFAULT_BACKEND
    only: tuple[str, ...] = ()
    """The arms to draw; all where none is named."""


def outcomes(engine: Imagewright, wanted: Sequence[Arm], asked: AblationOrder) -> Iterator[ArmOutcome]:
    """Every cell of the arms ``wanted``, drawn where it is not there yet.

    Raises:
        BadInput: there is no such judge.
        CannotDraw: an arm's flow cannot run here.
    """
    setting = CellSetting(judge_of(asked.judge), asked.judge, _measured(engine))
    sharing = SharingEngine(engine, asked.backend)
    yield from cells(sharing, wanted, asked.cases, range(asked.seeds), setting, asked.images)


def arms_of(engine: Imagewright, asked: AblationOrder) -> tuple[Arm, ...]:
    """The arms, with the table of the index's evidence on the backend behind them.

    Raises:
        BadInput: there is no such flow, arm or backend, or no evidence.
    """
    engine.index.get(asked.plain)
    evidence = engine.index.evidence_for(backend=engine.backend(asked.backend).name)
    labels = {prompt: facts.categories for prompt, facts in engine.index.prompt_facts().items()}
    table = table_of(evidence, labels, _categories(engine, asked.cases))
    found = arms(table, asked.plain, asked.max_images, asked.draws)
    unknown = sorted({*asked.only} - {arm.name for arm in found})
    if unknown:
        raise BadInput(f"no arm is called {unknown[0]!r}", f"arms: {', '.join(arm.name for arm in found)}")
    return tuple(replace(arm, backend=asked.backend) for arm in found if not asked.only or arm.name in asked.only)


def _categories(engine: Imagewright, made: tuple[ReportCase, ...]) -> dict[str, tuple[str, ...]]:
    parts = engine.container.parts(DrawRequest(prompt="a picture"))
    parsed = {case.prompt: parts.planner.plan(case.prompt).parsed for case in made}
    return {prompt: parts.categorizer.categorize(prompt, facts).labels for prompt, facts in parsed.items()}


def _measured(engine: Imagewright) -> str:
    """A digest of what choices, pictures and verdicts rest on: flows, evidence, weights, critics, the number format."""
    flows, settings = engine.index.list(), engine.settings
    critic = engine.container.parts(DrawRequest(prompt="a picture")).critic
    lines = sorted(item.model_dump_json() for item in (*flows, *engine.index.evidence_for()))
    lines += sorted(set(weights(flows, ModelFiles(settings.model_roots), settings.device).values()))
    lines += sorted({_eye(critic(flow)) for flow in flows} if critic else ())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _eye(critic: Critic) -> str:
    """The detector that a critic looks with, by the name that tells its weights; the critic's kind without one."""
    return str(getattr(getattr(critic, "detector", None), "name", type(critic).__name__))


def judge_of(name: str) -> Judge:
    """The judge called ``name``: the exact checker, or a scorer.

    Raises:
        BadInput: there is no such scorer.
    """
    if name == "exact":
        return judge_exactly
    from imagewright.agents.reading.parse import parse_prompt

    scorer = registry.load("scorers", name)()
    return lambda case, image: float(scorer.score(case.prompt, parse_prompt(case.prompt), image))


# --- several processes ----------------------------------------------------------------------


def workers_for(settings: Settings, asked: AblationOrder, arms: int, base_model: str) -> int:
    """How many processes suit a run where nobody says: one a core for the small model on a CPU, else one.

    A process takes seconds and most of a gigabyte to start: a run of few cells has one, and none has more than eight.
    """
    if base_model != MINI or not runs_on_cpu(settings.device):
        return 1
    return max(1, min(_cores(), _MOST_WORKERS, arms * len(asked.cases) * asked.seeds // _CELLS_A_WORKER))


def _cores() -> int:
    return os.cpu_count() or 1


def draw_apart(settings: Settings, asked: AblationOrder, workers: int, on_progress: Callable[[int], None]) -> None:
    """Draw every cell that is not there yet in ``workers`` processes, which share this machine's cores.

    ``on_progress`` hears now and then how many cells are finished.

    Raises:
        ImagewrightError: what one of them ended with; the others are stopped.
    """
    context = multiprocessing.get_context("spawn")
    heard, said = context.Pipe(duplex=False)
    done = context.Array("i", workers, lock=False)
    shares = [replace(asked, cases=asked.cases[first::workers]) for first in range(workers)]
    processes = [
        context.Process(target=_work, args=(settings, share, number, said, done), daemon=True)
        for number, share in enumerate(shares)
        if share.cases
    ]
    for process in processes:
        process.start()
    try:
        at_work = True
        while at_work:
            wait([heard, *(process.sentinel for process in processes if process.is_alive())], _LOOK_SECONDS)
            at_work = any(process.is_alive() for process in processes)
            on_progress(sum(done))
            if heard.poll():
                raise CannotDraw(*heard.recv())
            if any(process.exitcode for process in processes):
                raise Fault("one of the processes that draw has failed; its error stands above")
    finally:
        for process in processes:
            process.terminate()


def _work(settings: Settings, asked: AblationOrder, number: int, said: Connection, done: MutableSequence[int]) -> None:
    """Draw a share of the prompts, and count in ``done[number]``; end as soon as nobody waits for it any more."""
    import torch

    torch.set_num_threads(max(1, _cores() // len(done)))
    parent = multiprocessing.parent_process()
    try:
        with closing(Imagewright(settings)) as engine:
            for _ in outcomes(engine, arms_of(engine, asked), asked):
                done[number] += 1
                if parent is not None and not parent.is_alive():
                    return
    except ImagewrightError as error:
        said.send((str(error), error.remedy))
    except KeyboardInterrupt:
        return
