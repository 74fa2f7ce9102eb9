"""The command before anything is drawn: help, words that make no sense, and every way to end."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagewright.cli.boundary import as_ours, guard
from imagewright.cli.options import parents_of, read_out, read_prompt, read_prompts, read_size
from imagewright.cli.terminal.progress import ProgressLine
from imagewright.errors import BadInput, BudgetSpent, CannotDraw, Fault, NeedsAnswer
from imagewright.schemas import RunEvent

HEAVY = {
    "PIL", "anthropic", "chromadb", "diffusers", "imagewright.container", "imagewright.schemas", "langchain_core",
    "langgraph", "numpy", "openai", "rich", "scipy", "sentence_transformers", "torch", "transformers",
}  # fmt: skip
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], typed: Any) -> Run:
    """Run the command in this process: ``(exit code, stdout, stderr)``."""
    found: Run = typed(capsys)
    return found


def child(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "imagewright.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["draw", "--help"], ["flows", "--help"], ["draw", ""]])
def test_nothing_heavy_is_imported_before_it_is_needed(words: list[str]) -> None:
    code = (
        "import sys, atexit; sys.argv = ['imagewright', *sys.argv[1:]]\n"
        "atexit.register(lambda: print('LOADED', *sys.modules, file=sys.stderr))\n"
        "from imagewright.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    loaded = set(done.stderr.rpartition("LOADED")[2].split())
    assert "imagewright" in loaded
    assert not loaded & HEAVY


def test_help_names_every_command(run: Run) -> None:
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert all(f"\n  {name} " in out for name in ("draw", "plan", "flows", "runs"))


def test_every_option_of_the_contract_is_there(run: Run) -> None:
    out = run("draw", "--help")[1]
    names = "seed size flow backend no-categories no-layout no-critic max-images max-seconds thread llm out json anyway"
    assert [name for name in [*names.split(), "models", "device", "quiet"] if f"--{name}" not in out] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["draw"], "either a PROMPT or --batch FILE"),
        (["draw", "a", "b"], "unexpected extra argument"),
        (["draw", ""], "the prompt is empty"),
        (["draw", " \n\t"], "the prompt is empty"),
        (["draw", "\x1b\x07"], "the prompt is empty"),
        (["draw", "\udcff"], "not valid UTF-8"),
        (["draw", "circle " * 10_000], "characters"),
        (["draw", "x", "--size", "abc"], "not a size"),
        (["draw", "x", "--size", "-1"], "not a size"),
        (["draw", "x", "--size", "9e9"], "not a size"),
        (["draw", "x", "--size", "63x64"], "multiples of 8"),
        (["draw", "x", "--size", "0x0"], "0"),
        (["draw", "x", "--size", "64x99992"], "99992"),
        (["draw", "x", "--seed", "-1"], "--seed -1"),
        (["draw", "x", "--seed", "1.5"], "--seed 1.5"),
        (["draw", "x", "--seed", "seven"], "--seed seven"),
        (["draw", "x", "--seed", str(2**64)], "seed"),
        (["draw", "x", "--max-images", "many"], "--max-images many"),
        (["draw", "x", "--max-images", "9" * 30], "--max-images 9"),
        (["draw", "x", "--max-seconds", "nan"], "nan"),
        (["draw", "x", "--max-seconds", "-3"], "-3"),
        (["draw", "x", "--max-seconds", "long"], "--max-seconds long"),
        (["draw", "x", "--thread", " "], "thread"),
        (["draw", "x", "--backend", "difusers"], "no backend is called"),
        (["draw", "x", "--models", "/does/not/exist"], "not a folder"),
        (["draw", "x", "--out", "picture.gif"], "name of a picture"),
        (["draw", "x", "--out", "x.jpg", "--format", "png"], "name of a PNG"),
        (["draw", "x", "--format", "gif"], "--format gif"),
        (["draw", "x", "--steps", "0"], "0 steps"),
        (["draw", "x", "--guidance", "many"], "--guidance many"),
        (["draw", "x", "--image", "/does/not/exist.png"], "cannot be read as a picture"),
        (["draw", "x", "--strength", "0.5"], "without an image"),
        (["draw", "x", "--mask", "m.png"], "without an image"),
        (["draw", "x", "--image", "x.png", "--strength", "2"], "--strength 2"),
        (["draw", "x", "--count", "0"], "0 pictures"),
        (["draw", "--count", "2", "--batch", "y"], "do not go together"),
        (["clean", "--older-than", "soon"], "--older-than soon"),
        (["clean", "--keep-size", "much"], "--keep-size much"),
        (["show", "nope"], "no run is called"),
        (["variations", "nope"], "no run is called"),
        (["runs", "delete", "nope", "--yes"], "no run is called"),
        (["draw", "x", "--out", ""], "--out is no path"),
        (["draw", "x", "--out", "a\0b.png"], "--out is no path"),
        (["draw", "x", "--out", "/dev/full"], "cannot write"),
        (["draw", "x", "--out", "/proc/nothing/here.png"], "/proc/nothing"),
        (["plan"], "either a PROMPT or --from-file"),
        (["plan", "x", "--from-file", "y"], "either a PROMPT or --from-file"),
        (["plan", "--from-file", "/does/not/exist"], "cannot read"),
        (["plan", "--from-file", "/"], "cannot read"),
        (["paint", "x"], "No such command"),
        (["flows", "search", " "], "empty"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line_and_a_remedy(run: Run, words: list[str], message: str) -> None:
    code, out, err = run(*words)
    lines = err.splitlines()
    assert code == 2
    assert out == ""
    assert message in lines[0]
    assert 2 <= len(lines) <= 3
    assert "Traceback" not in err


def test_the_remedy_names_the_backends_that_there_are(run: Run) -> None:
    assert "known: comfyui, diffusers" in run("draw", "x", "--backend", "difusers")[2]


def test_with_json_an_error_is_also_an_object(run: Run) -> None:
    code, out, err = run("draw", "x", "--seed", "seven", "--json")
    error = json.loads(out)["error"]
    assert code == error["exit_code"] == 2
    assert error["message"] in err
    assert error["remedy"]


# --- the words ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [("64", (64, 64)), ("64x96", (64, 96)), ("64X96", (64, 96)), (" 64 × 96 ", (64, 96)), (None, (None, None))],
)
def test_sizes(text: str | None, size: tuple[int | None, int | None]) -> None:
    assert read_size(text) == size


def test_control_characters_leave_a_prompt_and_words_stay() -> None:
    assert read_prompt("a \x1b[31mred\x00 circle\n and é 圆") == "a [31mred circle\n and é 圆"


def test_a_prompt_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a red circle\n")))
    assert read_prompt("-") == "a red circle"


def test_prompts_of_a_file_are_its_non_empty_lines(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes("\ufeffa red circle\r\n\n   \n-\na\u2028b\n".encode())
    assert read_prompts(str(file)) == ["a red circle", "-", "a\u2028b"]


def test_comments_in_a_file_of_prompts_are_skipped(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("# plain ones\na house\n  # two of a kind\n\ntwo cups # blue\n")
    assert read_prompts(str(file)) == ["a house", "two cups # blue"]


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"\x89PNG\0\0", "binary"), (b"a\nb\xff\xfe", "line 2"), (b"", "holds no prompt"), (b" \n\n", "holds no prompt")],
)
def test_a_file_that_holds_no_prompts_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    file = tmp_path / "prompts"
    file.write_bytes(data)
    with pytest.raises(BadInput, match=why):
        read_prompts(str(file))


# --- where the picture goes -----------------------------------------------------------------


def test_out_is_a_file_or_a_new_name_in_a_folder(tmp_path: Path) -> None:
    assert read_out(str(tmp_path / "new" / "a.PNG"), "x") == tmp_path / "new" / "a.PNG"
    assert read_out(f"{tmp_path}/new/", "Two red Circles!") == tmp_path / "new" / "two-red-circles.png"
    (tmp_path / "two-red-circles.png").touch()
    assert read_out(str(tmp_path), "two red circles") == tmp_path / "two-red-circles-2.png"
    assert read_out(str(tmp_path), "圆") == tmp_path / "picture.png"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["two-red-circles.png"]


def test_folders_made_for_nothing_go_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.png"
    with contextlib.suppress(CannotDraw), parents_of(path):
        assert path.parent.is_dir()
        raise CannotDraw("no")
    assert list(tmp_path.iterdir()) == []
    with parents_of(path):
        path.touch()
    assert path.exists()


# --- the boundary ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("a", "b"), 2), (NeedsAnswer("a"), 2), (CannotDraw("a", "b"), 3), (BudgetSpent("a"), 4),
        (Fault("a"), 1), (KeyboardInterrupt(), 130), (OSError(errno.ENOSPC, "No space left on device", "x.png"), 2),
        (PermissionError(errno.EACCES, "Permission denied", "x.png"), 2), (ValueError("what"), 1),
    ],
)  # fmt: skip
def test_every_error_has_its_exit_code(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise error

    assert guard([], fail) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert 1 <= len(err.splitlines()) <= 3
    assert "Traceback" not in err


def test_a_bug_leaves_a_log_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-very-secret")

    def fail() -> None:
        raise ZeroDivisionError("sk-very-secret")

    assert guard([], fail) == 1
    logs = list((Path(os.environ["IMAGEWRIGHT_HOME"]) / "logs").iterdir())
    text = logs[0].read_text()
    assert "ZeroDivisionError" in text
    assert "very-secret" not in text + capsys.readouterr().err


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("IMAGEWRIGHT_DEBUG", "1")

    def fail() -> None:
        raise ValueError("what")

    assert guard([], fail) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_database_that_cannot_be_written_is_not_our_bug(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(tmp_path / "no" / "folder.sqlite").execute("CREATE TABLE a (b)")
    assert as_ours(caught.value).exit_code == 2


def test_a_message_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise BadInput("bad\x1b[2J\nflow", "two\r\nlines")

    guard([], fail)
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert len(err.splitlines()) == 2


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = "from imagewright.cli.boundary import guard; from imagewright.cli.terminal.text import emit; import sys\n"
    code += "sys.exit(guard([], lambda: [emit('x' * 100) for _ in range(100000)]))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_standard_output_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "imagewright.cli", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "No space left" in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr


# --- progress -------------------------------------------------------------------------------


def _events() -> list[RunEvent]:
    steps = [RunEvent(kind="step", run="20261121-abc123", text="", step=step, total=20) for step in range(1, 21)]
    return [
        RunEvent(kind="run", run="20261121-abc123", text="begun"),
        RunEvent(kind="node", run="20261121-abc123", text="generate"),
        *steps,
        RunEvent(kind="note", run="20261121-abc123", text="a \x1b[2J note"),
    ]


def test_the_run_comes_first_and_lines_are_plain_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as progress:
        for event in _events():
            progress(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "run 20261121-abc123"
    assert [line.split()[1] for line in err.splitlines() if "step" in line] == ["5/20", "10/20", "15/20"]
    assert "\x1b" not in err


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(quiet=True) as progress:
        for event in _events():
            progress(event)
    assert capsys.readouterr().err == ""


def test_notes_are_told_here_only_where_a_run_comes_to_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as progress:
        for event in _events():
            progress(event)
    assert "note" not in capsys.readouterr().err
    with contextlib.suppress(CannotDraw), ProgressLine() as progress:
        for event in _events():
            progress(event)
        raise CannotDraw("no")
    assert capsys.readouterr().err.splitlines()[-1] == "note: a  [2J note"


def test_on_a_terminal_one_line_moves(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with ProgressLine() as progress:
        for event in _events():
            progress(event)
    err = capfd.readouterr().err
    assert err.startswith("run 20261121-abc123\n")
    assert "20/20" in err
