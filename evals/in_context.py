"""What a language model would have to read if the flows' scores stood in its context, as ComfyGen-IC's do.

That table (Gal et al. 2024) has a row for every flow with its mean score under every label. Here it is written from
the cards and scores of an index: a sample of its rows is counted, for hundreds of thousands are alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from imagewright.agents.selector.llm import selector_prompt
from imagewright.retrieval.index import FlowIndex
from imagewright.schemas import Candidate, Categories

Count = Callable[[str], int]
"""Counts the tokens of a text."""
_SAMPLE = 200
_SCORES = """
    SELECT label.value, e.value FROM evidence e JOIN prompts p ON p.id = e.prompt, json_each(p.categories) label
    WHERE e.flow = ? AND e.backend = ?
"""


def count_table(index: FlowIndex, backend: str, count: Count) -> int:
    """Tokens of the table of all flows of ``index``; ``count`` counts those of a text."""
    names = index.ids()
    some = names[:: max(1, len(names) // _SAMPLE)]
    labels = sorted({label for facts in index.prompt_facts().values() for label in facts.categories})
    rows = [write_row(index, name, backend, labels) for name in some]
    return count(" | ".join(["flow", "title", *labels])) + round(sum(map(count, rows)) * len(names) / len(rows))


def write_row(index: FlowIndex, name: str, backend: str, labels: Sequence[str]) -> str:
    """A flow's row: its id, its title, and its mean score under each of ``labels``; a dash for none."""
    found: dict[str, list[float]] = defaultdict(list)
    with index.reading() as db:
        for label, value in map(tuple, db.execute(_SCORES, (name, backend))):
            found[label].append(value)
    means = [f"{sum(found[label]) / len(found[label]):.2f}" if found[label] else "-" for label in labels]
    return " | ".join([name, index.get(name).card.title, *means])


def count_short_list(listed: Sequence[Candidate], prompt: str, labels: tuple[str, ...], count: Count) -> int:
    """Tokens of what the selector's agent reads instead."""
    return count(selector_prompt(prompt, Categories(labels=labels), listed).text)
