"""Wrong inputs to conversations and what belongs to them: clear lines, exit code 2 or 3, and nothing is lost."""

from __future__ import annotations

import io
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import warm

from imagewright import Imagewright
from imagewright.cli import main
from imagewright.memory.threads import Threads

QUICK = ("--flow", "mini-quick", "--no-critic")
Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one conversation of one picture."""
    home = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGEWRIGHT_HOME", str(home / "home"))
        Imagewright().chat("t", flow="mini-quick", use_critic=False, seed=1, out=str(home)).say("two red circles")
    return home


@pytest.fixture
def run(drawn: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the command on that home: its exit code, and all that it said."""
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(drawn / "home"))
    monkeypatch.chdir(tmp_path)

    def run_here(*words: str, stdin: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["imagewright", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode(errors="surrogateescape"))))
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out + "\n".join(line for line in err.split("\n") if line[:4] != "run ")

    return run_here


def kept(drawn: Path) -> list[tuple[str, str, bool]]:
    """What the conversation holds."""
    turns = Threads(drawn / "home" / "imagewright.sqlite").turns("t")
    return [(turn.said, turn.status, Path(turn.path).exists()) for turn in turns if turn.path]


COMMANDS = [
    (["chat", "--seed", "abc"], 2, "--seed abc"),
    (["chat", "--seed", "-1"], 2, "-1"),
    (["chat", "--size", "7x"], 2, "not a size"),
    (["chat", "--max-images", "many"], 2, "--max-images many"),
    (["chat", "--max-seconds", "soon"], 2, "not a time"),
    (["chat", "--flow", "nowhere"], 2, "nowhere"),
    (["chat", "--thread", ""], 2, "thread"),
    (["chat", "--thread", "x" * 300], 2, "thread"),
    (["chat", "extra"], 2, "extra"),
    (["threads", "show", "nowhere"], 2, "no thread"),
    (["threads", "export", "nowhere", "--out", "x"], 2, "no thread"),
    (["threads", "delete", "nowhere", "--yes"], 2, "no thread"),
    (["threads", "name", "nowhere", "x"], 2, "no thread"),
    (["prefs", "add", "taste", "x"], 2, "no kind of wish"),
    (["prefs", "add", "style", " "], 2, "1 to 100 characters"),
    (["prefs", "off", "never", "mice"], 2, "no such wish"),
    (["why", "nowhere"], 2, "no run"),
    (["why", "--about", "weather"], 2, "weather"),
    (["runs", "replay", "nowhere"], 2, "no run"),
    (["runs", "replay", "nowhere", "--out", "x.jpg"], 2, "no new .png"),
    (["draw"], 2, "either a PROMPT or --batch"),
    (["draw", "a red circle", "--batch", "x"], 2, "either a PROMPT or --batch"),
    (["draw", "--batch", "nowhere.txt"], 2, "cannot read nowhere.txt"),
]


@pytest.mark.parametrize(("words", "code", "says"), COMMANDS)
def test_a_wrong_command_is_told_in_words(words: list[str], code: int, says: str, run: Run, drawn: Path) -> None:
    before = kept(drawn)
    found, said = run(*words)
    assert (found, says in said) == (code, True), said
    assert "Traceback" not in said
    assert len(said.strip().split("\n")) <= 3
    assert kept(drawn) == before


SAYINGS = [
    ("\x01\x02\x03", "control characters"),
    ("a \x1b[2J circle", "control characters"),
    ("word " * 10_000, "characters; at most"),
    ("make the dog bigger", "no 'the dog'"),
    ("go back to the zeppelin", "no picture of this conversation"),
    ("undo", "nothing to go back to"),
    ("make the circle green", "which one is meant"),
    ("an astronaut riding a horse", "cannot draw"),
    ("at night", "cannot draw"),
    ("?!", "do not know what to do"),
    ("/nonsense", "no command is called /nonsense"),
    ("/thread", "needs a name"),
    ("a red circle\udcff", "is not text"),
]


