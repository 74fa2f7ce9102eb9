"""Words in a window: lines end between words, a path stays whole, and nothing that others wrote steers a terminal."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.cli.options import read_prompt
from imagewright.cli.terminal.text import clean, emit_json, emit_prose, render, render_labelled, table
from imagewright.cli.terminal.wrapping import measure, wrap

PATH = "/home/person/a-folder-with-a-long-name/models/checkpoints/" + "v1-5-pruned-emaonly" * 4 + ".safetensors"


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Output is a terminal without colours, 80 columns wide until the test says otherwise."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    return monkeypatch


@given(st.text("ab é赤/ ", max_size=200), st.integers(2, 40))
def test_no_word_is_lost_and_no_line_too_wide_but_for_a_path(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(measure(line) <= width or "/" in line for line in lines)


def test_a_path_is_never_broken() -> None:
    lines = wrap(f"it is missing: put it at {PATH} and try again, or choose another flow", 40)
    assert PATH in lines
    assert lines[0] == "it is missing: put it at"


def test_wide_letters_take_two_columns() -> None:
    assert wrap("赤い丸と青い四角", 8) == ["赤い丸と", "青い四角"]


@pytest.mark.parametrize("width", [80, 120])
def test_a_table_fits_and_cuts_nothing(columns: pytest.MonkeyPatch, width: int) -> None:
    columns.setenv("COLUMNS", str(width))
    rows = [("missing", "flow sd15-base", f"it is missing: put it at {PATH}"), ("ok", "device", "cpu " * 40)]
    text = render(table(("", "what", "how it is"), rows, stretch=2))
    assert [line for line in text.splitlines() if PATH in line]
    assert all(len(line) <= width for line in text.splitlines() if PATH not in line)


def test_in_a_narrow_window_the_wide_cell_stands_beneath(columns: pytest.MonkeyPatch) -> None:
    columns.setenv("COLUMNS", "40")
    text = render(table(("run", "flow", "prompt"), [("20261121-120000-abc123", "mini-layout", "a red fox")], stretch=2))
    assert text.splitlines()[1:] == ["20261121-120000-abc123  mini-layout", "    a red fox"]


def test_in_a_pipe_a_row_is_a_line() -> None:
    text = render(table(("what", "how"), [("a", "word " * 100), ("b", PATH)], stretch=1))
    assert len(text.splitlines()) == 3
    assert len(render(render_labelled([("note", "word " * 100)])).splitlines()) == 1


def test_prose_is_wrapped_in_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    emit_prose("word " * 50)
    assert len(capsys.readouterr().out.splitlines()) == 1
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    emit_prose("word " * 50)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


# --- text from outside ----------------------------------------------------------------------


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\u00ad", "\ufeff", "\U000e0041"])
def test_format_characters_are_taken_out(hidden: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert clean(f"gnp.{hidden}fox") == "gnp.fox"
    assert read_prompt(f"a red{hidden} fox") == "a red fox"
    emit_json({"prompt": f"fox{hidden}"})
    out = capsys.readouterr().out
    assert hidden not in out
    assert json.loads(out) == {"prompt": f"fox{hidden}"}


def test_what_words_are_spelt_with_stays() -> None:
    assert clean("می‌خواهم") == "می‌خواهم"
