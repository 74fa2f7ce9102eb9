"""Hand drawing to a LangChain agent. Here the tool is called by itself, so that no language model is needed."""

from imagewright import as_tool

tool = as_tool(flow="mini-quick", use_critic=False)
print(tool.name, list(tool.args))
print(tool.invoke({"prompt": "two red circles", "conversation": "example-tool", "seed": 1}))
print(tool.invoke({"prompt": "make them blue", "conversation": "example-tool"}))
