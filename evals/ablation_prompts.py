"""Prompts of one's own for the ablation: a JSON object a line, with what its picture must show.

What a line leaves out is not judged. A line that the judge could not judge is refused by its number, before anything is
drawn.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.evals.mini_report import ReportCase
from imagewright.t2i_backends.mini.world import COLOURS, RELATIONS, SHAPES, Group, Scene

EXACT = "exact"
"""The judge that looks for the things themselves; a scorer reads the prompt, and needs no more."""
_FIELDS = ("prompt", "kind", "number", "groups", "relation", "background")
_WANTED = 'write lines like {"prompt": "two red cups", "groups": [[2, "red", "cup"]], "relation": null}'


def read_cases(path: Path, judge: str = EXACT) -> list[ReportCase]:
    """The prompts of a JSONL file: ``{"prompt", "groups", "relation", "background", "kind", "number"}`` a line.

    ``groups`` are ``[count, colour, shape]`` and may be left out where ``judge`` is a scorer; the rest but the prompt
    may always. Without a ``background``, or with one that the prompt does not name, the background is not judged.

    Raises:
        BadInput: the file cannot be read, holds no prompt, or has a line that cannot be judged, named by its number.
    """
    lines = untrusted.read_lines(path, remedy="name a JSONL file of prompts")
    made: dict[int, ReportCase] = {}
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            case = _case(untrusted.parse_json(line, "it"), number, judge)
            if case.seed in made:
                raise ValueError(f"the number {case.seed} is an earlier line's too")
        except BadInput:
            raise BadInput(f"line {number + 1} of {path} is not a prompt", _WANTED) from None
        except ValueError as error:
            raise BadInput(f"line {number + 1} of {path} is not a prompt to judge: {error}", _WANTED) from None
        made[case.seed] = case
    if not made:
        raise BadInput(f"{path} holds no prompt", "leave --prompts out for the fixed ones")
    return list(made.values())


def _case(value: Any, line: int, judge: str) -> ReportCase:
    """One line; ``ValueError`` says in words what cannot be judged."""
    if not isinstance(value, dict) or not isinstance(value.get("prompt"), str) or not value["prompt"].strip():
        raise ValueError("it has no prompt")
    strange = sorted(set(value) - set(_FIELDS))
    if strange:
        raise ValueError(f"{strange[0][:40]!r} is none of {', '.join(_FIELDS)}")
    number, kind = value.get("number", line), value.get("kind", "")
    if type(number) is not int or number < 0 or not isinstance(kind, str):
        raise ValueError("its number is a whole number from 0, its kind a text")
    groups = _groups(value.get("groups"), judge)
    background = value.get("background")
    _check_word(background, tuple(COLOURS), "background", judge)
    relation = _relation(value.get("relation"), groups, judge)
    return ReportCase(kind, Scene(groups, relation, None, background or "", (), 0.5), value["prompt"], number)


def _groups(rows: Any, judge: str) -> tuple[Group, ...]:
    if rows is None and judge != EXACT:
        return ()
    if not isinstance(rows, list) or not rows:
        raise ValueError("it has no groups, which say what the picture must show")
    return tuple(_group(row, judge) for row in rows)


def _group(row: Any, judge: str) -> Group:
    if not isinstance(row, list) or len(row) != 3 or type(row[0]) is not int or row[0] < 1:
        raise ValueError(f"{json.dumps(row)[:60]} is not [count, colour, shape]")
    if row[1] is None or row[2] is None:
        raise ValueError(f"{json.dumps(row)[:60]} lacks a colour or a shape")
    _check_word(row[1], tuple(COLOURS), "colour", judge)
    _check_word(row[2], SHAPES, "shape", judge)
    return Group(*row)


def _relation(relation: Any, groups: Sequence[Group], judge: str) -> str | None:
    _check_word(relation, RELATIONS, "relation", judge)
    if relation is not None and judge == EXACT and len(groups) != 2:
        raise ValueError(f"the relation {relation!r} is between two groups, and it has {len(groups)}")
    return None if relation is None else str(relation)


def _check_word(word: Any, known: Sequence[str], what: str, judge: str) -> None:
    """A word is text; the exact judge knows those of ``known`` only."""
    if word is None:
        return
    if not isinstance(word, str):
        raise ValueError(f"its {what} {json.dumps(word)[:40]} is no text")
    if judge == EXACT and word not in known and not (what == "background" and not word):
        raise ValueError(f"the exact judge knows no {what} {word[:40]!r}, only {', '.join(known)}")
