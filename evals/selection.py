"""How well evidence predicts scores on prompts that it does not hold: intervals and choices, without drawing anything.

``imagewright eval selection`` runs it. The prompts of the evidence fall into folds; each fold's cells (a flow on a
prompt, the mean of its seeds) are predicted from the evidence of all the others, as the index predicts a new prompt.
Reported are how many cells fall into their 90 % intervals, and what the flows that each rule picks scored on the
held-out prompts: by the same scorer as the evidence, so this tells rules apart and judges no picture. Beside them
stands the ceiling: what a perfect choice by kind of prompt could gain.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from imagewright.errors import BadInput
from imagewright.evals import paired
from imagewright.evals.ablation import table_of
from imagewright.evals.ceiling import Ceiling, ceiling, prompt_kind
from imagewright.evals.paired import ArmOutcome, ArmRow, PairRow
from imagewright.ports import Embedder
from imagewright.retrieval.builtin import load_shipped_evidence
from imagewright.retrieval.candidates import rank
from imagewright.retrieval.estimate import NOISE, Z90
from imagewright.retrieval.evidence import EvidenceFile, PromptFacts
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.score_matrix import read_scores
from imagewright.schemas import Candidate, Categories, Evidence, Flow, ParsedPrompt, Readiness

FOLDS = 5
_SEED = 90
_PAIRS = (("selected", "best-fixed"), ("selected", "category-table"), ("selected", "random"))
_Key = Callable[[str, PromptFacts], str]
"""Which prompts must stay together in a fold."""


Of = TypeVar("Of", Evidence, "HeldOutCell")
"""What is about one prompt."""


@dataclass(frozen=True)
class HeldOutCell:
    """A held-out flow and prompt: what was predicted and what was measured, all in [0, 1]."""

    prompt: str
    flow: str
    estimate: float
    low: float
    high: float
    """The 90 % interval for the mean of as many scores as were measured."""
    value: float

    @property
    def inside(self) -> bool:
        """Whether the measured mean lies in the interval."""
        return self.low <= self.value <= self.high


def by_prompt(prompt: str, facts: PromptFacts) -> str:
    """Each prompt for itself: the folds hold prompts that are new, of things that are not."""
    return prompt


def by_things(prompt: str, facts: PromptFacts) -> str:
    """Prompts of the same things together: the folds hold combinations that the other folds never saw."""
    parsed = facts.parsed or ParsedPrompt()
    return " ".join(sorted(f"{group.count} {group.object}" for group in parsed.groups)) or prompt


def folds_of(prompts: Mapping[str, PromptFacts], folds: int, key: _Key, seed: int = _SEED) -> list[set[str]]:
    """The prompts in ``folds`` parts of about the same size; those with one key are never parted."""
    together: dict[str, list[str]] = {}
    for prompt, facts in prompts.items():
        together.setdefault(key(prompt, facts), []).append(prompt)
    groups = [together[name] for name in sorted(together)]
    random.Random(seed).shuffle(groups)
    made: list[set[str]] = [set() for _ in range(folds)]
    for group in groups:
        min(made, key=len).update(group)
    return [part for part in made if part]


def read_evidence(path: Path | None) -> EvidenceFile:
    """The scores in a file of evidence or a score matrix; those that ship for None.

    Raises:
        BadInput: the file is neither.
    """
    return load_shipped_evidence() if path is None else read_scores(path)


def predict(
    evidence: EvidenceFile,
    flows: Sequence[Flow],
    embedder: Embedder,
    home: Path,
    folds: int = FOLDS,
    key: _Key = by_prompt,
) -> tuple[list[HeldOutCell], list[ArmOutcome]]:
    """Every cell predicted from the other folds, and the outcome of each rule on each prompt.

    Args:
        evidence: scores with the facts of their prompts.
        flows: the flows that they are about.
        embedder: what the index embeds with.
        home: an empty folder for the indexes of the folds.
        folds: how many.
        key: what must not be parted.

    Raises:
        BadInput: the evidence names other flows, or is too small for so many folds.
    """
    known = {flow.id for flow in flows}
    rows = [row for row in evidence.rows if row.flow in known]
    prompts = {text: evidence.prompts.get(text, PromptFacts()) for text in sorted({row.prompt for row in rows})}
    parts = folds_of(prompts, folds, key)
    if len(parts) < 2:
        raise BadInput("there are too few prompts with scores of these flows", "measure more, or name other evidence")
    cells: list[HeldOutCell] = []
    outcomes: list[ArmOutcome] = []
    for number, part in enumerate(parts):
        index = FlowIndex(home / f"{number}.sqlite", home / f"chroma-{number}", embedder)
        index.add_many(flows)
        known_rows = [row for row in rows if row.prompt not in part]
        index.add_evidence(known_rows, prompts)
        held = [row for row in rows if row.prompt in part]
        found = _fold(index, held, prompts)
        cells += found
        outcomes += _rules(known_rows, prompts, found)
    return cells, outcomes


def _fold(index: FlowIndex, held: Sequence[Evidence], prompts: Mapping[str, PromptFacts]) -> list[HeldOutCell]:
    ready = {flow.id: Readiness() for flow in index.list()}
    noise = _noise(index.evidence_for())
    cells = []
    for prompt, rows in _grouped(held).items():
        facts = prompts[prompt]
        parsed = facts.parsed or ParsedPrompt()
        labels = Categories(labels=facts.categories)
        offered = rank(index, prompt, parsed, labels, ready, rows[0].backend, k=len(ready))
        values: dict[str, list[float]] = {}
        for row in rows:
            values.setdefault(row.flow, []).append(row.value)
        cells += [_cell(prompt, each, values[each.flow], noise) for each in offered if each.flow in values]
    return cells


def _cell(prompt: str, offered: Candidate, values: Sequence[float], noise: float) -> HeldOutCell:
    """The interval of an expectation, widened by the noise of a mean of so many scores."""
    below, above = ((offered.estimate - offered.low) / Z90, (offered.high - offered.estimate) / Z90)
    low = offered.estimate - Z90 * math.sqrt(below**2 + noise / len(values))
    high = offered.estimate + Z90 * math.sqrt(above**2 + noise / len(values))
    return HeldOutCell(prompt, offered.flow, offered.estimate, max(low, 0.0), min(high, 1.0), float(np.mean(values)))


def _noise(rows: Sequence[Evidence]) -> float:
    """The variance of one score about the mean of its cell."""
    cells: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        cells.setdefault((row.flow, row.prompt), []).append(row.value)
    spread = [float(np.var(values, ddof=1)) for values in cells.values() if len(values) > 1]
    return float(np.mean(spread)) if spread else NOISE**2


def _rules(
    known: Sequence[Evidence], prompts: Mapping[str, PromptFacts], cells: Sequence[HeldOutCell]
) -> list[ArmOutcome]:
    """What each rule's flow scored on the prompts of ``cells``; ``known`` is all that the rules may look at."""
    labels = {text: facts.categories for text, facts in prompts.items()}
    table = table_of(known, labels, labels)
    outcomes = []
    for prompt, found in _grouped(cells).items():
        mine = {cell.flow: cell for cell in found}
        picked = {
            "best-fixed": table.best,
            "category-table": table.best_for(prompt),
            "selected": _selected(found),
        }
        scores = {rule: mine[flow].value for rule, flow in picked.items() if flow in mine}
        scores["random"] = float(np.mean([cell.value for cell in mine.values()]))
        scores["best in hindsight"] = max(cell.value for cell in mine.values())
        kind = " + ".join(labels[prompt]) or "none"
        outcomes += [ArmOutcome(rule, prompt, 0, score, 0, 0.0, kind) for rule, score in scores.items()]
    return outcomes


