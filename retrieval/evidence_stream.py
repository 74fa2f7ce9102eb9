"""Files of scores of any size into an index: read line by line, stored a batch at a time, in memory that stays flat.

Both formats are read, evidence line by line (``evidence``) and the matrix (``score_matrix``). Each batch is stored
whole; equal scores are stored once, so that an import that was killed or refused is simply started again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.retrieval import evidence, score_matrix
from imagewright.retrieval.evidence import EvidenceFile, PromptFacts, row_key
from imagewright.schemas import Evidence

if TYPE_CHECKING:
    from imagewright.retrieval.index import FlowIndex

SCORES = 20_000
"""How many scores are stored at once."""
PROMPTS = 512
"""How many prompts are embedded at once."""
_REMEDY = "mend the file, and run the same command again: equal scores are stored once"
Line = tuple[int, dict[str, object]]
"""A line's number and its object."""


class Imported(NamedTuple):
    """What a file of scores brought."""

    scores: int
    prompts: int
    """How many lines told of prompts."""


def import_scores(index: FlowIndex, path: Path) -> Imported:
    """Store every score in ``path``.

    Raises:
        BadInput: it cannot be read, a line is no score, or one names a flow that is not there and no graph; the batches
            before that line are stored. Or the database cannot be written.
    """
    found = Imported(0, 0)
    for scores, prompts in import_batches(index, path):
        found = Imported(found.scores + scores, found.prompts + prompts)
    return found


def import_batches(index: FlowIndex, path: Path) -> Iterator[Imported]:
    """The same batch by batch: what each has brought, once it is stored.

    Raises:
        BadInput: as ``import_scores``.
    """
    stored = 0
    try:
        for batch in stream_scores(path):
            index.add_evidence(batch.rows, batch.prompts, many=len(batch.rows) == SCORES or stored > 0)
            stored += len(batch.rows)
            yield Imported(len(batch.rows), len(batch.prompts))
    except BadInput as error:
        if not stored:
            raise
        raise BadInput(f"{error}; {stored:,} scores before it are stored", error.remedy) from error


def stream_scores(path: Path) -> Iterator[EvidenceFile]:
    """The scores in ``path`` in batches of at most ``SCORES`` scores and ``PROMPTS`` prompts, in the file's order.

    Raises:
        BadInput: it cannot be read, or a line is no score; the message names the line.
    """
    lines = _objects(path)
    header = next(lines, (1, {}))[1]
    if score_matrix.is_header(header):
        yield from _batches(_from_matrix(lines, header, str(path)))
    elif evidence.is_header(header):
        yield from _batches(_from_lines(lines, str(path)))
    else:
        raise BadInput(f"{path} is neither a file of evidence nor a matrix of scores", "name one that the sweep wrote")


def _objects(path: Path) -> Iterator[Line]:
    for number, line in enumerate(untrusted.stream_lines(path, _REMEDY), start=1):
        yield number, untrusted.parse_line(line, str(path), number, _REMEDY)


Found = Evidence | tuple[str, PromptFacts]


def _batches(found: Iterable[Found]) -> Iterator[EvidenceFile]:
    rows: list[Evidence] = []
    prompts: dict[str, PromptFacts] = {}
    for each in found:
        if isinstance(each, Evidence):
            rows.append(each)
        else:
            prompts[each[0]] = each[1]
        if len(rows) == SCORES or len(prompts) == PROMPTS:
            yield EvidenceFile(tuple(sorted(rows, key=_as_stored)), prompts)
            rows, prompts = [], {}
    if rows or prompts:
        yield EvidenceFile(tuple(sorted(rows, key=_as_stored)), prompts)


def _as_stored(row: Evidence) -> tuple[str, ...]:
    """The order in which the database keeps scores: a batch then touches each of its pages once."""
    return (row.flow, row.graph_hash, *map(str, row_key(row)))


def _from_lines(lines: Iterable[Line], name: str) -> Iterator[Found]:
    for number, value in lines:
        try:
            yield (
                Evidence.model_validate(value) if "flow" in value else (str(value["prompt"]), evidence.facts_of(value))
            )
        except (ValidationError, KeyError, TypeError):
            raise BadInput(f"line {number} of {name} is not a score", _REMEDY) from None


def _from_matrix(lines: Iterator[Line], header: Mapping[str, object], name: str) -> Iterator[Found]:
    texts: list[str] = []
    for number, value in lines:
        try:
            if "values" in value:
                yield from score_matrix.rows_of(value, texts, header["seeds"])
            else:
                texts.append(str(value["prompt"]))
                yield texts[-1], evidence.facts_of(value)
        except (KeyError, TypeError, ValueError):
            raise BadInput(f"line {number} of {name} is not a row of scores", _REMEDY) from None
