"""Plain prompts beside the same prompts with colour and background named: "a house", "two cups", "four cars".

Each plain prompt is drawn as a run draws it, completed by the prompt writer, and once more with the very colour and
background named that it was completed with, from the same seed. The exact checker judges what was delivered. A cell is
a file, so a run that was stopped goes on; what both arms ask of the backend in the same words is drawn once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from imagewright import untrusted
from imagewright.agents.reading.nouns import plural
from imagewright.agents.reading.parse import parse_prompt
from imagewright.agents.writer.completing import colour_of, paper_of
from imagewright.api import DEFAULT_BACKEND, Imagewright
from imagewright.errors import CannotDraw
from imagewright.evals.exact_checker import judge, look
from imagewright.evals.mini_report import wilson_interval
from imagewright.evals.paired import ArmOutcome, PairRow, pair_row
from imagewright.evals.sharing import Remembering
from imagewright.memory.artifacts import write_whole
from imagewright.ports import StatesWorlds
from imagewright.schemas import RunResult
from imagewright.t2i_backends.mini.world import SHAPES, Group
from imagewright.worlds import World

PLAIN, NAMED = "plain", "named"
THINGS = SHAPES
"""What is asked for: all that the shipped model was taught."""
FORMS: dict[str, tuple[str, str]] = {
    "bare": ("{thing}", "{colour} {thing} on {paper} background"),
    "a": ("a {thing}", "a {colour} {thing} on a {paper} background"),
    "two": ("two {things}", "two {colour} {things} on a {paper} background"),
    "three": ("three {things}", "three {colour} {things} on a {paper} background"),
    "four": ("four {things}", "four {colour} {things} on a {paper} background"),
}
"""Each form of a prompt, plain and with colour and background named."""
_BELOW = 0.5


@dataclass(frozen=True)
class PlainCell:
    """What one arm made of one thing in one form with one seed."""

    arm: str
    thing: str
    form: str
    seed: int
    prompt: str
    drawn_from: str
    """The prompt that the model was given first."""
    flow: str
    estimate: float
    """What was expected of the flow."""
    right: bool
    """Whether the delivered picture is exactly right."""
    first: bool
    """Whether the first picture was."""
    accepted: bool
    """Whether the critic accepted the delivered picture."""
    images: int
    seconds: float


@dataclass(frozen=True)
class Share:
    """How many of how many, with the 95 % interval of the share."""

    name: str
    right: int
    total: int
    low: float
    high: float


@dataclass(frozen=True)
class PlainReport:
    """The sweep: shares of each arm by thing and form, their paired difference, and estimates beside outcomes."""

    arms: tuple[Share, ...]
    by_form: Mapping[str, tuple[Share, Share]]
    by_thing: Mapping[str, tuple[Share, Share]]
    difference: PairRow
    """Plain less named, paired by thing, form and seed."""
    estimate: float
    """The mean of what was expected of the plain arm's first pictures."""
    first: Share
    """How often those were right."""
    below: tuple[str, ...]
    """The things whose plain prompts come out right less than half of the time."""


def sweep_plain(
    engine: Imagewright, folder: Path, things: Sequence[str], forms: Sequence[str], seeds: int
) -> Iterator[PlainCell]:
    """Every cell, drawn where it is not in ``folder`` yet.

    Raises:
        CannotDraw: the flows here are on no model that states a world.
    """
    world = _world_here(engine)
    sharing = Remembering(engine.backend())
    engine.use_backend(DEFAULT_BACKEND, sharing)
    for seed in range(seeds):
        for form in forms:
            for thing in things:
                sharing.forget()
                plain = FORMS[form][0].format(thing=thing, things=plural(thing))
                wanted = parse_prompt(engine.plan(plain).drawn_from)
                colour, paper = colour_of(wanted.groups[0], world) or "", paper_of(wanted.background, world) or ""
                named = FORMS[form][1].format(thing=thing, things=plural(thing), colour=colour, paper=paper)
                group = Group(wanted.groups[0].count, colour, thing)
                for arm, prompt in ((PLAIN, plain), (NAMED, named)):
                    yield _cell(engine, folder, _Asked(arm, thing, form, seed, prompt, group, paper))


