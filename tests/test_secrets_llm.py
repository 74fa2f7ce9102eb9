"""A key that is sent to a server is found nowhere else: not in output, logs, traces, databases or pictures."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import warm
from PIL import Image

SENTINEL = "zqSENTINEL0123456789zq"
PROMPT = "a red circle above a blue square"


@pytest.mark.parametrize(("fault", "where"), [("401", "environment"), ("echo", "environment"), ("echo", "file")])
def test_a_sentinel_key_is_found_nowhere(
    fault: str, where: str, load_module: Callable[[str, Path], ModuleType], tmp_path: Path
) -> None:
    pytest.importorskip("langchain_openai")
    faults = load_module("imagewright_fault_server_secrets", Path(__file__).parent / "agents" / "fault_server.py")
    server = faults.Fault(fault, lambda body: json.dumps({"flow": "mini-quick", "reason": "said", "labels": []}))
    keys = tmp_path / "keys.toml"
    keys.write_text(f'"127.0.0.1" = "{SENTINEL}"\n' if where == "file" else "")
    keys.chmod(0o600)
    out = tmp_path / "seen"
    out.mkdir()
    with faults.serving(server) as url:
        environ = {
            **os.environ, "IMAGEWRIGHT_HOME": str(out / "home"), "IMAGEWRIGHT_KEYS": str(keys),
            "IMAGEWRIGHT_DEBUG": "1",
            **({"IMAGEWRIGHT_LLM_KEY": SENTINEL} if where == "environment" else {}),
        }  # fmt: skip
        command = [sys.executable, "-m", "imagewright.cli", "draw", PROMPT, "--out", str(out / "a.png"), "--seed", "1",
                   "--flow", "mini-quick", "--max-images", "1", "--json",
                   "--llm", f"{url}/v1#m; critic=rules"]  # fmt: skip
        done = warm.run(command, env=environ, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert all(SENTINEL in sent["authorization"] for sent in server.headers), "the key did go to its server"
    assert server.headers
    said = done.stdout + done.stderr
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) > 3
    with Image.open(out / "a.png") as picture:
        picture.load()
        texts = json.dumps(picture.text).encode()  # type: ignore[attr-defined]
    for name, data in [("output", said), ("png", texts), *((str(p), p.read_bytes()) for p in files)]:
        assert SENTINEL.encode() not in data, name
