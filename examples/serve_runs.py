"""Our own routes: start a run, follow its events, and fetch the picture with its texts."""

import json
import os
from pathlib import Path

import httpx

headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
with httpx.Client(base_url=os.environ["OPENAI_BASE_URL"], headers=headers, timeout=300) as http:
    wishes = {"prompt": "a yellow star", "flow": "mini-quick", "critic": False}
    run = http.post("runs", json=wishes, headers={"Idempotency-Key": "star 1"}).json()["id"]
    with http.stream("GET", f"runs/{run}/events") as events:
        for line in events.iter_lines():
            if line.startswith("data: ") and "text" in (event := json.loads(line[6:])):
                print(event.get("kind"), event["text"])
    Path("star.png").write_bytes(http.get(f"runs/{run}/picture").content)
print("star.png")
