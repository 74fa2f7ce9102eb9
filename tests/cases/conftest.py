"""Situations that people met: ``pytest tests/cases --cases`` prints them as a table, right or wrong."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

import pytest

_ID = re.compile(r"(?<![A-Za-z0-9])[a-f]\d\d(?![A-Za-z0-9])")
_ROWS: dict[tuple[str, str], bool] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--cases``."""
    parser.addoption("--cases", action="store_true", help="print a table of the cases")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note whether each case is right: in every test that names it, and every part of the test."""
    report = yield
    ran = report.when == "call" or report.failed
    for key in _cases(item) if ran and not report.skipped else ():
        _ROWS[key] = _ROWS.get(key, True) and report.passed
    return report


def _cases(item: pytest.Item) -> set[tuple[str, str]]:
    """The cases that a test is about: by its marks, else by the ids (``e01``) in its name or docstring."""
    marks = {(str(mark.args[0]), str(mark.args[1])) for mark in item.iter_markers("case")}
    if marks:
        return marks
    words = f"{item.name} {getattr(getattr(item, 'function', None), '__doc__', '') or ''}"
    kind = item.path.stem.removeprefix("test_").replace("_", " ")
    return {(case, kind) for case in _ID.findall(words)}


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table."""
    if not config.getoption("--cases", default=False):
        return
    terminalreporter.section("cases")
    for (case, kind), right in sorted(_ROWS.items()):
        terminalreporter.write_line(f"{case:<8} {kind:<12} {'right' if right else 'WRONG'}")
    terminalreporter.write_line(f"{sum(_ROWS.values())} of {len(_ROWS)} right")
