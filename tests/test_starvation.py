"""A machine that lacks memory or file handles is no bug of ours, wherever it was noticed."""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from imagewright.cli.boundary import as_ours
from imagewright.errors import BadInput, MachineTrouble
from imagewright.starvation import explain_starvation, starvation_errors

STARVED = (
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    OSError(errno.EMFILE, "Too many open files", "x.png"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried 800 bytes"),
    RuntimeError("can't start new thread"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ImportError("cannot load module: Too many open files"),
)


@pytest.mark.parametrize("error", STARVED)
def test_what_the_machine_lacks_is_said_as_that(error: BaseException) -> None:
    ours = as_ours(error)
    assert isinstance(ours, MachineTrouble)
    assert ours.exit_code == 2
    assert "ulimit" in ours.remedy


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.ENOENT, "no"), RuntimeError("shape mismatch")])
def test_other_mistakes_are_not(error: BaseException) -> None:
    assert explain_starvation(error) is None


def test_a_refusal_that_came_of_it_is_told_as_what_it_came_of() -> None:
    def read() -> None:
        try:
            raise OSError(errno.EMFILE, "Too many open files")
        except OSError:
            raise BadInput("the file is damaged") from None

    with pytest.raises(BadInput) as caught:
        read()
    assert "may not open enough files" in str(as_ours(caught.value))


def test_starvation_inside_becomes_ours() -> None:
    with pytest.raises(MachineTrouble, match="too little memory"), starvation_errors():
        raise MemoryError
    with pytest.raises(ZeroDivisionError), starvation_errors():
        _ = 1 / 0


def test_a_database_that_found_no_handle_left(tmp_path: Path) -> None:
    code = (
        "import resource, sqlite3, os; from imagewright.starvation import explain_starvation\n"
        "sqlite3.connect(':memory:')\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "try: sqlite3.connect('a.sqlite').execute('create table t (a)')\n"
        "except sqlite3.OperationalError as error: print(explain_starvation(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "may not open enough files (at most 3)" in done.stdout, done.stderr
    missing = sqlite3.OperationalError("unable to open database file")
    missing.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    assert explain_starvation(missing) is None


@pytest.mark.parametrize(
    ("kind", "most", "said"),
    [(resource.RLIMIT_AS, 200_000_000, "200 MB of memory"), (resource.RLIMIT_NOFILE, 12, "may not open enough files")],
)
def test_a_starved_draw_is_one_line_and_a_remedy(tmp_path: Path, kind: int, most: int, said: str) -> None:
    command = [sys.executable, "-m", "imagewright.cli", "draw", "a red circle on a white background", "-q"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, check=False,
        env={**os.environ, "IMAGEWRIGHT_HOME": str(tmp_path / "home")},
        preexec_fn=lambda: resource.setrlimit(kind, (most, most)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 3
    assert "bug of ours" not in done.stderr