@pytest.mark.parametrize(("saying", "says"), SAYINGS, ids=lambda text: repr(text)[:30])
def test_a_wrong_saying_is_told_in_words_and_the_conversation_stays(
    saying: str, says: str, run: Run, drawn: Path
) -> None:
    before = kept(drawn)
    _, said = run("chat", "--thread", "t", *QUICK, "--no-preview", stdin=f"{saying}\n")
    assert says in said
    assert "Traceback" not in said
    assert kept(drawn)[: len(before)] == before


def broken(drawn: Path, tmp_path: Path, name: str, data: bytes) -> Path:
    """A copy of the home in which one file is damaged."""
    import shutil

    home = tmp_path / "copy"
    shutil.copytree(drawn / "home", home, ignore=shutil.ignore_patterns("*-wal", "*-shm", "chroma"))
    (home / name).write_bytes(data)
    return home


@pytest.mark.parametrize("name", ["imagewright.sqlite", "checkpoints.sqlite", "store.sqlite"])
def test_a_damaged_database_is_named_and_left_as_it_is(
    name: str, drawn: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    junk = b"this is not a database and never was one, however long it gets " * 50
    home = broken(drawn, tmp_path, name, junk)
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(home))
    code, said = run("chat", "--thread", "t", *QUICK, stdin="make the left one green\n")
    assert code == 2
    assert name in said
    assert "Traceback" not in said
    assert (home / name).read_bytes() == junk


def test_a_thread_from_a_newer_version_is_refused_and_kept(
    drawn: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = broken(drawn, tmp_path, "unused", b"")
    with sqlite3.connect(home / "checkpoints.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(home))
    code, said = run("chat", "--thread", "t", *QUICK, stdin="undo\n")
    assert (code, "newer version" in said) == (2, True)
    with sqlite3.connect(home / "checkpoints.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchone()[0] > 5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("device = ", "cannot be read"),
        ("colour = 'red'", "'colour'"),
        ("llm_key = 'hush'", "keys belong"),
    ],
)
def test_a_wrong_settings_file_is_told(
    text: str, says: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text(text)
    monkeypatch.setenv("IMAGEWRIGHT_CONFIG", str(tmp_path / "config.toml"))
    code, said = run("config", "show")
    assert (code, says in said, "hush" in said) == (2, True, False)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [("{", "no manifest"), ('{"imagewright_batch": 9, "rows": []}', "newer version"),
     ('{"imagewright_batch": 1, "rows": [{"prompt": "a cat", "status": "delivered"}]}', "another batch")],
)  # fmt: skip
def test_a_wrong_manifest_is_told_and_kept(manifest: str, says: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a red circle\n")
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / "manifest.json").write_text(manifest)
    code, said = run("draw", "--batch", "prompts.txt", "--out", "batch", *QUICK)
    assert (code, says in said) == (2, True)
    assert (tmp_path / "batch" / "manifest.json").read_text() == manifest


def test_an_export_into_a_folder_that_is_not_empty_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    code, said = run("threads", "export", "t", "--out", "full")
    assert (code, "not an empty folder" in said) == (2, True)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_full_disk_ends_the_turn_in_words_and_the_conversation_goes_on_later(drawn: Path, tmp_path: Path) -> None:
    """No file of this process may grow beyond what it has: that is what a full disk looks like."""
    home = broken(drawn, tmp_path, "unused", b"")
    command = [sys.executable, "-m", "imagewright.cli", "chat", "--thread", "t", *QUICK, "--out", str(tmp_path)]
    environment = {**os.environ, "IMAGEWRIGHT_HOME": str(home), "OMP_NUM_THREADS": "1"}

    def little_room() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    full = subprocess.run(
        command, input="make the left one green\n", capture_output=True, text=True, env=environment,
        preexec_fn=little_room,
    )  # fmt: skip
    assert full.returncode == 2, full.stdout + full.stderr
    assert "Traceback" not in full.stdout + full.stderr
    assert "disk" in full.stdout + full.stderr
    well = warm.run(command, input="undo\n", capture_output=True, text=True, env=environment)
    assert "thread t: 1 picture; the present one: two red circles" in well.stdout
    assert not list(tmp_path.glob(".*.part"))


def test_the_list_is_long_enough() -> None:
    assert len(COMMANDS) + len(SAYINGS) + 3 + 1 + 3 + 3 + 1 + 1 >= 30
