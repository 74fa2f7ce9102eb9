"""Layouts for the prompts of GenEval and T2I-CompBench: is everything there, as often as asked, and where it was put?

The layout alone is judged, no picture is drawn. GenEval (Ghosh et al., NeurIPS 2023) states what it wants beside each
prompt: classes, counts, colours, positions. T2I-CompBench (Huang et al., NeurIPS 2023) has bare prompts, so what they
want is read here, by rules that share nothing with the planner: its spatial prompts are "a X RELATION a Y", its
numeracy prompts name numbers before nouns.

Run it with ``imagewright eval layouts --data DIR``, where ``DIR`` holds ``geneval/`` and ``t2i-compbench/``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagewright import untrusted
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.errors import BadInput
from imagewright.ports import LayoutPlanner
from imagewright.schemas import Box

Wants = Callable[[Sequence[Box]], list[str]]
"""What a layout lacks of what one prompt asks for, in words."""
FILES = {
    "GenEval": "geneval/evaluation_metadata.jsonl",
    "T2I-CompBench spatial": "t2i-compbench/spatial_val.txt",
    "T2I-CompBench 3D spatial": "t2i-compbench/3d_spatial_val.txt",
    "T2I-CompBench numeracy": "t2i-compbench/numeracy_val.txt",
}
NUMBERS = {word: n for n, word in enumerate("one two three four five six seven eight nine ten".split(), 1)}
_IRREGULAR = {
    "mice": "mouse",
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "knives": "knife",
    "sheep": "sheep",
    "fish": "fish",
    "geese": "goose",
    "leaves": "leaf",
    "loaves": "loaf",
    "scissors": "scissors",
    "wolves": "wolf",
    "shelves": "shelf",
    "feet": "foot",
    "teeth": "tooth",
    "glasses": "glasses",
    "deer": "deer",
}


@dataclass
class Score:
    """How many prompts of one set were laid out as asked, and what was wrong with the others."""

    name: str
    passed: int = 0
    total: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        """One line of the table."""
        return f"{self.name:<26} {self.passed:>4} / {self.total:<4} {self.passed / max(1, self.total):6.1%}"


def evaluate_sets(data: Path, planner: LayoutPlanner | None = None) -> list[Score]:
    """Lay out and judge every prompt of the four sets, by the rules where no planner is given.

    Raises:
        BadInput: a file is missing or is not what it should be.
    """
    planner = planner or RulesLayoutPlanner()
    return [_scored(name, data / path, planner) for name, path in FILES.items()]


def _scored(name: str, path: Path, planner: LayoutPlanner) -> Score:
    score = Score(name)
    for prompt, wants in _read(name, path):
        problems = wants(planner.plan(prompt).layout.boxes)
        score.total += 1
        score.passed += not problems
        score.failures += [f"{prompt}: {'; '.join(problems)}"] if problems else []
    return score


def _read(name: str, path: Path) -> Iterator[tuple[str, Wants]]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for line in lines:
            if name == "GenEval":
                row = untrusted.parse_json(line, str(path))
                yield row["prompt"], geneval(row)
            else:
                yield line, numeracy(line) if name.endswith("numeracy") else spatial(line)
    except (BadInput, OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"cannot read {path}: {error}", "--data is the folder that holds geneval/ and t2i-compbench/"
        ) from None


# --- GenEval --------------------------------------------------------------------------------

_WHERE: dict[str, tuple[int, int]] = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}


def geneval(row: dict[str, Any]) -> Wants:
    """What one row of GenEval's metadata wants: counts (at least for one, else exactly), colours, positions."""

    def wants(boxes: Sequence[Box]) -> list[str]:
        found = [_of(boxes, item["class"], item.get("color", "")) for item in row["include"]]
        problems = []
        for item, mine in zip(row["include"], found, strict=True):
            if len(mine) != item["count"]:
                problems.append(f"{len(mine)} {item.get('color', '')} {item['class']}, not {item['count']}")
            if "position" in item and mine and found[item["position"][1]]:
                axis, sign = _WHERE[item["position"][0]]
                other = found[item["position"][1]]
                if not all((a.centre[axis] - b.centre[axis]) * sign > 0 for a in mine for b in other):
                    problems.append(f"{item['class']} is not {item['position'][0]}")
        return problems

    return wants


def _of(boxes: Sequence[Box], name: str, colour: str = "") -> list[Box]:
    """The boxes whose caption names ``name`` (as whole words, singular), and ``colour`` where one is wanted."""
    return [b for b in boxes if _named(b, name) and (not colour or re.search(rf"\b{colour}\b", b.caption))]


def _named(box: Box, name: str) -> bool:
    """Whether the box's object is ``name`` or ends with it: a "computer mouse" is a mouse."""
    return box.object == name or box.object.endswith(f" {name}")


