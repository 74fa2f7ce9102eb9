"""Many runs into one folder: each keeps its name, through kills and resumes, and takes nobody else's."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from imagewright.errors import BadInput, Cancelled
from imagewright.memory.artifacts import ArtifactStore
from imagewright.memory.reservations import claim_name, free_name, holder_of, list_names, reserve_name
from imagewright.schemas import RunResult
from imagewright.trace import open_trace

Studio = Callable[..., Any]
COLOURS = ("red", "blue", "green", "orange", "purple", "black")
MOST = 6
"""Runs that are drawn at once."""


# --- names ----------------------------------------------------------------------------------


def test_a_name_is_reserved_once_and_freed_by_its_run_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert reserve_name(path, "one")
    assert reserve_name(path, "one")
    assert not reserve_name(path, "two")
    assert holder_of(path) == "one"
    assert not free_name(path, "two")
    assert free_name(path, "one")
    assert not path.exists()


@pytest.mark.parametrize("data", [b"", b"imagewright: this name", b"\x89PNG", b"x" * 10_000])
def test_any_other_file_is_nobodys_reservation(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    assert holder_of(path) == ""
    assert not reserve_name(path, "one")
    assert claim_name(path, "one", lambda name: False) == tmp_path / "a-2.png"
    assert path.read_bytes() == data


def test_a_link_and_a_folder_are_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "a-2.png").mkdir()
    assert claim_name(tmp_path / "a.png", "one", lambda name: False).name == "a-3.png"
    assert not (tmp_path / "nowhere").exists()


def test_a_number_is_counted_on_where_we_chose_the_name() -> None:
    names = list_names(Path("chat-09.png"), counts=True)
    assert [next(names).name for _ in range(3)] == ["chat-09.png", "chat-10.png", "chat-11.png"]
    names = list_names(Path("seed-7.png"), counts=False)
    assert [next(names).name for _ in range(3)] == ["seed-7.png", "seed-7-2.png", "seed-7-3.png"]


# --- one run --------------------------------------------------------------------------------


def test_somebodys_own_file_stays(studio: Studio) -> None:
    home = studio()
    mine = home.home / "mine.png"
    mine.write_bytes(b"mine")
    with pytest.raises(BadInput, match="is there already") as error:
        home.draw("a red circle", out=str(mine))
    assert "--force" in error.value.remedy
    assert mine.read_bytes() == b"mine"
    assert home.draw("a red circle", out=str(mine), taken="number").path == str(home.home / "mine-2.png")
    assert mine.read_bytes() == b"mine"
    assert home.draw("a red circle", out=str(mine), taken="replace").path == str(mine)
    assert mine.read_bytes().startswith(b"\x89PNG")


def test_a_forced_picture_takes_the_place_when_it_is_done_and_not_before(studio: Studio) -> None:
    home = studio()
    mine = home.home / "mine.png"
    mine.write_bytes(b"mine")
    home.backend.flaw = _stop
    with pytest.raises(Cancelled):
        home.draw("a red circle", out=str(mine), taken="replace")
    assert mine.read_bytes() == b"mine"


def test_what_takes_the_name_in_the_meantime_stays(studio: Studio) -> None:
    home = studio()
    out = home.home / "a.png"

    def put(event: Any) -> None:
        if event.kind == "image":
            assert holder_of(out) == event.run
            out.write_bytes(b"mine")

    result = home.draw("a red circle", out=str(out), on_event=put)
    assert out.read_bytes() == b"mine"
    assert result.path == str(home.home / "a-2.png")
    assert any("a.png was taken" in note for note in result.notes)
    assert home.runs.get(result.run).out == result.path


@pytest.mark.parametrize("data", [b"", b'{"mine": 1}', b'{"imagewright": 1, "run": "another"}'])
def test_the_name_of_the_trace_stands_in_nobodys_way(studio: Studio, data: bytes) -> None:
    home = studio()
    other = home.home / "a.json"
    other.write_bytes(data)
    result = home.draw("a red circle", out=str(home.home / "a.png"))
    assert other.read_bytes() == data
    assert result.trace == str(home.home / "a.trace.json")
    assert open_trace(Path(result.trace)).run == result.run


def test_a_stopped_run_frees_its_name_and_takes_it_again(studio: Studio) -> None:
    home = studio()
    flawless, home.backend.flaw = home.backend.flaw, _stop
    with pytest.raises(Cancelled):
        home.draw("a red circle", out=str(home.home / "a.png"))
    assert list(home.home.glob("*.png")) == []
    home.backend.flaw = flawless
    run = home.runs.list()[0].id
    assert home.resume(run).path == str(home.home / "a.png")


def _stop(job: Any, regions: Any) -> Any:
    raise Cancelled("stopped")


# --- many at once ---------------------------------------------------------------------------


@pytest.mark.parametrize("actions", [pytest.param(12, id="a dozen"), pytest.param(200, marks=pytest.mark.slow)])
def test_runs_killed_and_resumed_in_one_folder(kit: ModuleType, tmp_path: Path, actions: int) -> None:
    crowd = Crowd(kit, tmp_path / "home", tmp_path / "pictures", random.Random(actions))
    for _ in range(actions):
        crowd.act()
    results = crowd.finish()
    assert len(results) == crowd.begun >= actions // 6
    assert crowd.killed > 0
    insist_on_each(results, tmp_path / "check")
    own = {path.name for path in crowd.folder.iterdir()} - {
        Path(name).name for r in results for name in (r.path, r.trace)
    }
    assert own == {path.name for path in crowd.mine}
    assert all(path.read_bytes() == b"mine" for path in crowd.mine)


def insist_on_each(results: list[RunResult], scratch: Path) -> None:
    """Every delivered picture is there, with its own pixels and its own trace, and none is another's."""
    store = ArtifactStore(scratch)
    assert len({result.path for result in results}) == len({result.trace for result in results}) == len(results)
    for result in results:
        with Image.open(result.path) as picture:
            assert store.put_image(picture) == result.image
        assert open_trace(Path(result.trace)).run == result.run


