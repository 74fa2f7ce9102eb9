"""A draw that is killed anywhere goes on from where it was: delivered once, nothing drawn twice."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import warm

from imagewright.errors import NeedsAnswer
from imagewright.graph import runner
from imagewright.memory.runs import RunRow, new_run_id
from imagewright.schemas import DrawRequest, RunResult

PROMPT = "two red circles above a blue square on a white background"
KIT = Path(__file__).with_name("kit.py")
Studio = Callable[..., Any]


def run_kit(home: Path, *words: str) -> warm.Popen:
    """Start a draw (or a resume) in a process of its own; it tells its events on standard output."""
    command = [sys.executable, str(KIT), str(home), PROMPT, *words]
    return warm.Popen(
        command, stdout=warm.PIPE, stderr=warm.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


def kill_after(home: Path, lines: int, *words: str) -> list[str]:
    """Kill -9 a draw after so many events; the events."""
    process = run_kit(home, *words)
    assert process.stdout is not None
    seen = [line for line, _ in zip(process.stdout, range(lines), strict=False)]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return seen


def finish(home: Path, run: str) -> RunResult:
    """Resume in a new process, to the end."""
    out, err = run_kit(home, run).communicate(timeout=120)
    results = [line for line in out.splitlines() if line.startswith("RESULT ")]
    assert len(results) == 1, out + err
    return RunResult.model_validate_json(results[0].removeprefix("RESULT "))


@pytest.fixture(scope="module")
def unbroken(kit: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same draw without any kill."""
    studio = kit.Studio(tmp_path_factory.mktemp("unbroken"), flaw=kit.always_a_star_too_many)
    return studio.draw(PROMPT), studio


# The unbroken draw tells 46 events. Four points are tried each time, always the same ones; the others when asked.
POINTS = random.Random(2).sample(range(2, 45), 20)


@pytest.mark.parametrize("point", [*POINTS[:4], *(pytest.param(point, marks=pytest.mark.slow) for point in POINTS[4:])])
def test_killed_at_any_point_it_goes_on(point: int, tmp_path: Path, unbroken: Any, kit: ModuleType) -> None:
    expected, reference = unbroken
    seen = kill_after(tmp_path, point)
    run = seen[0].split()[1]
    kept = kit.Studio(tmp_path)
    assert kept.runs.get(run).status in ("interrupted", "delivered")
    stored = sorted((tmp_path / "artifacts" / "keys").rglob("*.json"))
    result = finish(tmp_path, run)

    assert (result.run, result.image) == (run, expected.image)
    assert [made.image for made in result.rounds] == [made.image for made in expected.rounds]
    assert [made.seed for made in result.rounds] == [made.seed for made in expected.rounds]
    begun = Counter(kept.draws("begin"))
    assert set(begun) == set(reference.draws("begin"))
    assert max(begun.values()) <= 2
    # Only the picture that was being drawn may be drawn again; what was stored before the kill is not.
    assert sum(begun.values()) - len(reference.draws("begin")) <= 1
    assert len(sorted((tmp_path / "artifacts" / "keys").rglob("*.json"))) == len(expected.rounds) >= len(stored)
    with sqlite3.connect(tmp_path / "db.sqlite") as connection:
        assert connection.execute("SELECT run FROM deliveries").fetchall() == [(run,)]
    assert [path.name for path in sorted(tmp_path.glob("imagewright-*"))] == [
        f"imagewright-{run}.json", f"imagewright-{run}.png"
    ]  # fmt: skip


def test_killed_twice_it_still_goes_on(tmp_path: Path, unbroken: Any) -> None:
    expected, _ = unbroken
    run = kill_after(tmp_path, 14)[0].split()[1]
    kill_after(tmp_path, 9, run)
    assert finish(tmp_path, run).image == expected.image


def test_a_picture_that_was_stored_is_not_drawn_again(studio: Studio, kit: ModuleType) -> None:
    """The narrowest gap: the picture and its sidecar are there, and the checkpoint after it is not."""
    home = studio(flaw=kit.always_a_star_too_many)

    class Killed(BaseException):
        """Stands for the end of the process."""

    def kill(event: Any) -> None:
        if event.kind == "image":
            raise Killed

    with pytest.raises(Killed):
        home.draw(PROMPT, on_event=kill)
    run = home.runs.list()[0].id
    before = home.draws("done")
    result = home.resume(run)
    assert home.draws("done")[: len(before)] == before
    assert Counter(home.draws("done")).most_common(1)[0][1] == 1
    assert result.images == 4


def test_a_delivery_that_lost_its_row_is_repeated_with_the_same_bytes(studio: Studio) -> None:
    """Killed between the file and its row: the same bytes go under the same name, and there is one row."""
    home = studio()
    deliver, lost = home.runs.deliver, []

    def lose_it_once(result: RunResult, trace: dict[str, Any]) -> bool:
        if not lost:
            lost.append(Path(result.path).read_bytes())
            raise KeyboardInterrupt
        return bool(deliver(result, trace))

    home.runs.deliver = lose_it_once
    with pytest.raises(Exception, match="stopped"):
        home.draw(PROMPT)
    run = home.runs.list()[0].id
    result = home.resume(run)
    assert Path(result.path).read_bytes() == lost[0]
    assert home.told("delivered") == [result.path]
    assert json.loads(Path(result.trace).read_text())["run"] == run


def test_a_program_that_wants_to_be_asked_is_and_its_reply_goes_on(kit: ModuleType, tmp_path: Path) -> None:
    home = kit.Studio(tmp_path, flaw=kit.always_a_star_too_many)
    parts = dataclasses.replace(home.parts, asks=True)
    request = DrawRequest(prompt="two red circles above a blue square", max_images=1, out=str(tmp_path / "a.png"))
    row = RunRow.new(new_run_id(), "", request, 7, tmp_path / "a.png")
    row = row.model_copy(update={"thread": runner.thread_id(row.id, request)})
    with pytest.raises(NeedsAnswer, match="would pass your limit of 1 image") as asked:
        runner.begin(parts, home.checkpoints, row, lambda event: None)
    assert asked.value.run == row.id
    assert home.runs.get(row.id).status == "asked"
    with pytest.raises(NeedsAnswer, match="would pass your limit of 1 image"):
        runner.resume(parts, home.checkpoints, row, lambda event: None)
    done = runner.resume(parts, home.checkpoints, row, lambda event: None, "no")
    assert done.images == 1
    assert len(home.draws("done")) == 1, "nothing was drawn twice"
