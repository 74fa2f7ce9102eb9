"""The house rules of every test: no network but the loopback, no folder of the person, no warning of ours unheard."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_SECRETS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "HF_TOKEN", "LANGSMITH_API_KEY")
_OURS = ("IMAGEWRIGHT_MODELS", "IMAGEWRIGHT_DEVICE", "IMAGEWRIGHT_LLM", "IMAGEWRIGHT_MODEL_CACHE")
_XDG = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
Typed = Callable[..., tuple[int, str, str]]
_NOWHERE = "http://127.0.0.1:9"
"""The discard port of the loopback: what a child process finds where it looks for a proxy."""
_folder: tempfile.TemporaryDirectory[str] | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment before anything is imported, for fixtures of every scope and for child processes."""
    global _folder
    _folder = tempfile.TemporaryDirectory(prefix="imagewright-tests-", ignore_cleanup_errors=True)
    for name in (*_SECRETS, *_OURS, "IMAGEWRIGHT_DEBUG", "IMAGEWRIGHT_LEARN_CRITIC", "FORCE_COLOR", "COLUMNS"):
        os.environ.pop(name, None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each child process would compile the whole house again
    os.environ.update(_directories(Path(_folder.name)))
    os.environ.update(
        LANGGRAPH_STRICT_MSGPACK="true",
        HF_HUB_OFFLINE="1",
        ANONYMIZED_TELEMETRY="False",
        NO_PROXY="127.0.0.1,localhost",
        no_proxy="127.0.0.1,localhost",
        **{f"{kind}_proxy": _NOWHERE for kind in ("http", "https")},
        **{f"{kind}_PROXY": _NOWHERE for kind in ("HTTP", "HTTPS")},
    )
    if (processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))) > 1:
        # torch would start a thread a core in each of them, and they would wait for one another.
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // processes))
    config.addinivalue_line("filterwarnings", r"error:::imagewright\b")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder of this session."""
    if _folder is not None:
        _folder.cleanup()


def _directories(root: Path) -> dict[str, str]:
    places = {"HOME": root / "home", "IMAGEWRIGHT_HOME": root / "imagewright"}
    places.update({name: root / name.lower() for name in _XDG})
    places["HOME"].mkdir(parents=True, exist_ok=True)
    return {name: str(path) for name, path in places.items()}


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[pytest.CaptureFixture[str]], Typed]:
    """Types commands in this process; what it gives takes the words and gives ``(exit code, stdout, stderr)``."""
    from imagewright.cli import main

    def watched(capture: pytest.CaptureFixture[str]) -> Typed:
        def run_here(*words: str) -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "argv", ["imagewright", *words])
            with pytest.raises(SystemExit) as end:
                main()
            out, err = capture.readouterr()
            return int(end.value.code or 0), out, err

        return run_here

    return watched


@pytest.fixture(autouse=True)
def _own_directories(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a home of its own, and starts from an empty index."""
    for name, value in _directories(tmp_path_factory.mktemp("person")).items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every address but the loopback's, unless the test is marked ``network``."""
    if request.node.get_closest_marker("network") is None:
        monkeypatch.setattr(socket.socket, "connect", _guarded(socket.socket.connect))
        monkeypatch.setattr(socket.socket, "connect_ex", _guarded(socket.socket.connect_ex))


def _guarded(connect: Any) -> Any:
    def connect_here(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            raise PermissionError(f"a test may not reach {address[0]}")
        return connect(self, address)

    return connect_here


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session")
def load_module() -> Callable[[str, Path], ModuleType]:
    """Loads a module by its name and path: tests are no package, so what stands beside them cannot be imported."""

    def load(name: str, path: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    return load
