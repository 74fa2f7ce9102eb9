"""The bench of the server: what it counts is right; its times are the machine's and are not judged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagewright.cli import bench
from imagewright.serve.bench import tally


def test_it_loses_and_doubles_nothing_and_reports(capsys: pytest.CaptureFixture[str], typed: Any) -> None:
    code, out, err = typed(capsys)("bench", "serve", "--alone", "5", "--together", "30", "--many", "10", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["lost"], found["doubled"], found["together"]) == (0, 0, 30)
    assert 0 < found["own_median"] <= found["own_p95"]
    assert 1 <= found["most_waiting"] <= 30
    assert found["memory_after"] > 0
    assert (found["terminal"], found["terminal_median"] > 0) == (3, True)
    assert bench.app.registered_commands


def test_what_is_lost_and_doubled_is_counted_by_the_queue() -> None:
    """Not by the answers alone: a job that failed, an answer that never came, and a job done twice over."""
    done = dict.fromkeys(("a", "b", "c"), "done")
    assert tally(3, ["a", "b", "c"], done) == (0, 0)
    assert tally(3, ["a", "b", "c"], {**done, "c": "failed"}) == (1, 0)
    assert tally(3, ["a", "b", ""], done) == (1, 0)
    assert tally(3, ["a", "a", "b"], {**done, "d": "done"}) == (1, 1)
