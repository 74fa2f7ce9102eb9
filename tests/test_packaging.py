"""What is built, installed and typed into make: packages, links, wheel, and the two commands."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import imagewright

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = ("agents", "evals", "graph", "memory", "retrieval", "t2i_backends", "tools")
NINE = (
    "langgraph", "langchain-core", "anthropic", "openai", "torch", "diffusers", "transformers", "chromadb",
    "sentence-transformers",
)  # fmt: skip


def test_the_list_of_packages_is_what_lies_on_the_disk() -> None:
    found = {".".join(init.parent.relative_to(ROOT).parts) for init in _own("__init__.py")}
    for folder in FOLDERS:
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join(("imagewright", *init.parent.relative_to(ROOT).parts)))
    assert sorted(SETUPTOOLS["packages"]) == sorted(found)


def test_every_folder_with_code_is_a_package() -> None:
    for code in (*_own("*.py"), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))):
        assert (code.parent / "__init__.py").exists(), code


def test_every_root_folder_is_mapped_linked_and_banned_by_its_bare_name() -> None:
    assert set(SETUPTOOLS["package-dir"]) == {"imagewright", *(f"imagewright.{folder}" for folder in FOLDERS)}
    assert set(PROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]) == set(FOLDERS)
    for folder in FOLDERS:
        assert SETUPTOOLS["package-dir"][f"imagewright.{folder}"] == folder
        assert os.readlink(ROOT / "imagewright" / folder) == f"../{folder}"


def test_the_nine_packages_are_base_dependencies_and_all_is_the_union_of_extras() -> None:
    names = {re.split(r"[<>=\[ ]", line)[0] for line in PROJECT["project"]["dependencies"]}
    assert set(NINE) <= names
    assert "torch>=2.10" in PROJECT["project"]["dependencies"]
    extras = PROJECT["project"]["optional-dependencies"]
    everything = set(extras) - {"all", "dev"}
    assert set(re.fullmatch(r"imagewright\[(.*)\]", extras["all"][0])[1].split(",")) == everything  # type: ignore[index]
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text()


def test_versions_agree() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert f"## {imagewright.__version__}" in changes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel that is built from a copy, so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"
    left_out = shutil.ignore_patterns(".*", "out", "build", "dist", "*.egg-info", "__pycache__", "tests", "docs")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=left_out)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "-w", str(folder), str(copy)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl"))).namelist()


def test_the_wheel_holds_code_flows_prompts_evidence_and_weights(wheel: list[str]) -> None:
    kinds = {
        "imagewright/py.typed": ROOT / "imagewright" / "py.typed",
        **{str(name.relative_to(ROOT)): name for name in _own("*.py")},
        **{str(name.relative_to(ROOT)): name for name in (ROOT / "imagewright" / "web").rglob("*") if name.is_file()},
        **{f"imagewright/{name.relative_to(ROOT)}": name for name in _shipped()},
    }
    assert sorted(set(kinds) - set(wheel)) == []
    assert all((ROOT / folder / "__init__.py").exists() for folder in FOLDERS)
    assert [name for name in wheel if name.split("/")[0] in FOLDERS or name.startswith("tests")] == []
    assert any(name.endswith("entry_points.txt") for name in wheel)


def _own(pattern: str) -> list[Path]:
    """The files below ``imagewright/`` that lie there themselves, not behind a link to a folder at the root."""
    top = ROOT / "imagewright"
    return [file for file in top.rglob(pattern) if file.relative_to(top).parts[0] not in FOLDERS]


def _shipped() -> list[Path]:
    """Every file that a package needs at run time: code and data, as they lie on the disk."""
    code = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")]
    data = [*(ROOT / "agents").rglob("*.md"), *(ROOT / "retrieval" / "flows").glob("*.json")]
    data += [file for file in (ROOT / "retrieval" / "evidence").iterdir() if file.is_file()]
    data += (ROOT / "t2i_backends" / "mini").glob("*.toml")
    weights = [file for file in (ROOT / "t2i_backends" / "mini" / "weights").rglob("*") if file.is_file()]
    return [file for file in (*code, *data, *weights) if not file.name.startswith(".")]


def test_no_weight_file_is_15_megabytes() -> None:
    weights = [file for file in (ROOT / "t2i_backends" / "mini" / "weights").rglob("*") if file.is_file()]
    assert [file for file in weights if file.stat().st_size >= 15_000_000] == []


# --- make -----------------------------------------------------------------------------------

FAKE_PYTHON = """#!/bin/sh
# Stands where .venv/bin/python stands: notes what it is asked for, and is told by a file when pip shall fail.
here=$(dirname "$0")
case "$*" in
  "-m pip --version") exit 0;;
  *"pip install"*) echo "$*" >> "$here/pip.txt"; echo "pip says why"; test ! -e "$here/broken";;
  *) for word; do printf '%s\\0' "$word"; done > "$here/words";;
