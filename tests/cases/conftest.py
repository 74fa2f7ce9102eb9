"""Situations that people met: ``pytest tests/cases --cases`` prints them as a table, right or wrong."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

_ROWS: dict[tuple[str, str], bool] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--cases``."""
    parser.addoption("--cases", action="store_true", help="print a table of the cases")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note whether each case is right: in every test that names it, and every part of the test."""
    report = yield
    ran = report.when == "call" or report.failed
    for mark in item.iter_markers("case") if ran and not report.skipped else ():
        key = (str(mark.args[0]), str(mark.args[1]))
        _ROWS[key] = _ROWS.get(key, True) and report.passed
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table."""
    if not config.getoption("--cases", default=False):
        return
    terminalreporter.section("cases")
    for (case, kind), right in sorted(_ROWS.items()):
        terminalreporter.write_line(f"{case:<8} {kind:<12} {'right' if right else 'WRONG'}")
    terminalreporter.write_line(f"{sum(_ROWS.values())} of {len(_ROWS)} right")
