"""The process: binds the address, says where it is, serves, and stops so that nothing is lost."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from pydantic import SecretStr
from uvicorn.protocols.http.h11_impl import H11Protocol

from imagewright.errors import BadInput
from imagewright.serve.address import FILE, announce, read_secret, withdraw
from imagewright.serve.app import build_app
from imagewright.serve.clients import HOME_OWNER, SHORTEST_TOKEN, ClientAccount, Clients, read_clients
from imagewright.serve.desk import Desk, QueueLimits
from imagewright.serve.fetcher import PictureFetcher
from imagewright.serve.guards import Doors, Guard
from imagewright.serve.house import House
from imagewright.serve.links import LinkSigner
from imagewright.serve.metrics import Metrics
from imagewright.serve.opening import address_with_token, drop_opener, open_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagewright.api import Imagewright

PORT = 7411
"""No well-known picture tool listens there (ComfyUI 8188, A1111 and Forge 7860, InvokeAI 9090, Fooocus 7865)."""
MOST_HEADERS = 32_768
"""Bytes of a request's line and headers."""
HEADER_SECONDS = 15.0
"""How long a connection may take to send its first request's headers."""
MOST_CONNECTIONS = 1000


@dataclass(frozen=True)
class ServeOptions:
    """How the server is reached, and how much it takes."""

    host: str = "127.0.0.1"
    port: int = PORT
    token: str = ""
    """One more token of the owner's; empty for none."""
    tokens: Path | None = None
    """The file of named tokens; None for ``tokens.toml`` in the home."""
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    public_url: str = ""
    fetch_urls: bool = False
    """Whether pictures are fetched from addresses that clients name."""
    grace: float = 60.0
    """Seconds that a picture in the making has when the server is asked to stop."""
    limits: QueueLimits = field(default_factory=QueueLimits)
    tell_token: bool = False
    """Tell the page's address with the owner's token: for a terminal, never for a log."""
    open_page: bool = False
    """Open the page in the person's browser."""


def run_server(engines: Sequence[Imagewright], options: ServeOptions, tell: Callable[[str], None]) -> None:
    """Serve until the process is asked to stop; ``tell`` hears the lines for the person.

    Raises:
        BadInput: the port is taken, or an option cannot be used.
    """
    PictureServer(engines, options, tell).serve_until_stopped()


def open_house(desk: Desk, clients: Clients, secret: SecretStr, options: ServeOptions) -> Guard:
    """The application of a desk."""
    fetcher = PictureFetcher() if options.fetch_urls else None
    names = frozenset(name.lower() for name in (*options.hosts, *_names_of(options)))
    return build_app(
        House(desk, LinkSigner(secret), Metrics(), options.public_url.rstrip("/"), fetcher),
        clients,
        Doors(hosts=names, origins=frozenset(origin.rstrip("/") for origin in options.origins)),
    )


def gather_clients(home: Path, options: ServeOptions) -> Clients:
    """The owner, by the home's secret, and the named clients.

    Raises:
        BadInput: another host than the loopback is asked for and there is no token, or a token cannot be used.
    """
    file = options.tokens or home / "tokens.toml"
    named = read_clients(file)
    if options.token:
        if len(options.token) < SHORTEST_TOKEN:
            raise BadInput(f"--token has fewer than {SHORTEST_TOKEN} characters", "make one: openssl rand -hex 24")
        named = [*named, ClientAccount(name="token", token=SecretStr(options.token))]
    if not named and not is_loopback(options.host):
        remedy = f"name clients in {home / 'tokens.toml'} (docs/serving.md), or give --token"
        raise BadInput(f"--host {options.host} is open to other machines and there is no token", remedy)
    return Clients([ClientAccount(name=HOME_OWNER, token=read_secret(home)), *named], file)


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _names_of(options: ServeOptions) -> tuple[str, ...]:
    """What clients may call the server: its address, and the name in its public one."""
    public = options.public_url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
    listens_everywhere = options.host in ("0.0.0.0", "::", "")
    return (*(() if listens_everywhere else (options.host,)), *((public,) if public else ()))


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def page_url(url: str) -> str:
    """The address of the page for a browser on this machine, where the server may listen on all addresses."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens there.

    Raises:
        BadInput: the port is taken, or there is no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise BadInput(f"cannot listen on {host}:{port}: {why}", "another server? choose --port") from None
        yield sock


def _config(app: Any, options: ServeOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=MOST_HEADERS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=int(options.grace),
    )


class _Protocol(H11Protocol):
    """A connection that sends no whole headers in time is closed."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._late = self.loop.call_later(HEADER_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        if self.cycle is None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)


class PictureServer(uvicorn.Server):
    """Works once the socket listens, and lets pictures end before the requests that wait for them are cut."""

    def __init__(self, engines: Sequence[Imagewright], options: ServeOptions, tell: Callable[[str], None]) -> None:
        self.home = engines[0].settings.data_dir
        self.desk = Desk(engines, options.limits)
        self._engines, self._options, self._tell = engines, options, tell
        clients, secret = gather_clients(self.home, options), read_secret(self.home)
        super().__init__(_config(open_house(self.desk, clients, secret, options), options))
        self.url = ""

    def serve_until_stopped(self) -> None:
        """Listen and work; ``should_exit`` or a signal ends it.

        Raises:
            BadInput: the port is taken, or there is no such address.
        """
        with _bound(self._options.host, self._options.port) as sock:
            self.url = f"http://{_shown(self._options.host)}:{sock.getsockname()[1]}"
            self.run(sockets=[sock])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, work, and say where."""
        await super().startup(sockets)
        if self.should_exit:
            return
        self.desk.start()
        for engine in self._engines:
            engine.read_ahead()
        announce(self.home, self.url, self._engines[0].settings)
        self._tell(f"serving at {self.url} (Ctrl-C stops)")
        self._tell(f"the owner's token is in {self.home / FILE}")
        await asyncio.to_thread(self._show_page)

    def _show_page(self) -> None:
        address = address_with_token(page_url(self.url), read_secret(self.home))
        if self._options.tell_token:
            self._tell(f"open {address}")
        if self._options.open_page and not open_page(self.home, address):
            self._tell("no browser was found here; open the address yourself")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let pictures in the making end, then answer and close. The signal that asked for it is used up."""
        withdraw(self.home)
        if self._options.open_page:
            drop_opener(self.home)
        await asyncio.to_thread(self.desk.stop, self._options.grace)
        await super().shutdown(sockets)
        self._captured_signals.clear()
        for engine in self._engines:
            engine.close()
