"""The table of docs/executor.md names the tests that prove it, and every rule's test here is named in it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
HELPERS = frozenset({
    "test_an_area_stays_on_the_canvas", "test_a_hard_mask_is_as_before", "test_rules_as_text",
    "test_rules_that_mean_nothing", "test_a_static_shift_has_nothing_to_tell", "test_an_x0_model_gives_its_answer",
    "test_shift_at_every_size_is_comfyuis", "test_vectors_are_what_the_encoder_reads",
    "test_each_encoder_reads_its_own_vectors",
})  # fmt: skip
"""Tests of parts, not of a rule by itself."""


def rows() -> list[list[str]]:
    text = (ROOT / "docs" / "executor.md").read_text(encoding="utf-8")
    table = text.split("| what | equal to | tests |")[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:] if line]


def names_in(folder: Path) -> set[str]:
    return {name for file in folder.rglob("test_*.py")
            for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)}  # fmt: skip


def test_every_row_names_tests_that_are_there() -> None:
    there = names_in(ROOT / "tests" / "t2i_backends")
    assert len(rows()) > 15
    for what, equal, names in rows():
        found = re.findall(r"`(test_\w+)`", names)
        assert found, what
        assert set(found) <= there, what
        assert equal.startswith(("both", "ComfyUI", "stock", "neither")), what


def test_every_rule_tested_here_is_in_the_table() -> None:
    named = {name for row in rows() for name in re.findall(r"`(test_\w+)`", row[2])}
    mine = names_in(Path(__file__).parent) - HELPERS - names_of_docs()
    assert mine - named == set()


def names_of_docs() -> set[str]:
    return set(re.findall(r"^def (test_\w+)", Path(__file__).read_text(encoding="utf-8"), re.MULTILINE))


def test_every_kind_of_equality_is_in_the_table() -> None:
    said = {row[1].split(";")[0].split(" ")[0] for row in rows()}
    assert said == {"both", "ComfyUI", "stock", "neither"}
