"""The terminal at a running server: what is drawn, told and written is what it is without one."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import warm
from PIL import Image

from imagewright import Imagewright
from imagewright.errors import BadInput, Cancelled
from imagewright.memory.reservations import holder_of, reserve_name
from imagewright.schemas import DrawRequest

QUICK = ("--flow", "mini-quick", "--max-images", "1", "--no-critic")
PROMPT = "a red circle above a blue square"
TIMES = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}|\d+\.\d+ s|imagewright-tests-\S*?/served\d*/")


@pytest.fixture
def at_home(served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A terminal of the served home, in a folder of its own. What it draws itself is drawn on the same paper."""
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(served.home))
    monkeypatch.setenv("IMAGEWRIGHT_DEVICE", "cpu")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return served


def plain(text: str) -> str:
    """Without what differs from run to run."""
    return TIMES.sub("~", text)


def jobs(served: Any) -> int:
    return len(served.server.desk.book.list_jobs(None, 10_000))


def draw_both(typed: Any, capsys: Any, served: Any, monkeypatch: Any, tmp_path: Path, *words: str) -> list[Any]:
    """The command at the server and in its own process: codes, outputs, and what each folder then holds."""
    from imagewright.container import Container

    found = []
    own = Container.backend
    monkeypatch.setattr(Container, "backend", lambda self, name=None: served.backend or own(self, name))
    for folder, flag in (("at", "--server"), ("own", "--no-server")):
        (tmp_path / folder / "here").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / folder / "here")
        before = jobs(served)
        code, out, err = typed(capsys)(*words, flag)
        assert (jobs(served) > before) == (flag == "--server")
        files = {str(p.relative_to(tmp_path / folder)): p for p in (tmp_path / folder).rglob("*") if p.is_file()}
        found.append((code, *(plain(text.replace(str(tmp_path / folder), "")) for text in (out, err)), files))
    return found


def same_trace(one: Path, other: Path) -> None:
    told = [json.loads(path.read_text()) for path in (one, other)]
    for trace, path in zip(told, (one, other), strict=True):
        assert trace["path"] == str(path.with_suffix(".png"))
        assert trace["trace"] == str(path)
        for name in ("run", "path", "trace", "seconds", "spent", "rounds"):
            trace.pop(name)
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "words",
    [
        ("draw", PROMPT, "--seed", "5", *QUICK),
        ("draw", PROMPT, "--seed", "5", "-q", "--out", "sub/a.webp", "--steps", "3", *QUICK),
        ("draw", PROMPT, "--seed", "5", "--count", "2", "--out", "many", *QUICK),
        ("draw", PROMPT, "--seed", "5", "--image", "../../own.png", *QUICK),
        ("draw", PROMPT, "--seed", "5", "--flow", "nope"),
        ("draw", "{a|", "--seed", "5", "--out", ".hidden/x.txt"),
    ],
    ids=["story", "quiet", "count", "image", "no flow", "no picture's name"],
)
def test_the_output_and_the_files_are_the_same(
    words: tuple[str, ...],
    at_home: Any,
    typed: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if "nope" in words or "{a|" in words:  # refused before anything is ordered
        code, _, err = typed(capsys)(*words)
        assert (code, "--no-server" in err) == (2, False)
        assert typed(capsys)(*words, "--no-server")[2] == err
        return
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "own.png")
    (code, out, err, files), own = draw_both(typed, capsys, at_home, monkeypatch, tmp_path, *words)
    assert (code, out, err) == own[:3]
    assert code == (3 if "--image" in words else 0), "paper cannot be drawn on again"
    assert sorted(files) == sorted(own[3])
    for name, path in files.items():
        if path.suffix == ".json" and path.stem != "manifest":
            same_trace(path, own[3][name]) if path.with_suffix(".png").exists() else None
        elif path.suffix == ".webp":
            assert path.read_bytes()[:4] == b"RIFF"


