"""The file of named tokens, changed by the owner: a table is put at its end or taken out; the rest is not touched."""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from pathlib import Path

from pydantic import SecretStr

from imagewright.database import storage_errors
from imagewright.errors import BadInput
from imagewright.serve.clients import ClientAccount, read_clients

_HEADER = re.compile(r"^\s*\[+\s*[\"']?([^\]\"']*)[\"']?\s*\]+")
_BY_HAND = "change the file by hand; docs/serving.md shows one"
_writing = threading.Lock()


def make_token() -> SecretStr:
    """A token that nobody can guess."""
    return SecretStr(f"iw-{secrets.token_urlsafe(32)}")


def put_client(path: Path, client: ClientAccount) -> None:
    """Write ``client`` at the end of the file, which is made where there is none.

    Raises:
        BadInput: one of that name is there, or the file cannot be used or written.
    """
    with _writing:
        known = read_clients(path)
        if any(one.name == client.name for one in known):
            raise BadInput(f"a client is called {client.name!r} already", "choose another name, or remove that one")
        before = _read(path)
        gap = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
        _replace(path, before + gap + _say(client), [*known, client])


def drop_client(path: Path, name: str) -> None:
    """Take the table of the client called ``name`` out of the file.

    Raises:
        BadInput: there is none in the file, or the file cannot be used or written.
    """
    with _writing:
        known = read_clients(path)
        rest = [one for one in known if one.name != name]
        if len(rest) == len(known):
            raise BadInput(f"no client in {path.name} is called {name[:60]!r}", "GET /v1/clients lists them")
        kept, inside = list[str](), False
        for line in _read(path).splitlines(keepends=True):
            if (header := _HEADER.match(line)) is not None:
                inside = header[1].strip() == name
            kept += [] if inside else [line]
        _replace(path, "".join(kept), rest)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _say(client: ClientAccount) -> str:
    limits = client.model_dump(include={"images_a_day", "money_a_day", "requests_a_minute"}, exclude_none=True)
    rows = {"token": client.token.get_secret_value(), **limits}
    lines = [f"{name} = {json.dumps(value)}" for name, value in rows.items()]
    return "\n".join([f"[{client.name}]", *lines]) + "\n"


def _replace(path: Path, text: str, wanted: list[ClientAccount]) -> None:
    """Put ``text`` in the file's place, whole and for this user's eyes only, once it says exactly what is wanted."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if sorted(read_clients(new), key=_name) != sorted(wanted, key=_name):
                raise BadInput(f"{path} is written in a way that is not changed here", _BY_HAND)
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)


def _name(client: ClientAccount) -> str:
    return client.name
