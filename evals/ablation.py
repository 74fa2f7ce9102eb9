"""What each part of imagewright adds: the same prompts and seeds through arms that have it and arms that have not.

``imagewright eval ablation`` runs it. Pictures are judged by the exact checker of the world that the prompts come from,
which neither scored the evidence nor advises the loop. Every finished cell is kept under DIR with its picture, named by
arm, prompt and seed, so that a killed run goes on where it stopped and anyone can judge by other means.
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from PIL import Image

from imagewright import untrusted
from imagewright.errors import BadInput, CannotDraw
from imagewright.evals.ablation_prompts import EXACT, read_cases
from imagewright.evals.exact_checker import look
from imagewright.evals.mini_report import ROWS, ReportCase, Row, cases, complaints
from imagewright.evals.paired import ArmOutcome
from imagewright.memory.artifacts import write_whole
from imagewright.schemas import DrawRequest, Evidence, RunResult

SEED = 7_200
"""Seeds the held-out prompts; apart from those of training, sweep, report and of every earlier ablation."""
_SEVERAL = ((2, 1), (1, 2), (2, 2), (3, 1), (1, 3), (3, 2), (2, 3))
PROMPT_KINDS: tuple[Row, ...] = (
    *(replace(row, prompts=50) for row in ROWS),
    Row("two kinds, 3-5 things", 200, _SEVERAL),
    Row("two kinds, 3-5 things, related", 200, _SEVERAL, related=True),
    Row("three kinds", 200, ((1, 1, 1), (2, 1, 1), (1, 2, 1))),
    Row("four kinds", 200, ((1, 1, 1, 1),)),
)
"""What is asked for, and how often: the rows of the report, which a plain call mostly gets right, and harder ones.

The shares were set on the prompts of another seed, so that the plain call gets about three in four right."""
Judge = Callable[[ReportCase, Image.Image], float]


class Engine(Protocol):
    """What an arm needs of imagewright."""

    def draw(self, prompt: DrawRequest) -> RunResult:
        """Draw one request."""
        ...


@dataclass(frozen=True)
class Arm:
    """A way to draw a prompt."""

    name: str
    flow: Callable[[ReportCase], str | None]
    """The flow for a prompt; None lets the selector choose."""
    categories: bool = True
    layout: bool | Literal["always"] = True
    """Whether flows that were measured with a layout get one; ``always``: all flows do."""
    critic: bool = False
    images: int = 1
    draws: int = 1
    """Best-of-N: so many runs of one picture, until the critic accepts one."""
    backend: str | None = None
    """What draws; None for the default."""


@dataclass(frozen=True)
class FlowMeans:
    """What the evidence says of flows: their means, overall and by category."""

    means: Mapping[str, float]
    by_category: Mapping[str, Mapping[str, float]]
    categories: Mapping[str, tuple[str, ...]]
    """The categories of each prompt that will be drawn."""

    @property
    def best(self) -> str:
        """The flow with the best mean."""
        return max(sorted(self.means), key=lambda flow: self.means[flow])

    def best_for(self, prompt: str) -> str:
        """The flow with the best mean over a prompt's categories (ComfyGen-IC's table); the best one without any."""
        tables = [self.by_category[c] for c in self.categories.get(prompt, ()) if c in self.by_category]
        flows = sorted({flow for table in tables for flow in table})
        if not flows:
            return self.best
        return max(flows, key=lambda flow: sum(t.get(flow, 0.0) for t in tables) / len(tables))


def table_of(
    evidence: Sequence[Evidence], labels: Mapping[str, tuple[str, ...]], categories: Mapping[str, tuple[str, ...]]
) -> FlowMeans:
    """The table of ``evidence``, whose prompts bear ``labels``.

    Raises:
        BadInput: there is no evidence.
    """
    if not evidence:
        raise BadInput("there is no evidence to choose flows by", "measure some: python -m imagewright.evals.matrix")
    values: dict[str, list[float]] = {}
    cells: dict[str, dict[str, list[float]]] = {}
    for row in evidence:
        values.setdefault(row.flow, []).append(row.value)
        for label in labels.get(row.prompt, ()):
            cells.setdefault(label, {}).setdefault(row.flow, []).append(row.value)
    by_category = {label: {f: _mean(v) for f, v in flows.items()} for label, flows in cells.items()}
    return FlowMeans({flow: _mean(v) for flow, v in values.items()}, by_category, categories)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def arms(table: FlowMeans, plain: str, images: int, draws: int) -> tuple[Arm, ...]:
    """All arms: ``plain`` names the plain call's flow, ``images`` the full arm's budget, ``draws`` best-of-n's cap."""
    flows = sorted(table.means)

    def any_flow(case: ReportCase) -> str:
        return random.Random(f"random/{case.prompt}").choice(flows)

    def best(case: ReportCase) -> str:
        return table.best

    def chosen(case: ReportCase) -> None:
        return None

    return (
        Arm("plain", lambda case: plain),
        Arm("best-fixed", best),
        Arm("random", any_flow),
        Arm("category-table", lambda case: table.best_for(case.prompt)),
        Arm("selected", chosen),
        Arm("selected+layout", chosen, layout="always"),
        Arm("full", chosen, critic=True, images=images),
        Arm("best-of-n", best, critic=True, draws=draws),
        Arm("full without categorizer", chosen, categories=False, critic=True, images=images),
        Arm("full without selector", best, critic=True, images=images),
        Arm("full without layout", chosen, layout=False, critic=True, images=images),
        Arm("full without repairs", chosen, critic=True, draws=draws),
    )


