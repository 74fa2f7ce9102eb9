"""Follow a run as it happens, without blocking."""

import asyncio

from imagewright import astream
from imagewright.schemas import RunResult


async def main() -> None:
    async for event in astream(
        "a green house", seed=1, flow="mini-quick", use_critic=False, out="house.png", taken="number"
    ):
        print(event.path if isinstance(event, RunResult) else f"{event.kind}: {event.text}")


asyncio.run(main())