# --- T2I-CompBench --------------------------------------------------------------------------

_RELATIONS: tuple[tuple[str, str], ...] = (
    (r"on the left of|to the left of|left of", "left"),
    (r"on the right of|to the right of|right of", "right"),
    (r"on the top of|on top of|above", "above"),
    (r"on the bottom of|below|under", "below"),
    (r"next to|near|on side of|on the side of|beside", "near"),
    (r"in front of", "in-front"),
    (r"behind|hidden by", "behind"),
)
_SIGNS: dict[str, tuple[int, int]] = {"left": (0, -1), "right": (0, 1), "above": (1, -1), "below": (1, 1)}


def spatial(prompt: str) -> Wants:
    """What "a X RELATION a Y" wants: one of each, standing so; nearness is a gap of at most a third of the canvas.

    What is behind or in front shows in a layout only by being there.
    """
    words = prompt.lower().rstrip(".")
    for pattern, name in _RELATIONS:
        found = re.fullmatch(rf"(?:an?|the) (.+?) (?:is )?(?:{pattern}) (?:an?|the) (.+)", words)
        if found:
            return _related(found[1], name, found[2])
    raise ValueError(f"not a prompt of this set: {prompt!r}")


def _related(subject: str, name: str, other: str) -> Wants:
    def wants(boxes: Sequence[Box]) -> list[str]:
        mine, theirs = _of(boxes, subject), _of(boxes, other)
        if subject == other:
            mine, theirs = mine[:1], mine[1:]
        if (len(mine), len(theirs)) != (1, 1):
            return [f"{len(mine)} {subject} and {len(theirs)} {other}, not one of each"]
        axis, sign = _SIGNS.get(name, (0, 0))
        holds = _gap(mine[0], theirs[0]) <= 1 / 3 if not sign else (_difference(mine[0], theirs[0], axis)) * sign > 0
        return [] if holds else [f"{subject} is not {name} {other}"]

    return wants


def _difference(a: Box, b: Box, axis: int) -> float:
    return a.centre[axis] - b.centre[axis]


def _gap(a: Box, b: Box) -> float:
    across = max(a.x, b.x) - min(a.x + a.width, b.x + b.width)
    down = max(a.y, b.y) - min(a.y + a.height, b.y + b.height)
    return max(across, down)


def numeracy(prompt: str) -> Wants:
    """What a numeracy prompt wants: for each number the noun that follows, as often.

    The noun is the last of the words up to a mark, a joining word or a word that cannot be in a noun phrase; for a
    noun that is named twice the numbers add up.
    """
    wanted: dict[str, int] = {}
    for number, phrase in _COUNTED.findall(prompt.lower()):
        name = _noun(_cut(phrase).split(), number)
        wanted[name] = wanted.get(name, 0) + NUMBERS[number]

    def wants(boxes: Sequence[Box]) -> list[str]:
        found = {name: len([b for b in boxes if _named(b, name)]) for name in wanted}
        return [f"{found[name]} {name}, not {n}" for name, n in wanted.items() if found[name] != n]

    return wants


_COUNTED = re.compile(rf"\b({'|'.join(NUMBERS)}) (?=((?:[a-z-]+ ?){{1,3}}))")
_NOT_IN_A_NOUN = frozenset(
    "and with in on at of were was are is near by to from next playing floated carried gathered lounged sat stood flew "
    "for into over under beside behind danced grazed worked studied rested walked chirped swam lay ran that who around "
    "were resting sitting standing had used surrounded left right outside inside while as against up down out".split()
)


def _noun(words: Sequence[str], number: str) -> str:
    """The counted noun in the singular: of more than one the last plural, of one the last word."""
    plurals = [word for word in words if to_singular(word) != word or word in _IRREGULAR]
    return to_singular(plurals[-1] if plurals and number != "one" else words[-1])


def _cut(phrase: str) -> str:
    """The words of ``phrase`` before the first that belongs to no noun phrase."""
    words = phrase.split()
    kept: list[str] = []
    for word in words:
        if kept and (word in _NOT_IN_A_NOUN or word in NUMBERS or (word.endswith("ed") and len(kept) > 0)):
            break
        kept.append(word)
    return " ".join(kept)


def to_singular(noun: str) -> str:
    """The singular of a noun, by English's regular endings and a short list of others."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    for ending, instead in (
        ("buses", "bus"),
        ("ies", "y"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("sses", "ss"),
        ("xes", "x"),
        ("oes", "o"),
        ("s", ""),
    ):
        if noun.endswith(ending) and not noun.endswith("ss"):
            return noun.removesuffix(ending) + instead
    return noun