PAIRS = (
    ("full", "plain"),
    ("full", "best-of-n"),
    ("selected", "best-fixed"),
    ("selected", "category-table"),
    ("selected", "random"),
    ("selected+layout", "selected"),
    ("full", "selected"),
    ("full", "full without categorizer"),
    ("full", "full without selector"),
    ("full", "full without layout"),
    ("full", "full without repairs"),
)


REMOVED = (("full", "best-of-n"),)
"""Of which arm's failures (second) the report tells the share that another (first) removes."""


# --- drawing --------------------------------------------------------------------------------


def hold_out(count: int, seed: int = SEED) -> list[ReportCase]:
    """``count`` prompts of ``PROMPT_KINDS``, worded as training never words them, fixed by ``seed``."""
    return list(_shuffled(max(1.0, count / sum(row.prompts for row in PROMPT_KINDS)), seed)[:count])


def choose_cases(path: Path | None, count: int, seed: int | None = None, judge: str = EXACT) -> list[ReportCase]:
    """The first ``count`` prompts of the file at ``path``, which ``judge`` is to judge; without one, those held out of
    the shipped mini's training.

    Raises:
        BadInput: as ``read_cases``.
    """
    return read_cases(path, judge)[:count] if path else hold_out(count, SEED if seed is None else seed)


@functools.lru_cache(maxsize=4)
def _shuffled(share: float, seed: int) -> tuple[ReportCase, ...]:
    """All prompts that the fixed ones are the first of; finding room for their things takes seconds."""
    made = cases(seed, share, PROMPT_KINDS)
    random.Random(seed).shuffle(made)
    return tuple(made)


def judge_exactly(case: ReportCase, image: Image.Image) -> float:
    """The exact checker: 1 where nothing is wrong with a picture, else 0."""
    return float(not complaints(case, look(image)))


@dataclass(frozen=True)
class CellSetting:
    """What a cell's outcome depends on beside its arm, prompt and seed."""

    judge: Judge
    judged_by: str = "exact"
    """The judge's name: another one looks again at the pictures that are there."""
    measured: str = ""
    """What flows, evidence and number format were, as a digest: with another one a cell is drawn anew."""


