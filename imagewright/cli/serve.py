"""``imagewright serve`` and ``imagewright mcp``: the engine for other programs."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from imagewright.cli.options import DeviceOption, ModelsOption
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import clean, emit, is_terminal
from imagewright.errors import BadInput

_MANY = 100_000


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; others than this machine need tokens.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65_535, help="The port to listen on.")] = 7411,
    token: Annotated[
        str, typer.Option(metavar="TEXT", help="One client's token; better: tokens.toml in the home.")
    ] = "",
    tokens: Annotated[Path | None, typer.Option(metavar="FILE", help="The file of named tokens.")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A name that clients call this server by.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="An origin whose pages may ask.")
    ] = None,
    public_url: Annotated[str, typer.Option(metavar="URL", help="Its address behind a proxy, for links.")] = "",
    fetch_urls: Annotated[
        bool, typer.Option("--fetch-urls", help="Fetch pictures from public addresses that clients name.")
    ] = False,
    queue: Annotated[int, typer.Option(metavar="N", min=1, max=_MANY, help="Orders that may wait at once.")] = 256,
    grace: Annotated[
        float, typer.Option(metavar="S", min=0, help="Seconds for a picture in the making at the end.")
    ] = 60.0,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
    models: ModelsOption = None,
    device: Annotated[
        list[str] | None, typer.Option(help="As of draw; given again, pictures are drawn on several devices at once.")
    ] = None,
) -> None:
    """Serve the page, OpenAI's routes, ours and MCP over HTTP, with one engine that stays warm; see docs/serving.md."""
    from imagewright.extras import insist_on_extra

    insist_on_extra("serve", "fastapi", "uvicorn", "sse_starlette", "mcp", "prometheus_client")
    from imagewright.serve.desk import QueueLimits
    from imagewright.serve.server import ServeOptions, run_server

    options = ServeOptions(
        host=host,
        port=port,
        token=token,
        tokens=tokens,
        hosts=tuple(allow_host or ()),
        public_url=public_url,
        origins=tuple(allow_origin or ()),
        fetch_urls=fetch_urls,
        grace=grace,
        limits=QueueLimits(most=queue, most_own=queue),
        tell_token=is_terminal(sys.stdout),
        open_page=open_page,
    )
    if public_url and not public_url.startswith(("http://", "https://")):
        raise BadInput(f"--public-url {public_url} is no address", "give one such as https://pictures.example.org")
    devices: list[str | None] = [*device] if device else [None]
    with contextlib.ExitStack() as opened:
        engines = [opened.enter_context(engine(models, name)) for name in devices]
        run_server(engines, options, lambda line: emit(clean(line)))


def mcp(models: ModelsOption = None, device: DeviceOption = None) -> None:
    """Speak MCP on standard input and output, for an agent's client that starts this command itself."""
    from imagewright.extras import insist_on_extra

    insist_on_extra("serve", "mcp", "fastapi", "sse_starlette")
    from imagewright.serve.stdio import speak_mcp

    with engine(models, device) as opened:
        speak_mcp(opened)