def _world_here(engine: Imagewright) -> World:
    backend, flow = engine.backend(), engine.index.get("mini-plain")
    world = backend.state_world(flow) if isinstance(backend, StatesWorlds) else None
    if world is None:
        raise CannotDraw("no flow here is on a model that says what it was taught", "run it with the shipped model")
    return world


@dataclass(frozen=True)
class _Asked:
    arm: str
    thing: str
    form: str
    seed: int
    prompt: str
    group: Group
    paper: str


def _cell(engine: Imagewright, folder: Path, asked: _Asked) -> PlainCell:
    digest = hashlib.sha256(asked.prompt.encode()).hexdigest()[:8]
    stem = folder / f"{asked.form}-{asked.thing}-{asked.seed}-{asked.arm}-{digest}"
    kept = stem.with_suffix(".cell.json")
    if kept.is_file():
        return PlainCell(**untrusted.load_json(kept))
    result = engine.draw(asked.prompt, seed=asked.seed, out=str(stem.with_suffix(".png")))
    cell = _judged(engine, result, asked)
    write_whole(kept, (json.dumps(asdict(cell), indent=1) + "\n").encode())
    return cell


def _judged(engine: Imagewright, result: RunResult, asked: _Asked) -> PlainCell:
    def is_right(path: Path) -> bool:
        with Image.open(path) as image:
            return not judge(look(image), [asked.group], background=asked.paper)

    delivered = next(made for made in result.rounds if made.image == result.image)
    estimates = {candidate.flow: candidate.estimate for candidate in result.candidates}
    return PlainCell(
        asked.arm,
        asked.thing,
        asked.form,
        asked.seed,
        asked.prompt,
        result.rounds[0].prompt,
        result.flow,
        estimates[result.rounds[0].flow],
        is_right(Path(result.path)),
        is_right(engine.container.store.get(result.rounds[0].image)),
        delivered.verdict is not None and delivered.verdict.accepted,
        result.images,
        result.seconds,
    )


# --- the report -----------------------------------------------------------------------------


def report_plain(cells: Sequence[PlainCell]) -> PlainReport:
    """The report of a sweep's cells."""
    plain = [cell for cell in cells if cell.arm == PLAIN]
    outcomes = [
        ArmOutcome(c.arm, f"{c.form} {c.thing}", c.seed, float(c.right), c.images, c.seconds, c.form) for c in cells
    ]
    by_thing = {thing: _both(cells, "thing", thing) for thing in dict.fromkeys(c.thing for c in cells)}
    return PlainReport(
        arms=tuple(_share(arm, [c.right for c in cells if c.arm == arm]) for arm in (PLAIN, NAMED)),
        by_form={form: _both(cells, "form", form) for form in dict.fromkeys(c.form for c in cells)},
        by_thing=by_thing,
        difference=pair_row(outcomes, PLAIN, NAMED),
        estimate=sum(c.estimate for c in plain) / len(plain),
        first=_share("first", [c.first for c in plain]),
        below=tuple(thing for thing, (mine, _) in by_thing.items() if mine.right < _BELOW * mine.total),
    )


def _both(cells: Sequence[PlainCell], field: str, value: str) -> tuple[Share, Share]:
    mine = [cell for cell in cells if getattr(cell, field) == value]
    plain, named = (_share(arm, [c.right for c in mine if c.arm == arm]) for arm in (PLAIN, NAMED))
    return plain, named


def _share(name: str, right: Sequence[bool]) -> Share:
    return Share(name, sum(right), len(right), *wilson_interval(sum(right), len(right)))


def tell_report(report: PlainReport) -> str:
    """The report as a table in plain text."""
    lines = [f"{'':<12}{'plain':>12}{'named':>12}"]
    for rows in (report.by_thing, report.by_form):
        lines += [f"{name:<12}" + "".join(f"{f'{s.right}/{s.total}':>12}" for s in pair) for name, pair in rows.items()]
        lines.append("")
    for share in report.arms:
        lines.append(f"{share.name:<12}{share.right / share.total:>7.1%} right  [{share.low:.1%}–{share.high:.1%}]")
    row = report.difference
    lines.append(f"plain less named: {row.difference:+.1%} [{row.low:+.1%} to {row.high:+.1%}], paired")
    first = report.first
    lines.append(f"first pictures: {first.right / first.total:.1%} right, {report.estimate:.1%} expected")
    lines.append(f"right less than half of the time: {', '.join(report.below) or 'nothing'}")
    return "\n".join(lines)
