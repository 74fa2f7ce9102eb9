"""One served home for all tests of a worker: its index is filled once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from imagewright import Imagewright


@dataclass
class Served:
    """A running server and what a test needs of it."""

    url: str
    token: str
    home: Path
    engine: Imagewright
    backend: Any
    server: Any

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        """An HTTP client with a token; the owner's for None."""
        sent = {"authorization": f"Bearer {self.token if token is None else token}", **headers}
        return httpx.Client(base_url=self.url, headers=sent, timeout=180, trust_env=False)


ALICE, BOB = "alice-has-a-long-token", "bob-has-another-token-too"
TOKENS = f"""
[alice]
token = "{ALICE}"
[bob]
token = "{BOB}"
[carol]
token = "carol-has-a-gallery-of-hers"
[dora]
token = "dora-has-another-gallery"
[poor]
token = "poor-has-one-picture-a-day"
images_a_day = 1
[broke]
token = "broke-may-not-draw-at-all-"
images_a_day = 0
[slow]
token = "slow-may-ask-twice-a-minute"
requests_a_minute = 2
"""


@pytest.fixture(scope="session")
def kit(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    """The helpers beside the tests."""
    return load_module("serve_kit", Path(__file__).parent / "kit.py")


@pytest.fixture(scope="session")
def served(kit: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with an owner and some named clients, over a backend that costs nothing."""
    home = tmp_path_factory.mktemp("served")
    tokens = home / "tokens.toml"
    tokens.write_text(TOKENS)
    tokens.chmod(0o600)
    backend = kit.Paper()
    engine = kit.engine_on(home, backend)
    engine.plan("a red circle")  # so that no test waits for the index
    with kit.serving(engine) as server:
        yield Served(server.url, kit.secret_of(home), home, engine, backend, server)
