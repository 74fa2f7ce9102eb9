"""The file by which this user's programs find the server of a home: its address and its secret, mode 0600."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

import imagewright
from imagewright import untrusted
from imagewright.database import storage_errors
from imagewright.errors import BadInput
from imagewright.settings import Settings

FILE = "server.json"
_BOUNDS = untrusted.Bounds(bytes=10_000, depth=3, text=1000, remedy="delete it; the server makes a new one")


class ServerAddress(BaseModel):
    """What the file holds. The secret outlives the server; the rest is there while one runs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    secret: SecretStr
    url: str = ""
    """``http://127.0.0.1:PORT``; empty where no server runs."""
    pid: int = 0
    version: str = ""
    fingerprint: str = ""
    """Of the settings that it draws with (``fingerprint_of``)."""


def read_address(home: Path) -> ServerAddress | None:
    """What is known of the server of ``home``; None where none ever ran.

    Raises:
        BadInput: the file cannot be used, or others may read it.
    """
    path = home / FILE
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    if os.name == "posix" and mode & 0o077:
        raise BadInput(f"others may read the secret in {path}", f"delete {path}; the server makes a new one")
    try:
        return ServerAddress.model_validate(untrusted.load_json(path, _BOUNDS))
    except ValidationError:
        raise BadInput(f"{path} cannot be used", _BOUNDS.remedy) from None


def read_secret(home: Path) -> SecretStr:
    """The home's secret; made where there is none."""
    known = read_address(home)
    if known is not None:
        return known.secret
    made = ServerAddress(secret=SecretStr(f"iw-{secrets.token_urlsafe(32)}"))
    write_address(home, made)
    return made.secret


def write_address(home: Path, address: ServerAddress) -> None:
    """Put ``address`` into the file, which only this user can read from its first byte on.

    Raises:
        BadInput: the folder cannot be written.
    """
    values = {**address.model_dump(mode="json"), "secret": address.secret.get_secret_value()}
    path, new = home / FILE, home / f".{FILE}.{os.getpid()}"
    with storage_errors(path):
        home.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(values, file)
        os.replace(new, path)


def announce(home: Path, url: str, settings: Settings) -> None:
    """Say that this process serves the home at ``url``."""
    write_address(
        home,
        ServerAddress(
            secret=read_secret(home),
            url=url,
            pid=os.getpid(),
            version=imagewright.__version__,
            fingerprint=fingerprint_of(settings),
        ),
    )


def withdraw(home: Path) -> None:
    """Say that no server runs, unless another process has said that it does."""
    with contextlib.suppress(BadInput):
        known = read_address(home)
        if known is not None and known.pid == os.getpid():
            write_address(home, ServerAddress(secret=known.secret))


def find_running(settings: Settings) -> ServerAddress | None:
    """The server of this home that runs on this machine and draws as ``settings`` say; None where there is none.

    Raises:
        BadInput: as ``read_address``.
    """
    return look_for_server(settings)[0]


def look_for_server(settings: Settings) -> tuple[ServerAddress | None, str]:
    """The same, and where a server of this home runs that cannot be used, why that is.

    Raises:
        BadInput: as ``read_address``.
    """
    known = read_address(settings.data_dir)
    if known is None or not known.url or not _is_alive(known.pid):
        return None, ""
    if known.version != imagewright.__version__:
        return None, f"the server at {known.url} is version {known.version}, and this is {imagewright.__version__}"
    if known.fingerprint != fingerprint_of(settings):
        return None, f"the server at {known.url} runs under other settings, keys or models"
    return known, ""


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0


def fingerprint_of(settings: Settings) -> str:
    """A digest of every setting, the keys' values included: the same for two processes that would draw alike."""
    plain = settings.model_dump(mode="json", exclude={"llm_keys", "keys_file", "editor"})
    keys = {name: key.get_secret_value() for name, key in sorted(settings.llm_keys.items())}
    more = settings.keys_file.read_bytes().hex() if settings.keys_file and settings.keys_file.is_file() else ""
    return hashlib.sha256(json.dumps([plain, keys, more], sort_keys=True).encode()).hexdigest()
