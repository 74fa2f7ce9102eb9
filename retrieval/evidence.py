"""Evidence as it travels: JSONL, sorted and deterministic, one header line, then prompts, then scores.

::

    {"format": "imagewright-evidence", "version": 1, "made": {"scorer": ..., "model": ..., ...}}
    {"prompt": "two red circles", "parsed": {...}, "categories": ["Counting"]}
    {"flow": "mini-quick", "prompt": "two red circles", "backend": "diffusers", "scorer": "detector", ...}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.schemas import Evidence, ParsedPrompt

_FORMAT = "imagewright-evidence"
_VERSION = 1
_PROMPT_LINE = 'write one {"prompt": "...", "parsed": {...}} a line, or name a file that is not there yet'
_REMEDY = "measure again with: python -m imagewright.tools.sweep"


@dataclass(frozen=True)
class PromptFacts:
    """What is known of a prompt that evidence is about, beside its text."""

    parsed: ParsedPrompt | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class EvidenceFile:
    """A file of evidence: scores, facts of their prompts, and where they come from."""

    rows: tuple[Evidence, ...]
    prompts: Mapping[str, PromptFacts] = field(default_factory=dict)
    made: Mapping[str, str] = field(default_factory=dict)
    """Provenance: scorer, hash of the model that was measured, date, counts."""


def row_key(row: Evidence) -> tuple[str, str, str, str, int, str, str]:
    """What makes a score unique; also the order of rows in a file."""
    return (row.prompt, row.flow, row.backend, row.scorer, row.seed, row.source, row.graph_hash)


def dump_evidence(evidence: EvidenceFile) -> str:
    """The file's text; equal evidence gives equal bytes."""
    prompts = sorted({*evidence.prompts, *(row.prompt for row in evidence.rows)})
    lines = [json.dumps({"format": _FORMAT, "version": _VERSION, "made": dict(evidence.made)}, sort_keys=True)]
    lines += [prompt_line(text, evidence.prompts.get(text, PromptFacts())) for text in prompts]
    rows = sorted(evidence.rows, key=row_key)
    lines += [json.dumps(row.model_dump(exclude_none=True), sort_keys=True) for row in rows]
    return "".join(line + "\n" for line in lines)


def prompt_line(text: str, facts: PromptFacts) -> str:
    """A prompt and what is known of it as one line of JSON."""
    parsed = facts.parsed.model_dump(exclude_defaults=True) if facts.parsed else None
    return json.dumps({"prompt": text, "parsed": parsed, "categories": list(facts.categories)}, sort_keys=True)


def parse_prompts(lines: Sequence[str], name: str) -> dict[str, PromptFacts]:
    """Prompts from the lines that ``prompt_line`` made, in their order.

    Raises:
        BadInput: there is none, or a line is not a prompt; the message names it.
    """
    found: dict[str, PromptFacts] = {}
    for number, line in enumerate(lines, start=1):
        value = _object(line, name, number)
        try:
            found[str(value["prompt"])] = facts_of(value)
        except (ValidationError, KeyError):
            raise BadInput(f"line {number} of {name} is not a prompt", _PROMPT_LINE) from None
    if not found:
        raise BadInput(f"{name} holds no prompt", _PROMPT_LINE)
    return found


def parse_evidence(lines: Sequence[str], name: str) -> EvidenceFile:
    """The evidence in the lines of a file that ``dump_evidence`` wrote; ``name`` is what errors call it.

    Raises:
        BadInput: the file is cut, or no evidence; the message names the line.
    """
    header = _object(lines[0] if lines else "", name, 1)
    if not is_header(header):
        raise BadInput(f"{name} is not a file of evidence (version {_VERSION})", _REMEDY)
    prompts: dict[str, PromptFacts] = {}
    rows: list[Evidence] = []
    for number, line in enumerate(lines[1:], start=2):
        value = _object(line, name, number)
        try:
            if "flow" in value:
                rows.append(Evidence.model_validate(value))
            else:
                prompts[str(value["prompt"])] = facts_of(value)
        except (ValidationError, KeyError, TypeError):
            raise BadInput(f"line {number} of {name} is not a score", _REMEDY) from None
    made = header.get("made")
    return EvidenceFile(
        tuple(rows), prompts, {str(k): str(v) for k, v in made.items()} if isinstance(made, dict) else {}
    )


def is_header(value: Mapping[str, object]) -> bool:
    """Whether the first line of a file says that it is evidence, line by line."""
    return value.get("format") == _FORMAT and value.get("version") == _VERSION


def facts_of(value: Mapping[str, object]) -> PromptFacts:
    """What a line says of its prompt."""
    parsed, categories = value.get("parsed"), value.get("categories")
    return PromptFacts(
        parsed=None if parsed is None else ParsedPrompt.model_validate(parsed),
        categories=tuple(str(label) for label in categories) if isinstance(categories, list) else (),
    )


def _object(line: str, name: str, number: int) -> dict[str, object]:
    return untrusted.parse_line(line, name, number, _REMEDY)


def facts_by_prompt(rows: Iterable[tuple[str, str | None, str]]) -> dict[str, PromptFacts]:
    """Facts from ``(prompt, parsed JSON, categories JSON)`` as the index stores them."""
    return {
        prompt: PromptFacts(
            parsed=None if parsed is None else ParsedPrompt.model_validate_json(parsed),
            categories=tuple(json.loads(categories)),
        )
        for prompt, parsed, categories in rows
    }
