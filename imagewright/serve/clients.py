"""Who may use the server: the owner of the home, by a secret that only this user can read, and named tokens.

``tokens.toml`` in the home holds the tokens, a table each; only its owner may read it::

    [alice]
    token = "…"            # 16 characters or more
    images_a_day = 200
    money_a_day = 1.5      # US dollars: language models and hosted services of yours
    requests_a_minute = 60
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.limits import MAX_THREAD

HOME_OWNER = "owner"
"""The name of the client that is the home's owner: it sees all that the terminal sees."""
SHORTEST_TOKEN = 16
_NAME = r"[a-z0-9][a-z0-9-]{0,39}"


class ClientAccount(BaseModel):
    """One who may use the server, and how much. None: as much as wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=f"^{_NAME}$")
    token: Annotated[SecretStr, Field(min_length=SHORTEST_TOKEN, max_length=500)]
    images_a_day: int | None = Field(default=None, ge=0)
    money_a_day: float | None = Field(default=None, ge=0)
    requests_a_minute: int | None = Field(default=None, ge=1)

    @property
    def owns_home(self) -> bool:
        """Whether it is the owner, who has the home's own conversations and wishes."""
        return self.name == HOME_OWNER

    def stored_thread(self, thread: str) -> str:
        """The conversation's name in the home: each client's lie apart.

        Raises:
            BadInput: it is empty, too long, or one that only belongs to another client.
        """
        name = thread.strip()
        stored = name if self.owns_home else f"@{self.name}/{name}"
        if not name or len(stored) > MAX_THREAD:
            raise BadInput("the thread's name cannot be used", f"name it in 1 to {MAX_THREAD - 50} characters")
        return stored

    def own_thread(self, stored: str) -> str | None:
        """The client's name of a stored conversation; None where it is another's."""
        if self.owns_home:
            return stored
        before = f"@{self.name}/"
        return stored.removeprefix(before) if stored.startswith(before) else None


class Clients:
    """All clients; each request's token is compared with every one in constant time."""

    def __init__(self, clients: list[ClientAccount], file: Path | None = None) -> None:
        self.file = file
        """Where the named ones stand."""
        self._rates: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()
        self._take(clients)

    def _take(self, clients: list[ClientAccount]) -> None:
        names = {client.name: client for client in clients}
        if len(names) != len(clients):
            raise BadInput("two tokens have one name", "give each a name of its own")
        digests = [(_digest(client.token.get_secret_value()), client) for client in clients]
        if len({digest for digest, _ in digests}) != len(clients):
            raise BadInput("two names have one token", "give each a token of its own")
        self.names, self._digests = names, digests

    def admit(self, client: ClientAccount) -> None:
        """Know one more client from now on.

        Raises:
            BadInput: its name or its token is another's.
        """
        with self._lock:
            self._take([*self.names.values(), client])

    def forget(self, name: str) -> None:
        """Know the client called ``name`` no more."""
        with self._lock:
            self._take([client for client in self.names.values() if client.name != name])

    def identify(self, token: str) -> ClientAccount | None:
        """The client whose token this is."""
        given = _digest(token)
        matching = [client for digest, client in self._digests if hmac.compare_digest(digest, given)]
        return matching[0] if matching else None

    def seconds_to_wait(self, client: ClientAccount) -> int:
        """0 where the client may ask now, and then it is counted; else after how many seconds."""
        rate = client.requests_a_minute
        if rate is None:
            return 0
        now = time.monotonic()
        with self._lock:
            left, then = self._rates.get(client.name, (float(rate), now))
            left = min(float(rate), left + (now - then) * rate / 60)
            self._rates[client.name] = (left - 1, now) if left >= 1 else (left, now)
        return 0 if left >= 1 else int((1 - left) * 60 / rate) + 1


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def read_clients(path: Path) -> list[ClientAccount]:
    """The named clients in the file at ``path``; none where there is no file.

    Raises:
        BadInput: others may read it, or something in it cannot be used. No error says a token.
    """
    table = untrusted.read_secrets(path, "tokens", "docs/serving.md shows one")
    if table is None:
        return []
    return [_client(name, values, path) for name, values in table.items()]


def _client(name: str, values: object, path: Path) -> ClientAccount:
    if name == HOME_OWNER or not isinstance(values, Mapping):
        raise BadInput(f"{path} names {name[:60]!r}, which is no client", "docs/serving.md shows one")
    try:
        return ClientAccount(name=name, **values)
    except ValidationError as error:
        first = error.errors()[0]
        where = first["loc"][0] if first["loc"] else "it"
        raise BadInput(
            f"client {name[:60]!r} in {path}: {where}: {first['msg']}", "docs/serving.md shows one"
        ) from None
