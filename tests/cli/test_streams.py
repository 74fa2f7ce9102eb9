"""Standard streams that are closed, or break while we write: nothing is lost, and nothing is called a bug."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagewright.cli.terminal.progress import ProgressLine
from imagewright.cli.terminal.streams import ForgivingStream
from imagewright.schemas import RunEvent

COMMAND = f"{sys.executable} -m imagewright.cli"


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell in ``folder``."""
    environment = {**os.environ, "IMAGEWRIGHT_HOME": str(folder / "home")}
    return subprocess.run(line, shell=True, capture_output=True, text=True, check=False, cwd=folder, env=environment)


def test_closed_standard_input_is_an_empty_one(tmp_path: Path) -> None:
    done = shell(f"{COMMAND} draw - <&-", tmp_path)
    assert done.returncode == 2
    assert "the prompt is empty" in done.stderr
    assert shell(f"{COMMAND} plan --from-file - <&-", tmp_path).returncode == 2
    done = shell(f"{COMMAND} chat <&-", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_closed_standard_output_is_told_in_one_line(tmp_path: Path) -> None:
    done = shell(f"{COMMAND} runs list >&-", tmp_path)
    assert done.returncode == 141
    assert done.stderr.splitlines() == [
        "imagewright: standard output is closed, so nothing was printed; what was made is kept"
    ]


def test_all_three_closed_change_no_exit_code(tmp_path: Path) -> None:
    assert shell(f"{COMMAND} runs show nothing <&- >&- 2>&-", tmp_path).returncode == 2
    assert shell(f"{COMMAND} runs list <&- 2>&-", tmp_path).returncode == 0


def test_what_cannot_be_written_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as broken:
        stream = ForgivingStream(broken)
        monkeypatch.setattr(sys, "stderr", stream)
        with ProgressLine() as progress:
            progress(RunEvent(kind="run", run="20261121-abc123", text="begun"))
            progress(RunEvent(kind="node", run="20261121-abc123", text="generate"))
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            broken.write("x\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), broken.fileno())
