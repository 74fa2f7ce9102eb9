"""The engine as a LangGraph graph with its own nodes: stream it, keep it in any checkpointer, answer its questions."""

import asyncio

from langgraph.checkpoint.memory import InMemorySaver

from imagewright import Imagewright

graph = Imagewright().as_graph().compile(checkpointer=InMemorySaver())
config = {"configurable": {"thread_id": "shapes"}}


async def main() -> None:
    wanted = {"prompt": "a red circle above a blue square", "flow": "mini-quick", "use_critic": False, "seed": 3}
    async for update in graph.astream(wanted, config, stream_mode="updates"):
        print(*update)
    changed = await graph.ainvoke({"prompt": "make the circle green"}, config)
    print(changed["flow"], changed["path"])


asyncio.run(main())