def _grouped(items: Iterable[Of]) -> dict[str, list[Of]]:
    """By prompt, in the order of the prompts."""
    found: dict[str, list[Of]] = {}
    for item in items:
        found.setdefault(item.prompt, []).append(item)
    return dict(sorted(found.items()))


def _selected(cells: Sequence[HeldOutCell]) -> str:
    """The flow of the highest estimate; of equals, the first by name."""
    return max(sorted(cells, key=lambda cell: cell.flow), key=lambda cell: cell.estimate).flow


@dataclass(frozen=True)
class Findings:
    """What held-out prediction showed."""

    cells: int
    covered: float
    """The share of cells in their 90 % intervals."""
    error: float
    """The mean absolute error of the estimates."""
    arms: tuple[ArmRow, ...]
    """Each rule with a 95 % interval (bootstrap by prompt)."""
    pairs: tuple[PairRow, ...]
    ceiling: Ceiling | None
    """What the best flow of each kind of prompt could gain over the best fixed one; None where seeds are missing."""

    def as_json(self) -> dict[str, object]:
        """Plain values; without what pictures cost, for none was drawn."""
        rows = [{k: v for k, v in asdict(row).items() if not k.endswith("_per_prompt")} for row in self.arms]
        return {**asdict(self), "arms": rows}

    def table(self) -> str:
        """Lines for a terminal."""
        lines = [f"{'rule':<18} {'score':>7}   95 % interval"]
        lines += [f"{row.arm:<18} {row.overall:>7.3f}   {row.low:.3f} – {row.high:.3f}" for row in self.arms]
        lines.append("")
        lines += [f"{p.a} over {p.b}: {p.difference:+.3f} [{p.low:+.3f}, {p.high:+.3f}]" for p in self.pairs]
        held = f"90 % intervals hold {self.covered:.1%} of {self.cells} held-out cells"
        lines += ["", f"{held}; mean error {self.error:.3f}", _ceiling_line(self.ceiling)]
        return "\n".join(lines)


def _ceiling_line(found: Ceiling | None) -> str:
    if found is None:
        return "no ceiling: it needs every flow on every prompt with the same two or more seeds"
    line = f"best flow of each kind of prompt over best fixed: {found.gap:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
    if found.recovered is None:
        return f"{line}; no gap to recover"
    return f"{line}; the selected flows recover {found.recovered:.0%} of it"


def report_selection(cells: Sequence[HeldOutCell], outcomes: Sequence[ArmOutcome], evidence: EvidenceFile) -> Findings:
    """Coverage and error of the predictions, what each rule's choice scored, and the ceiling over ``evidence``."""
    chosen = {prompt: _selected(found) for prompt, found in _grouped(cells).items()}
    flows = {cell.flow for cell in cells}
    try:
        highest = ceiling(
            [row for row in evidence.rows if row.flow in flows],
            {prompt: prompt_kind(evidence.prompts.get(prompt, PromptFacts())) for prompt in chosen},
            chosen,
        )
    except BadInput:
        highest = None
    compared = paired.report(outcomes, _PAIRS)
    return Findings(
        cells=len(cells),
        covered=float(np.mean([cell.inside for cell in cells])),
        error=float(np.mean([abs(cell.estimate - cell.value) for cell in cells])),
        arms=compared.arms,
        pairs=compared.pairs,
        ceiling=highest,
    )
