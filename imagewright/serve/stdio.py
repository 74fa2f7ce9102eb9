"""MCP on standard input and output: the same tools, for one agent that started this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from imagewright.serve.address import find_running, read_secret
from imagewright.serve.clients import HOME_OWNER, ClientAccount
from imagewright.serve.desk import Desk
from imagewright.serve.house import House
from imagewright.serve.links import LinkSigner
from imagewright.serve.mcp_tools import build_mcp
from imagewright.serve.metrics import Metrics

if TYPE_CHECKING:
    from imagewright.api import Imagewright

GRACE = 5.0
"""Seconds that a picture in the making has when the agent goes away; then it is left for the next start."""


def speak_mcp(engine: Imagewright) -> None:
    """Answer until standard input ends.

    Where a server of this home runs under the same settings, it draws what is ordered here: they share the queue, and
    its models are loaded already. Else this process draws.
    """
    secret = read_secret(engine.settings.data_dir)
    owner = ClientAccount(name=HOME_OWNER, token=secret)
    desk = Desk([engine])
    server = build_mcp(House(desk, LinkSigner(secret), Metrics()), lambda ctx: owner)
    desk.start(working=find_running(engine.settings) is None)
    try:
        anyio.run(server.run_stdio_async)
    finally:
        desk.stop(GRACE)