def run_arm(engine: Engine, arm: Arm, case: ReportCase, seed: int, setting: CellSetting, folder: Path) -> ArmOutcome:
    """The outcome of one cell: read from ``folder`` where it was finished before, drawn and kept there otherwise.

    A cell that was drawn with another flow, budget, flow index or evidence is drawn anew: it would be no outcome of
    this arm.
    """
    stem = f"{arm.name.replace(' ', '-')}/{case.seed:04d}-{seed}"
    kept, picture = folder / f"{stem}.cell.json", folder / f"{stem}.png"
    asked = {"drawn": _key(arm, case, seed, setting), "judged_by": setting.judged_by}
    before = _kept(kept) if picture.is_file() else {}
    if before.get("drawn") != asked["drawn"]:
        picture.parent.mkdir(parents=True, exist_ok=True)
        kept.unlink(missing_ok=True)
        images, seconds = _draw(engine, arm, case, seed, picture)
    elif before["judged_by"] == asked["judged_by"]:
        return ArmOutcome(**before["outcome"])
    else:
        images, seconds = before["outcome"]["images"], before["outcome"]["seconds"]
    with Image.open(picture) as image:
        score = setting.judge(case, image.convert("RGB"))
    outcome = ArmOutcome(arm.name, case.prompt, seed, score, images, round(seconds, 3), case.kind)
    write_whole(kept, f"{json.dumps({**asked, 'outcome': asdict(outcome)}, sort_keys=True)}\n".encode())
    return outcome


def _key(arm: Arm, case: ReportCase, seed: int, setting: CellSetting) -> str:
    """A digest of everything that decides a cell's picture."""
    asked = _request(arm, case, seed, Path()).model_dump_json()
    return hashlib.sha256(f"{asked}\n{arm.draws}\n{setting.measured}".encode()).hexdigest()[:16]


def _kept(path: Path) -> dict[str, Any]:
    """What an earlier run wrote down of a cell; nothing where it wrote none, or not in this form."""
    try:
        value = untrusted.load_object(path)
    except BadInput:
        return {}
    return value if {"drawn", "judged_by", "outcome"} <= value.keys() else {}


def _draw(engine: Engine, arm: Arm, case: ReportCase, seed: int, picture: Path) -> tuple[int, float]:
    """Draw one cell to ``picture``: how many images it took, and how long. Best-of-N keeps the critic's favourite."""
    images, seconds, best = 0, 0.0, -1.0
    for number in range(arm.draws):
        again = picture if arm.draws == 1 else picture.with_suffix(f".{number}.png")
        result = engine.draw(_request(arm, case, seed + 1_000_003 * number, again))
        images, seconds = images + result.images, seconds + result.seconds
        verdict = next((r.verdict for r in result.rounds if r.image == result.image), None)
        score = verdict.score if verdict is not None else 0.0
        if again != picture:
            if score > best:
                again.replace(picture)
            else:
                again.unlink()
            again.with_suffix(".json").unlink(missing_ok=True)
        best = max(best, score)
        if verdict is not None and verdict.accepted:
            break
    return images, seconds


def _request(arm: Arm, case: ReportCase, seed: int, picture: Path) -> DrawRequest:
    return DrawRequest(
        prompt=case.prompt,
        seed=seed,
        flow=arm.flow(case),
        use_categories=arm.categories,
        use_layout=arm.layout,
        use_critic=arm.critic,
        backend=arm.backend,
        max_images=arm.images,
        out=str(picture),
        taken="replace",
        anyway=True,
    )


def write_prompts(made: Sequence[ReportCase], folder: Path) -> None:
    """Put the prompts with what each picture must show beside the pictures, as ``read_cases`` reads them."""
    lines = [{"prompt": c.prompt, "number": c.seed, "kind": c.kind, **_truth(c)} for c in made]
    write_whole(folder / "prompts.jsonl", "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines).encode())


def cells(
    engine: Engine,
    wanted: Sequence[Arm],
    made: Sequence[ReportCase],
    seeds: Sequence[int],
    setting: CellSetting,
    folder: Path,
) -> Iterator[ArmOutcome]:
    """Every cell, prompt by prompt, so that a run that is stopped early compares the arms on the same prompts.

    Raises:
        CannotDraw: an arm's flow cannot run here.
    """
    for case in made:
        for seed in seeds:
            for arm in wanted:
                try:
                    yield run_arm(engine, arm, case, seed, setting, folder)
                except CannotDraw as error:
                    raise CannotDraw(f"arm {arm.name!r} cannot draw {case.prompt!r}: {error}", error.remedy) from error


def _truth(case: ReportCase) -> dict[str, object]:
    """What the picture must show."""
    scene = case.scene
    groups = [[group.count, group.colour, group.shape] for group in scene.groups]
    return {"groups": groups, "relation": scene.relation, "background": scene.background}
