"""The OpenAI SDK draws here: OPENAI_BASE_URL and OPENAI_API_KEY name the server (docs/serving.md)."""

import base64
from pathlib import Path

from openai import OpenAI

client = OpenAI()
wishes = {"seed": 3, "flow": "mini-quick", "critic": False}
answer = client.images.generate(prompt="a red circle above a blue square", size="128x128", extra_body=wishes)
Path("circle.png").write_bytes(base64.b64decode(answer.data[0].b64_json))
print(answer.data[0].model_extra["flow"], answer.data[0].model_extra["seed"], "circle.png")