class Crowd:
    """Up to six processes that draw into one folder under names that they all want."""

    def __init__(self, kit: ModuleType, home: Path, folder: Path, chance: random.Random) -> None:
        self.kit, self.home, self.folder, self.chance = kit, home, folder, chance
        folder.mkdir()
        self.begun = self.killed = 0
        self.alive: list[int] = []
        self.mine: list[Path] = []
        self.log = kit.Studio(home).runs

    def act(self) -> None:
        """Begin a run, kill one, go on with one, or put a file of one's own under the next name."""
        time.sleep(self.chance.uniform(0, 0.3))
        self._reap()
        deeds = [self._begin, self._begin, self._begin, self._kill, self._kill, self._resume, self._resume, self._put]
        self.chance.choice(deeds)()

    def finish(self) -> list[RunResult]:
        """Let everything that was begun end; what each run came to."""
        while True:
            for pid in self.alive:
                os.waitpid(pid, 0)
            self.alive = []
            open_runs = [row for row in self.log.list(1000) if row.result is None]
            if not open_runs:
                return [row.result for row in self.log.list(1000) if row.result is not None]
            self._go_on(open_runs[0].id)

    def _begin(self) -> None:
        if len(self.alive) < MOST:
            prompt = f"a {self.chance.choice(COLOURS)} circle above a {self.chance.choice(COLOURS)} square"
            out = str(self.folder / "picture.png")
            before = len(self.log.list(1000))
            self._fork(lambda studio: studio.draw(prompt, out=out, taken="number"))
            until = time.monotonic() + 60
            while len(self.log.list(1000)) == before and time.monotonic() < until:
                time.sleep(0.005)
            self.begun += 1

    def _kill(self) -> None:
        if self.alive:
            pid = self.alive.pop(self.chance.randrange(len(self.alive)))
            os.kill(pid, signal.SIGKILL)
            self.killed += os.WIFSIGNALED(os.waitpid(pid, 0)[1])

    def _resume(self) -> None:
        dead = [row.id for row in self.log.list(1000) if row.status in ("interrupted", "failed")]
        if dead and len(self.alive) < MOST:
            self._go_on(self.chance.choice(dead))

    def _go_on(self, run: str) -> None:
        self._fork(lambda studio: studio.resume(run))

    def _put(self) -> None:
        path = next(name for name in list_names(self.folder / "picture.png", counts=True) if not name.exists())
        if reserve_name(path, "mine"):
            path.write_bytes(b"mine")
            self.mine.append(path)

    def _fork(self, work: Callable[[Any], object]) -> None:
        if pid := os.fork():
            self.alive.append(pid)
            return
        code = 1
        try:
            work(self.kit.Studio(self.home, delay=0.02))
            code = 0
        finally:
            os._exit(code)

    def _reap(self) -> None:
        self.alive = [pid for pid in self.alive if os.waitpid(pid, os.WNOHANG)[0] == 0]
