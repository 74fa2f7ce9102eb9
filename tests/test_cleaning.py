"""Deleting deletes, and a home is kept within bounds: what nothing needs goes, what people have stays."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright.cleaning import Growth, clean_home
from imagewright.cli.clean import read_age, read_bytes, say_size
from imagewright.deletion import delete_runs
from imagewright.errors import BadInput, Cancelled
from imagewright.memory.reservations import reserve_name
from imagewright.memory.threads import Threads
from imagewright.thread_files import delete

LONG_AGO = time.time() - 90 * 86400
Make = Callable[..., Any]


class Home:
    """What cleaning and deleting need of an engine."""

    def __init__(self, studio: Any) -> None:
        self.studio, self.runs, self.store = studio, studio.runs, studio.store
        self.flaw = studio.backend.flaw
        self.threads = Threads(studio.runs.path)
        self.settings = self
        self.checkpoints, self.data_dir, self.artifacts = studio.checkpoints, studio.home, studio.home / "artifacts"

    def clean(self, **options: Any) -> dict[str, Growth]:
        """What each kind came to."""
        return {kind.what: kind for kind in clean_home(self, **options)}  # type: ignore[arg-type]

    def stop_at(self, number: int) -> None:
        """Let the person stop what is drawn after so many pictures."""
        self.studio.backend.flaw = _Stopping(number)

    def age(self) -> None:
        """Let everything lie since long ago."""
        for path in self.data_dir.rglob("*"):
            if path.suffix != ".sqlite" and path.is_file():
                os.utime(path, (LONG_AGO, LONG_AGO))
        for path in (self.artifacts / "previews").glob("*"):
            os.utime(path, (LONG_AGO, LONG_AGO))
        with sqlite3.connect(self.runs.path) as connection:
            connection.execute("UPDATE runs SET created = '2020-01-01T00:00:00.000+00:00'")

    def pictures(self) -> set[str]:
        """The pictures in the store."""
        return {image for image, _ in self.store.pictures()}


class _Stopping:
    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, job: Any, regions: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Cancelled("stopped")
        from imagewright.schemas import Region

        return [*regions, Region(caption="a purple star", x=0.84, y=0.84, width=0.15, height=0.15)]


@pytest.fixture
def home(load_module: Callable[[str, Path], ModuleType], tmp_path: Path) -> Home:
    """A home with nothing in it."""
    kit = load_module("imagewright_graph_kit", Path(__file__).parent / "graph" / "kit.py")
    return Home(kit.Studio(tmp_path / "home"))


def stopped(home: Home, prompt: str = "a red circle", **options: Any) -> str:
    """A run that was stopped after its first picture; its id."""
    home.stop_at(1)
    with pytest.raises(Cancelled):
        home.studio.draw(prompt, **options)
    home.studio.backend.flaw = home.flaw
    return home.runs.list(1)[0].id


# --- deleting -------------------------------------------------------------------------------


def test_a_deleted_thread_takes_pictures_along_that_were_not_delivered(home: Home) -> None:
    home.studio.say("a yellow star", "sky")
    stopped(home, "a red circle", thread="sky", out=str(home.data_dir / "x.png"))
    assert len(home.pictures()) == 2
    assert delete(home, "sky") == 2  # type: ignore[arg-type]
    assert home.pictures() == set()
    assert list(home.artifacts.glob("keys/*/*")) == []
    assert not any(path.suffix == ".png" for path in home.data_dir.iterdir())


def test_a_thread_of_an_earlier_release_whose_sidecars_name_no_run(home: Home) -> None:
    stopped(home, "a red star", thread="sky")
    for path, made in home.store.sidecars():
        path.write_text(made.model_copy(update={"run": ""}).model_dump_json())
    assert delete(home, "sky") == 1  # type: ignore[arg-type]
    assert home.pictures() == set()


def test_a_deleted_run_is_gone_and_what_another_made_too_stays(home: Home) -> None:
    first, second = home.studio.draw("a red circle", seed=1), home.studio.draw("a red circle", seed=2)
    assert first.image == second.image
    row = next(row for row in home.runs.outline() if row.id == first.run)
    assert delete_runs(home, [row]) == 0  # type: ignore[arg-type]
    assert not Path(first.path).exists()
    assert not Path(first.trace).exists()
    assert home.store.has(first.image)
    with pytest.raises(BadInput, match="no run is called"):
        home.runs.get(first.run)
    assert Path(second.path).is_file()
    assert not [path for path in home.runs.locks.iterdir() if path.name.startswith(first.run)]


def test_a_run_that_is_alive_is_not_deleted(home: Home) -> None:
    run = stopped(home)
    home.runs.mark(run, "running")
    with home.runs.working_on(run):
        rows = list(home.runs.outline())
        with pytest.raises(BadInput, match="is being drawn"):
            delete_runs(home, rows)  # type: ignore[arg-type]
    assert len(home.pictures()) == 1


def test_somebodys_own_file_under_the_name_stays(home: Home) -> None:
    result = home.studio.draw("a red circle")
    Path(result.trace).write_text(json.dumps({"mine": 1}))
    delete_runs(home, list(home.runs.outline()))  # type: ignore[arg-type]
    assert Path(result.path).exists()
    assert Path(result.trace).exists()


# --- cleaning -------------------------------------------------------------------------------


def test_what_nothing_needs_goes_and_everything_else_stays(home: Home) -> None:
    done, open_run = home.studio.draw("a red circle"), stopped(home)
    home.studio.say("a yellow star", "sky")
    home.runs.note(done.run, "a word beside it")
    assert reserve_name(Path(home.runs.get(open_run).out), open_run)
    (home.artifacts / "aa").mkdir(exist_ok=True)
    (home.artifacts / "aa" / f"{'a' * 64}.png").write_bytes(b"nobody's")
    home.store.put_preview(open_run, home.store.open(done.image))
    kept = home.pictures() - {"a" * 64}
    home.age()
    told = home.clean(dry_run=True)
    assert {what for what, kind in told.items() if kind.removed} == {
        "locks of runs that are over", "previews", "sidecars of runs that are over", "pictures of no run",
        "names that killed runs reserved",
    }  # fmt: skip
    assert "a" * 64 in home.pictures()
    assert home.clean() == told
    assert home.pictures() == kept
    assert not any(kind.removed for kind in home.clean().values())
    assert Path(done.path).is_file()
    assert Path(home.studio.resume(open_run).path).is_file()


def test_checkpoints_of_a_run_that_was_killed_around_its_delivery(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from langgraph.checkpoint.sqlite import SqliteSaver

    with monkeypatch.context() as patch:
        patch.setattr(SqliteSaver, "delete_thread", lambda self, thread: None)
        home.studio.draw("a red circle")
    stopped(home)
    told = home.clean()["checkpoints of runs that are over"]
    assert told.removed == 1
    assert told.freed > 10_000
    assert home.clean()["checkpoints of runs that are over"].number == 0


def test_what_is_old_goes_where_asked_and_conversations_and_own_pictures_stay(home: Home) -> None:
    done = home.studio.draw("a red circle")
    home.studio.say("a yellow star", "sky")
    said = {image for row in home.runs.outline() if row.thread == "thread sky" for image in row.images}
    run = stopped(home, "a green square")
    home.age()
    young = stopped(home, "a blue square")
    told = home.clean(older_than=timedelta(days=30))
    assert told["runs that delivered nothing"].removed == 1
    with pytest.raises(BadInput):
        home.runs.get(run)
    assert home.runs.get(young).status == "cancelled"
    assert said <= home.pictures()
    assert Path(done.path).is_file()
    assert not home.store.has(done.image)
    assert told["copies of delivered pictures"].removed == 1


def test_the_store_is_kept_to_a_size_and_the_last_copy_of_a_picture_stays(home: Home) -> None:
    moved, there = home.studio.draw("a red circle"), home.studio.draw("a blue square")
    Path(moved.path).rename(home.data_dir / "elsewhere.png")
    home.age()
    home.clean(keep_size=0)
    assert home.store.has(moved.image)
    assert not home.store.has(there.image)
    assert Path(there.path).is_file()


def test_a_run_that_is_alive_is_left_alone(home: Home) -> None:
    run = stopped(home)
    home.runs.mark(run, "running")
    home.age()
    with home.runs.working_on(run):
        told = home.clean(older_than=timedelta(days=1), keep_size=0)
    assert told["runs that delivered nothing"].removed == 0
    assert len(home.pictures()) == 1


def test_the_name_that_a_killed_run_reserved_is_free_a_day_later(home: Home) -> None:
    run = stopped(home)
    home.runs.mark(run, "running")
    assert home.runs.retire() == []
    with sqlite3.connect(home.runs.path) as connection:
        yesterday = time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", time.gmtime(time.time() - 2 * 86400))
        connection.execute("UPDATE runs SET created = ?", (yesterday,))
    with home.runs.working_on(run):
        assert home.runs.retire() == []
    assert [name for name, _ in home.runs.retire()] == [run]
    assert home.runs.get(run).status == "interrupted"
    assert home.runs.retire() == []


@pytest.mark.parametrize(
    ("text", "hours"), [("12h", 12), ("30d", 720), (" 2w ", 336), ("1y", 8760), ("3 days", 72), ("0d", 0)]
)
def test_ages(text: str, hours: int) -> None:
    assert read_age(text) == timedelta(hours=hours)


@pytest.mark.parametrize(("text", "size"), [("500MB", 500_000_000), ("2 GB", 2 * 10**9), ("1.5k", 1500), ("0", 0)])
def test_sizes(text: str, size: int) -> None:
    assert read_bytes(text) == size


@pytest.mark.parametrize("text", ["", "soon", "-1d", "1e9d", "30"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--older-than"):
        read_age(text)


@pytest.mark.parametrize("text", ["", "much", "-1MB", "1 GB of it"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--keep-size"):
        read_bytes(text)


def test_sizes_are_said_for_people() -> None:
    told = [say_size(size) for size in (0, 999, 1500, 2_000_000, 5 * 10**12)]
    assert told == ["0 B", "999 B", "1.5 kB", "2.0 MB", "5000.0 GB"]