esac
"""


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A checkout of the Makefile alone, whose .venv holds a Python that only takes notes."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(FAKE_PYTHON)
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "PROMPT", "MAKELEVEL")}
    command = ["make", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def asked(folder: Path) -> list[str]:
    return (folder / ".venv" / "bin" / "words").read_text().split("\0")[:-1]


@pytest.mark.parametrize(
    "prompt",
    [
        "two red circles", "it's \"quoted\"", "costs $5 and $HOME and $(shell touch hacked) and $$", "`touch hacked`",
        "a; touch hacked", "first line\nsecond line", "--help", "", "# no comment", "100 % \\ back\\nslash", "${PATH}",
        "赤い丸", "$(error hacked)", "a 'b' && touch hacked", "x=y",
    ],
)  # fmt: skip
def test_a_prompt_reaches_the_program_as_it_is(bench: Path, prompt: str) -> None:
    done = make(bench, "run", f"PROMPT={prompt}")
    assert done.returncode == 0, done.stderr
    assert asked(bench)[-2:] == ["--", prompt]
    assert not (bench / "hacked").exists()


def test_make_run_has_a_prompt_of_its_own_and_passes_options(bench: Path) -> None:
    assert make(bench, "run", "ARGS=--seed 7").returncode == 0
    assert asked(bench)[-4:-1] == ["--seed", "7", "--"]
    assert asked(bench)[-1].startswith("two red circles")
    assert make(bench, "run", "PROMPT=").returncode == 0
    assert asked(bench)[-1] == ""


def test_the_second_run_installs_nothing_and_a_change_installs_again(bench: Path) -> None:
    pip = bench / ".venv" / "bin" / "pip.txt"
    assert make(bench, "run").returncode == 0
    first = pip.read_text().splitlines()
    assert [" torch" in line for line in first] == [True, False]
    assert all("-c constraints.txt" in line for line in first)
    assert make(bench, "run").returncode == 0
    assert pip.read_text().splitlines() == first
    (bench / "constraints.txt").write_text("torch==2.13.1\n")
    assert make(bench, "run").returncode == 0
    assert len(pip.read_text().splitlines()) == 2 * len(first)


def test_an_install_that_fails_shows_why_and_is_done_again(bench: Path) -> None:
    broken = bench / ".venv" / "bin" / "broken"
    broken.touch()
    done = make(bench, "run")
    assert done.returncode != 0
    assert "pip says why" in done.stderr
    assert not (bench / ".venv" / "bin" / "words").exists()
    broken.unlink()
    assert make(bench, "run").returncode == 0


def test_torch_may_come_from_elsewhere(bench: Path) -> None:
    make(bench, "run", "TORCH_INDEX=https://example.org/cpu")
    first, second = (bench / ".venv" / "bin" / "pip.txt").read_text().splitlines()
    assert "--index-url https://example.org/cpu" in first
    assert "example.org" not in second


@pytest.mark.parametrize(
    ("script", "words"),
    [("exit 1", "needs Python 3.11"), ('case "$2" in *ensurepip*) exit 1;; esac', "sudo apt install python3-venv")],
)
def test_a_machine_without_python_or_venv_is_told_what_to_do(bench: Path, script: str, words: str) -> None:
    shutil.rmtree(bench / ".venv")
    tools = bench / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "pwd", "cksum", "cut", "rm", "sed", "awk", "make"):
        (tools / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    (tools / "python3").write_text(f"#!/bin/sh\n{script}\n")
    (tools / "python3").chmod(0o755)
    command = ["make", "-C", str(bench), "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": str(tools)})
    assert done.returncode != 0
    assert words in done.stderr
    assert not (bench / ".venv").exists()


def test_the_readme_names_commands_that_there_are() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(
        r"\bmake ([a-z-]+)", "\n".join(re.findall(r"```.*?```|`[^`]+`", (ROOT / "README.md").read_text(), re.S))
    )
    assert set(named) <= targets
    assert {"run", "test", "check", "bench", "docs"} <= targets


def test_ci_runs_the_readme_s_test_command_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    last = script.read_text().splitlines()[-1]
    assert shlex.split(last) == ["make", "test"]


def test_the_page_of_commands_is_what_the_code_says(tmp_path: Path) -> None:
    page = tmp_path / "commands.md"
    command = [
        sys.executable,
        "-m",
        "typer",
        "imagewright.cli.app",
        "utils",
        "docs",
        "--name",
        "imagewright",
        "--output",
    ]
    subprocess.run([*command, str(page)], capture_output=True, check=True, cwd=ROOT)
    assert (ROOT / "docs" / "commands.md").read_text() == page.read_text(), "run: make docs"