def test_the_log_knows_the_picture_where_it_was_brought(
    at_home: Any, typed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = typed(capsys)("draw", PROMPT, "--json", "--out", "x.png", "--seed", "6", *QUICK)
    assert code == 0, err
    told = json.loads(out)
    assert err.splitlines()[0] == f"run {told['run']}"
    assert f"  delivered  {Path('x.png').absolute()}" in err.splitlines()
    row = at_home.engine.runs.get(told["run"])
    assert row.out == row.result.path == told["path"] == str(Path("x.png").absolute())
    beside = json.loads(Path("x.json").read_text())
    assert {name: at_home.engine.runs.show(told["run"])[name] for name in beside} == beside
    assert not (at_home.home / "served" / "owner" / told["run"]).exists()
    code, _, err = typed(capsys)("draw", PROMPT, "--out", "x.png", *QUICK)
    assert code == 2
    assert "is there already" in err
    code, out, _ = typed(capsys)("draw", PROMPT, "--out", "x.png", "--force", "-q", "--seed", "7", *QUICK)
    assert out == f"{Path('x.png').absolute()}\tnot judged\n"


def test_it_draws_itself_and_says_so_where_the_settings_differ(
    at_home: Any, typed: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from imagewright.container import Container

    monkeypatch.setattr(Container, "backend", lambda self, name=None: at_home.backend)
    monkeypatch.setenv("IMAGEWRIGHT_LEARN_CRITIC", "true")
    before = jobs(at_home)
    code, _, err = typed(capsys)("draw", PROMPT, *QUICK)
    assert code == 0
    assert re.match(r"the server at \S+ runs under other settings, keys or models; this process draws itself\n", err)
    code, _, err = typed(capsys)("draw", PROMPT, "-q", *QUICK)
    assert (code, err) == (0, "")
    assert jobs(at_home) == before


def test_a_conversation_of_the_terminal_is_drawn_there_too(
    at_home: Any, typed: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(*lines: str) -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
        code, out, err = typed(capsys)("chat", "--thread", "of the terminal", "--no-preview", "--seed", "3", *QUICK)
        assert code == 0, (out, err)
        return str(out)

    before = jobs(at_home)
    out = say("two red circles above a blue square", "make the circle green", "1", "save as boat.png", "undo", "why?")
    assert jobs(at_home) == before + 6
    here = Path.cwd()
    assert f"picture 2: {here / 'of-the-terminal-02.png'}" in out.replace("\n", " ").replace("  ", " ")
    assert (here / "boat.png").read_bytes()
    assert str(here / "boat.png") in "".join(turn.reply for turn in at_home.engine.threads.turns("of the terminal"))
    assert "back to picture 1" in out
    assert len(at_home.engine.threads.pictures("of the terminal")) == 2


def test_going_on_and_replaying_are_done_there_too(
    at_home: Any, typed: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from imagewright.container import Container

    engine, told = at_home.engine, []
    stopped = engine.name_run()
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        engine.draw(PROMPT, run=stopped, stop=stop, seed=8, max_images=1, use_critic=False, out="late.png")
    before = jobs(at_home)
    code, out, err = typed(capsys)("runs", "resume", stopped, "-q")
    assert (code, out) == (0, f"{Path('late.png').absolute()}\tnot judged\n"), err
    code, _, err = typed(capsys)("runs", "replay", stopped, "--out", "again.png")
    assert code == 0, err
    assert Path("again.png").read_bytes()[:4] == b"\x89PNG"
    assert jobs(at_home) == before + 2
    monkeypatch.setattr(Container, "backend", lambda self, name=None: at_home.backend)
    for flag in ("--server", "--no-server"):
        code, out, err = typed(capsys)("runs", "replay", stopped, "--json", flag)
        assert code == 0, err
        told.append(json.loads(out))
    assert told[0] == told[1]
    assert (told[0]["same"], told[0]["run"], told[0]["recorded"]) == (
        True,
        stopped,
        engine.runs.get(stopped).result.image,
    )
    assert typed(capsys)("runs", "replay", "20200101-000000-abcdef")[0] == 2
    assert jobs(at_home) == before + 3


# --- processes that go away -------------------------------------------------------------------

KIT = Path(__file__).parent / "kit.py"


class Apart:
    """A home served by a process of its own, which a test can kill, and a command at it."""

    def __init__(self, home: Path, folder: Path, kit: Any) -> None:
        self.home, self.folder, self._kit = home, folder, kit
        folder.mkdir()
        self.environment = {
            **os.environ, "IMAGEWRIGHT_HOME": str(home), "IMAGEWRIGHT_DEVICE": "cpu", "IMAGEWRIGHT_MODELS": "",
        }  # fmt: skip
        self.log = home / "log.txt"

    def serve(self, delay: float, lease: float = 1.5) -> warm.Popen:
        command = [sys.executable, str(KIT), str(self.home), "0", str(delay), str(lease)]
        server = warm.Popen(command, stdout=warm.PIPE, text=True, env=self.environment)
        assert server.stdout is not None
        assert server.stdout.readline().startswith("serving at")
        return server

    def draw(self, *words: str) -> warm.Popen:
        """The command; where it draws itself, on paper too."""
        code = (
            "import runpy, sys; from pathlib import Path\n"
            f"paper = runpy.run_path({str(KIT)!r})['Paper'](Path({str(self.log)!r}))\n"
            "from imagewright.container import Container; Container.backend = lambda self, name=None: paper\n"
            "from imagewright.cli import main; main()"
        )
        command = [sys.executable, "-c", code, "draw", PROMPT, "--seed", "9", "--out", "x.png", *QUICK, *words]
        out = warm.PIPE
        return warm.Popen(command, stdout=out, stderr=out, text=True, env=self.environment, cwd=self.folder)

    def wait_for(self, line: str) -> None:
        self._kit.wait_until(lambda: self.log.exists() and line in self.log.read_text().splitlines())


@pytest.fixture
def apart(kit: Any, tmp_path: Path) -> Apart:
    home = tmp_path / "home"
    engine = kit.engine_on(home, kit.Paper())
    engine.plan("a red circle")
    engine.close()
    return Apart(home, tmp_path / "folder", kit)


def end(process: warm.Popen, how: int = signal.SIGKILL) -> tuple[int, str, str]:
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_where_nobody_answers_this_process_does_what_it_ordered(served: Any, kit: Any, tmp_path: Path) -> None:
    """The address leads nowhere and the one worker is busy: the order is done here, once, and said so."""
    from imagewright.serve.address import ServerAddress
    from imagewright.serve.remote import ServerPlace

    here, said, paper = Imagewright(served.engine.settings), [], kit.Paper()
    here.use_backend("diffusers", paper)
    asking = Imagewright(served.engine.settings)
    asking.work_at(ServerPlace(here, ServerAddress(secret="s", url="http://127.0.0.1:9", pid=1), said.append))
    served.backend.delay = 1.0
    try:
        busy = served.client().post("/v1/runs", json={"prompt": PROMPT, "critic": False, "max_images": 1}).json()["id"]
        book = served.server.desk.book
        kit.wait_until(lambda: book.get(busy).status == "running")
        heard: list[str] = []
        made = asking.draw(
            PROMPT, seed=2, max_images=1, use_critic=False, out=tmp_path / "x.png",
            on_event=lambda event: heard.append(event.kind),
        )  # fmt: skip
    finally:
        served.backend.delay = 0.0
    assert (paper.drawn, said) == (1, ["the server went away; this process goes on with what it had begun"])
    assert (heard[0], heard[-1], made.path) == ("run", "delivered", str(tmp_path / "x.png"))
    assert book.get(made.run).status == "done"
    kit.wait_until(lambda: book.get(busy).over)


def test_a_killed_command_leaves_no_name_behind_and_a_living_one_keeps_its_own(kit: Any, tmp_path: Path) -> None:
    engine = kit.engine_on(tmp_path / "home", kit.Paper())
    out, late = tmp_path / "x.png", engine.name_run()
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from imagewright import Imagewright; from imagewright.schemas import DrawRequest\n"
        "from imagewright.settings import load_settings\n"
        "request = DrawRequest(prompt='a red circle', out=sys.argv[1])\n"
        "with Imagewright(load_settings()).await_picture(request, sys.argv[2]):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "IMAGEWRIGHT_HOME": str(tmp_path / "home"), "IMAGEWRIGHT_DEVICE": "cpu"}
    killed = warm.run([sys.executable, "-c", code, str(out), late], env=environment, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert holder_of(out) == late
    wishes = {"max_images": 1, "use_critic": False, "out": out}
    assert engine.draw(PROMPT, **wishes).path == str(out)
    out.unlink()
    waits = engine.await_picture(DrawRequest(prompt=PROMPT, out=str(out)), engine.name_run())
    with waits, pytest.raises(BadInput, match="is reserved for run"):
        engine.draw(PROMPT, **wishes)
    assert not out.exists()
    reserve_name(out, engine.name_run())  # of another home, as far as this one can tell
    with pytest.raises(BadInput, match="is reserved for run"):
        engine.draw(PROMPT, **wishes)


@pytest.mark.slow
def test_a_killed_server_loses_nothing_and_ctrl_c_ends_the_run_there(apart: Apart) -> None:
    server = apart.serve(delay=0.7)
    drawing = apart.draw()
    apart.wait_for("begin 9")
    end(server)
    out, err = drawing.communicate(timeout=120)
    assert drawing.returncode == 0, err
    assert "the server went away; this process goes on with what it had begun" in err
    assert str(apart.folder / "x.png") in out
    engine = Imagewright(_settings(apart.home))
    [row] = engine.runs.list(9)
    assert row.result is not None
    assert (row.status, row.result.path) == ("delivered", str(apart.folder / "x.png"))

    server = apart.serve(delay=1.0)
    apart.log.write_text("")
    drawing = apart.draw("--force")
    apart.wait_for("begin 9")
    code, _, err = end(drawing, signal.SIGINT)
    assert code == 130
    run = engine.runs.list(1)[0]
    assert f"go on with: imagewright runs resume {run.id}" in err
    assert (run.status, run.out) == ("cancelled", str(apart.folder / "x.png"))
    assert apart.log.read_text().splitlines()[-1] == "cancelled 9"
    end(server, signal.SIGTERM)


def _settings(home: Path) -> Any:
    from imagewright.settings import Settings

    return Settings(data_dir=home, model_roots=(home / "models",), device="cpu")
