"""ComfyUI servers as the person names them: in the settings file, or in ``IMAGEWRIGHT_COMFYUI``.

::

    [comfyui.desk]
    url = "http://192.168.1.20:8188"

    [comfyui.cloud]
    url = "https://gpu.example/comfy"          # behind a path prefix
    auth = "basic"                             # bearer where it is left out
    headers = { "CF-Access-Client-Secret" = "key:cloudflare" }
    ca_file = "~/my-ca.pem"
    user = "ana"                               # of a server that was started with --multi-user

No key stands there. The token, or ``user:password``, is the line of the keys' file (``keys``) that is called
``comfyui.<name>``, or else by the server's ``host:port`` or ``host``; a header says ``key:<line>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagewright.errors import BadInput
from imagewright.redaction import blank_text, is_key_name

DEFAULT_URL = "http://127.0.0.1:8188"
"""Where ComfyUI answers unless it is told otherwise."""
DEFAULT_NAME = "local"
_NAME = re.compile(r"[\w][\w.:-]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_FROM_KEYS = "key:"
_LIKE = 'a server is [comfyui.NAME] with url = "http://HOST:8188"'


class ServerSettings(BaseModel):
    """One ComfyUI server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    url: str
    """Its address, with the path that a proxy puts before ComfyUI's own, without a slash at the end."""
    headers: Mapping[str, str] = {}
    """Sent with every request; a value ``key:NAME`` is the line NAME of the keys' file."""
    auth: Literal["bearer", "basic"] = "bearer"
    """How the key is sent, where the keys' file has one for it."""
    user: str = ""
    """ComfyUI's own user, for a server of several."""
    ca_file: Path | None = None
    """The certificates that it is checked with, for TLS that a public authority did not sign."""
    job_timeout: float = Field(default=1800.0, gt=0, lt=1_000_000)
    """Seconds that a job may run without any sign of progress."""
    max_queue: int = Field(default=100, ge=1)
    """Jobs in its queue from which on nothing more is sent."""
    previews: bool = True
    """Whether previews are asked for."""

    def __str__(self) -> str:
        return f"{self.name}={self.url}"

    @property
    def host(self) -> str:
        """``host`` or ``host:port``."""
        return urlsplit(self.url).netloc

    @property
    def key_names(self) -> tuple[str, ...]:
        """The lines of the keys' file that its key may stand in, the first first."""
        return (f"comfyui.{self.name}", self.host, urlsplit(self.url).hostname or "")

    @property
    def header_keys(self) -> dict[str, str]:
        """The headers that hold a key, and the line of the keys' file that each is."""
        named = {name: value for name, value in self.headers.items() if value.startswith(_FROM_KEYS)}
        return {name: value.removeprefix(_FROM_KEYS).strip() for name, value in named.items()}


def read_servers(variable: str | None, table: object, file: Path) -> tuple[ServerSettings, ...]:
    """The servers that ``IMAGEWRIGHT_COMFYUI`` names, or else those in the ``comfyui`` table of ``file``.

    The variable holds addresses apart by commas or spaces, each with ``name=`` before it or not.

    Raises:
        BadInput: an address is none, holds a password, or a field is wrong; the message names the variable or file.
    """
    if variable:
        found = [_named(part) for part in re.split(r"[\s,]+", variable.strip()) if part]
        return tuple(_server(name, {"url": url}, "IMAGEWRIGHT_COMFYUI") for name, url in found)
    if not isinstance(table, dict) or not all(isinstance(fields, dict) for fields in table.values()):
        raise BadInput(f"comfyui in {file} is no table of servers", _LIKE)
    return tuple(_server(name, fields, str(file)) for name, fields in table.items())


def server_at(url: str, name: str = "") -> ServerSettings:
    """The server at ``url``, called ``name`` or else by its host.

    Raises:
        BadInput: it is no address.
    """
    return _server(name or _called(url), {"url": url}, "the address")


def find_servers(named: Sequence[ServerSettings], asked: str | None = None) -> Sequence[ServerSettings]:
    """The server of ``named`` that is called ``asked`` or has that address, else the one at that address.

    For None it is all of ``named``, and where none is named the one at ComfyUI's own address.

    Raises:
        BadInput: ``asked`` is neither a name nor an address.
    """
    if asked is None:
        return named or (server_at(DEFAULT_URL, DEFAULT_NAME),)
    found = [server for server in named if asked.rstrip("/") in (server.name, server.url)]
    return found or (server_at(asked),)


def _named(part: str) -> tuple[str, str]:
    name, equals, url = part.partition("=")
    return (name, url) if equals and "://" not in name else (_called(part), part)


def _called(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "server"
    except ValueError:
        return "server"


def _server(name: str, fields: Mapping[str, Any], where: str) -> ServerSettings:
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name[:80]!r} in {where} is no name for a server", "use letters, digits, dots and hyphens")
    try:
        made = ServerSettings.model_validate({**fields, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"comfyui server {name!r} in {where}: {what}: {first['msg'].lower()}", _LIKE) from None
    wrong = next(_wrong_in(made), None)
    if wrong:
        raise BadInput(f"comfyui server {name!r} in {where}: {wrong[0]}", wrong[1])
    ca_file = made.ca_file.expanduser() if made.ca_file else None
    return made.model_copy(update={"url": made.url.strip().rstrip("/"), "ca_file": ca_file})


def _wrong_in(made: ServerSettings) -> Iterator[tuple[str, str]]:
    try:
        parts = urlsplit(made.url.strip())
        named = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        parts, named = urlsplit(""), None
    keys = 'write it into the keys\' file: "comfyui.NAME" = "the key"'
    if parts.username or parts.password:
        yield "its address holds a password", keys
    elif not named or parts.query or parts.fragment:
        yield f"{made.url[:120]!r} is not the address of a server", f"give it like {DEFAULT_URL}"
    for name, value in made.headers.items():
        literal = not value.startswith(_FROM_KEYS)
        if not _HEADER.fullmatch(name) or "\n" in value or "\r" in value:
            yield f"{name[:60]!r} is no header", 'headers = { "X-Name" = "value" }'
        elif literal and (is_key_name(name.replace("-", "_")) or blank_text(value) != value):
            yield f"the header {name!r} holds a key", f'{keys}, and name it: "{name}" = "key:comfyui.NAME"'
