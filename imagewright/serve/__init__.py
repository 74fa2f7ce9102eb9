"""``imagewright serve``: one warm engine behind HTTP (OpenAI's routes and ours) and MCP."""
