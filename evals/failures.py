"""Which stage spoilt a picture: the failures of the full arm, sorted by cause, as a table and a sheet to look at.

``python -m imagewright.evals.failures out/ablation`` reads what ``imagewright eval ablation`` left there. The first
stage that went wrong is the cause: the prompt was misread, the layout is not what was read, the critic accepted a wrong
picture, or the critic was right and the budget ended.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from imagewright.agents.reading.parse import parse_prompt
from imagewright.errors import BadInput, ImagewrightError
from imagewright.evals.ablation_prompts import read_cases
from imagewright.evals.exact_checker import look
from imagewright.evals.failure_sheet import Entry, failure_sheet
from imagewright.evals.mini_report import ReportCase, complaints
from imagewright.schemas import Layout, Round
from imagewright.t2i_backends.mini.captions import synonyms
from imagewright.t2i_backends.mini.world import Scene
from imagewright.trace import open_trace

CAUSES = {
    "reading": "the prompt was misread",
    "layout": "the boxes are not what was read",
    "critic": "the critic accepted a wrong picture",
    "drawing": "the critic was right, and the budget ended",
}
_SHEET = 40


@dataclass(frozen=True)
class FailedPicture:
    """A wrong picture, what is wrong with it, and the first stage that went wrong."""

    case: ReportCase
    picture: Path
    wrong: tuple[str, ...]
    cause: str


def cause_of(scene: Scene, prompt: str, made: Round, synonyms: Mapping[str, str]) -> str:
    """One of ``CAUSES`` for a wrong picture of ``scene`` that ``made`` describes."""
    wanted = Counter({(g.shape, g.colour): g.count for g in scene.groups})
    parsed = parse_prompt(prompt)
    read = Counter({_named(g.object, g.attributes, wanted, synonyms): g.count for g in parsed.groups})
    related = [(r.subject, r.relation, r.object) for r in parsed.relations]
    if read != wanted or (scene.relation is not None and not related):
        return "reading"
    if made.layout is not None and not _laid_out(made.layout, scene, wanted, synonyms):
        return "layout"
    return "critic" if made.verdict is None or made.verdict.accepted else "drawing"


def _named(
    name: str, attributes: Sequence[str], wanted: Mapping[tuple[str, str], int], synonyms: Mapping[str, str]
) -> tuple[str, str]:
    """Shape and colour in the world's own words; the colour is the attribute that is one."""
    colours = {colour for _, colour in wanted}
    words = [synonyms.get(word, word) for word in attributes]
    return synonyms.get(name, name), next((word for word in words if word in colours), "")


def _laid_out(layout: Layout, scene: Scene, wanted: Mapping[tuple[str, str], int], synonyms: Mapping[str, str]) -> bool:
    """Whether the boxes are as many as asked for, and stand as the relation says."""
    names = [_named(box.object, box.attributes, wanted, synonyms) for box in layout.boxes]
    if Counter(names) != wanted:
        return False
    if scene.relation is None:
        return True
    axis, sign = (0 if scene.relation in ("left", "right") else 1), (1 if scene.relation in ("left", "above") else -1)
    first, second = ((g.shape, g.colour) for g in scene.groups[:2])
    pairs = [
        (a.centre[axis], b.centre[axis])
        for a, one in zip(layout.boxes, names, strict=True)
        for b, other in zip(layout.boxes, names, strict=True)
        if (one, other) == (first, second)
    ]
    return all(sign * (b - a) > 0 for a, b in pairs)


def collect_failures(folder: Path, arm: str = "full") -> list[FailedPicture]:
    """The wrong pictures of ``arm`` in ``folder``, sorted by cause.

    Raises:
        BadInput: the folder holds no such arm, or a trace there is broken.
    """
    known = {case.seed: case for case in read_cases(folder / "prompts.jsonl")}
    traces = sorted((folder / arm.replace(" ", "-")).glob("*.cell.json"))
    if not traces:
        raise BadInput(f"{folder} holds no outcome of arm {arm!r}", "run: imagewright eval ablation --images DIR")
    found = []
    for cell in traces:
        case, picture = known[int(cell.name.split("-")[0])], cell.with_name(cell.name.replace(".cell.json", ".png"))
        with Image.open(picture) as image:
            wrong = complaints(case, look(image.convert("RGB")))
        if wrong:
            made = _delivered(picture.with_suffix(".json"))
            found.append(FailedPicture(case, picture, wrong, cause_of(case.scene, case.prompt, made, synonyms())))
    return [failure for cause in CAUSES for failure in found if failure.cause == cause]


def _delivered(trace: Path) -> Round:
    """The round of the picture that was delivered.

    Raises:
        BadInput: the trace is missing or broken.
    """
    try:
        told = open_trace(trace)
        return next(made for made in told.rounds if made.image == told.image)
    except (BadInput, StopIteration) as error:
        raise BadInput(f"{trace} is no trace of a run: {error}", "draw the arm anew into another folder") from None


def failure_table(found: Sequence[FailedPicture]) -> str:
    """How many failures each cause has."""
    counts = Counter(failure.cause for failure in found)
    return "\n".join(f"{cause:<8} {counts[cause]:4d}  {counts[cause] / max(1, len(found)):6.1%}" for cause in CAUSES)


def sheet(found: Sequence[FailedPicture]) -> Image.Image:
    """Up to forty failures under their causes, as even a share of each as there is."""
    by_cause = {cause: [f for f in found if f.cause == cause] for cause in CAUSES}
    turns = [f for row in range(_SHEET) for column in by_cause.values() for f in column[row : row + 1]][:_SHEET]
    groups = {
        f"{cause}: {told} ({len(by_cause[cause])} of {len(found)})": [
            Entry(Image.open(f.picture), f.case.prompt, f.wrong) for f in turns if f.cause == cause
        ]
        for cause, told in CAUSES.items()
    }
    return failure_sheet(groups)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m imagewright.evals.failures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--arm", default="full")
    args = parser.parse_args(argv)
    try:
        found = collect_failures(args.folder, args.arm)
    except ImagewrightError as error:
        print(f"{error}\n{error.remedy}", file=sys.stderr)
        return error.exit_code
    print(failure_table(found))
    for failure in found:
        print(f"{failure.cause}: {failure.case.prompt}: {'; '.join(failure.wrong)}  ({failure.picture.name})")
    if found:
        sheet(found).save(args.folder / "failures.png")
        print(f"the sheet: {args.folder / 'failures.png'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
