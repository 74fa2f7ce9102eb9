"""The parts that the graph's tests run with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

KIT = Path(__file__).with_name("kit.py")


@pytest.fixture(scope="session")
def kit(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    """The module beside this file: tests are no package, so it is loaded by its path."""
    return load_module("imagewright_graph_kit", KIT)


@pytest.fixture
def studio(kit: ModuleType, tmp_path: Path) -> Callable[..., Any]:
    """Makes a home to draw in; the same one each time within a test, unless it is named."""

    def make(home: str = "home", **options: Any) -> Any:
        return kit.Studio(tmp_path / home, **options)

    return make
