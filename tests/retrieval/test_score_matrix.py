"""The compact file of scores: what goes in comes out, and a damaged file is refused by line."""

import pytest

from imagewright.errors import BadInput
from imagewright.retrieval.evidence import EvidenceFile, PromptFacts
from imagewright.retrieval.score_matrix import dump_matrix, parse_matrix
from imagewright.schemas import Evidence, ParsedGroup, ParsedPrompt


def row(flow: str, prompt: str, seed: int, value: float) -> Evidence:
    return Evidence(
        flow=flow, prompt=prompt, backend="diffusers", scorer="agreement", value=value, seed=seed, seconds=0.5,
        when="2026-01-01T00:00:00Z", graph_hash=f"hash-{flow}",
    )  # fmt: skip


FACTS = PromptFacts(ParsedPrompt(groups=(ParsedGroup(object="star", count=2),)), ("Counting",))
ROWS = tuple(
    row(flow, prompt, seed, value)
    for value, (flow, prompt, seed) in enumerate(
        [
            ("b", "two stars", 0),
            ("a", "two stars", 0),
            ("a", "two stars", 3),
            ("a", "one star", 0),
            ("b", "one star", 3),
        ]
    )
    for value in (value / 8,)
)
FILE = EvidenceFile(ROWS, {"two stars": FACTS, "one star": PromptFacts()}, {"scorer": "agreement"})


def test_what_goes_in_comes_out() -> None:
    found = parse_matrix(dump_matrix(FILE).splitlines(), "x")
    assert sorted(found.rows, key=str) == sorted(FILE.rows, key=str)
    assert found.prompts == FILE.prompts
    assert found.made == FILE.made


def test_equal_evidence_gives_equal_bytes() -> None:
    turned = EvidenceFile(tuple(reversed(ROWS)), dict(reversed(FILE.prompts.items())), FILE.made)
    assert dump_matrix(turned) == dump_matrix(FILE)


def test_a_damaged_file_is_refused_by_line() -> None:
    lines = dump_matrix(FILE).splitlines()
    for number, line in ((1, "{}"), (4, lines[3][:30]), (5, lines[4].replace("[", "", 1)), (2, '{"prompt": 1')):
        broken = [*lines[: number - 1], line, *lines[number:]]
        with pytest.raises(BadInput) as caught:
            parse_matrix(broken, "x")
        assert number == 1 or "line" in str(caught.value)
    with pytest.raises(BadInput, match="line 4 of x"):
        parse_matrix([*lines[:3], lines[3].replace(",null", "", 1)], "x")


def test_a_thousand_scores_are_small() -> None:
    rows = tuple(row("a", f"prompt {p}", seed, 0.5) for p in range(250) for seed in range(4))
    text = dump_matrix(EvidenceFile(rows))
    assert len(parse_matrix(text.splitlines(), "x").rows) == 1000
    assert len(text) < 35_000
