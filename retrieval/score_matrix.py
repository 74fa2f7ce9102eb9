"""Scores of many flows on the same prompts and seeds as one compact file: a line of numbers for each flow.

::

    {"format": "imagewright-scores", "version": 1, "made": {...}, "seeds": [0, 1]}
    {"prompt": "two red circles", "parsed": {...}, "categories": ["Counting"]}
    {"flow": "mini-plain", "graph_hash": ..., "backend": ..., "scorer": ..., "when": ..., "seconds": 0.9,
     "values": [[875, null]]}

``values`` has a row for each prompt line, in their order, and a column for each seed: thousandths of a score, or null
where it was not measured. ``seconds`` is the flow's mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.retrieval.evidence import EvidenceFile, PromptFacts, parse_evidence, parse_prompts, prompt_line
from imagewright.schemas import Evidence

_FORMAT = "imagewright-scores"
_VERSION = 1
_UNIT = 1000
_REMEDY = "measure again with: python -m imagewright.evals.matrix"


def dump_matrix(evidence: EvidenceFile) -> str:
    """The file's text; equal evidence gives equal bytes. Scores are kept to a thousandth."""
    seeds = sorted({row.seed for row in evidence.rows})
    prompts = sorted({*evidence.prompts, *(row.prompt for row in evidence.rows)})
    header = {"format": _FORMAT, "version": _VERSION, "made": dict(evidence.made), "seeds": seeds}
    lines = [json.dumps(header, sort_keys=True)]
    lines += [prompt_line(text, evidence.prompts.get(text, PromptFacts())) for text in prompts]
    blocks: dict[tuple[str, str, str, str], list[Evidence]] = {}
    for row in evidence.rows:
        blocks.setdefault((row.flow, row.graph_hash, row.backend, row.scorer), []).append(row)
    lines += [_block(key, rows, prompts, seeds) for key, rows in sorted(blocks.items())]
    return "".join(line + "\n" for line in lines)


def _block(key: tuple[str, ...], rows: Sequence[Evidence], prompts: Sequence[str], seeds: Sequence[int]) -> str:
    cells = {(row.prompt, row.seed): round(row.value * _UNIT) for row in rows}
    times = [row.seconds for row in rows if row.seconds is not None]
    value = {
        **dict(zip(("flow", "graph_hash", "backend", "scorer"), key, strict=True)),
        "when": max(row.when for row in rows),
        "seconds": round(sum(times) / len(times), 3) if times else None,
        "values": [[cells.get((prompt, seed)) for seed in seeds] for prompt in prompts],
    }
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def read_scores(path: Path) -> EvidenceFile:
    """The scores in a file, be it a matrix or evidence line by line.

    Raises:
        BadInput: it cannot be read, or is neither; the message says what is wrong.
    """
    lines = untrusted.read_lines(path, remedy=_REMEDY)
    compact = _object(lines[0] if lines else "", str(path), 1).get("format") == _FORMAT
    return parse_matrix(lines, str(path)) if compact else parse_evidence(lines, str(path))


def parse_matrix(lines: Sequence[str], name: str) -> EvidenceFile:
    """The evidence in the lines of a file that ``dump_matrix`` wrote; ``name`` is what errors call it.

    Raises:
        BadInput: it is no such file, or cut; the message names the line.
    """
    header = _object(lines[0] if lines else "", name, 1)
    if not is_header(header):
        raise BadInput(f"{name} is not a matrix of scores (version {_VERSION})", _REMEDY)
    first = next((i for i, line in enumerate(lines) if i and '"values"' in line), len(lines))
    prompts = parse_prompts(lines[1:first], name)
    rows: list[Evidence] = []
    for number, line in enumerate(lines[first:], start=first + 1):
        try:
            rows += rows_of(_object(line, name, number), tuple(prompts), header["seeds"])
        except (KeyError, TypeError, ValueError):
            raise BadInput(f"line {number} of {name} is not a row of scores", _REMEDY) from None
    made = header.get("made")
    return EvidenceFile(tuple(rows), prompts, made if isinstance(made, dict) else {})


def is_header(value: Mapping[str, object]) -> bool:
    """Whether the first line of a file says that it is a matrix of scores."""
    return value.get("format") == _FORMAT and value.get("version") == _VERSION


def rows_of(value: Mapping[str, object], prompts: Sequence[str], seeds: object) -> Iterable[Evidence]:
    """The scores of one line of values, one after the other.

    Raises:
        KeyError, TypeError, ValueError: the line is no row of scores of these prompts and seeds.
    """
    values = value["values"]
    if not isinstance(values, list) or not isinstance(seeds, list):
        raise TypeError
    same = {name: value[name] for name in ("flow", "graph_hash", "backend", "scorer", "when", "seconds")}
    for prompt, cells in zip(prompts, values, strict=True):
        for seed, cell in zip(seeds, cells, strict=True):
            if cell is not None:
                yield Evidence.model_validate({**same, "prompt": prompt, "seed": seed, "value": cell / _UNIT})


def _object(line: str, name: str, number: int) -> dict[str, object]:
    return untrusted.parse_line(line, name, number, _REMEDY)
