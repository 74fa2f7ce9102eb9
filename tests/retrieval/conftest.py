"""The parts that the index's tests run with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

WRITER = Path(__file__).with_name("writer.py")


@pytest.fixture(scope="session")
def kit(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    """The module beside this file: tests are no package, so it is loaded by its path."""
    return load_module("imagewright_index_kit", WRITER)


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts another process on the index in ``tmp_path``."""

    def start(*work: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(WRITER), str(tmp_path), *work]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    return start


@pytest.fixture
def notes() -> list[str]:
    """What the index had to tell."""
    return []


@pytest.fixture
def index(kit: ModuleType, tmp_path: Path, notes: list[str]) -> Any:
    """An empty index in ``tmp_path``."""
    return kit.index(tmp_path, notes.append)
