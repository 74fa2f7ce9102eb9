"""An MCP client that starts imagewright itself and asks for a picture."""

import asyncio
import os
import sys

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

COMMAND = StdioServerParameters(command=sys.executable, args=["-m", "imagewright.cli", "mcp"], env=dict(os.environ))


async def main() -> None:
    async with Client(COMMAND) as client:
        print(sorted(tool.name for tool in (await client.list_tools()).tools))
        drawn = await client.call_tool("draw", {"prompt": "a red circle", "flow": "mini-quick", "quality": "low"})
        print([part.type for part in drawn.content], drawn.structured_content["flow"])


asyncio.run(main())
