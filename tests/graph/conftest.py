"""The parts that the graph's tests run with."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

KIT = Path(__file__).with_name("kit.py")


@pytest.fixture(scope="session")
def kit() -> ModuleType:
    """The module beside this file: tests are no package, so it is loaded by its path."""
    spec = importlib.util.spec_from_file_location("imagewright_graph_kit", KIT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def studio(kit: ModuleType, tmp_path: Path) -> Callable[..., Any]:
    """Makes a home to draw in; the same one each time within a test, unless it is named."""

    def make(home: str = "home", **options: Any) -> Any:
        return kit.Studio(tmp_path / home, **options)

    return make
