"""What the server keeps holds no token of anybody."""

import json
import subprocess
from typing import Any

ALICE = "alice-has-a-long-token"


def test_no_secret_is_in_what_was_kept(served: Any) -> None:
    for name in ("imagewright.sqlite", "imagewright.sqlite-wal"):
        # By a process of its own: closing the file here would drop SQLite's locks on it, which are this process's.
        data = subprocess.run(["cat", served.home / name], capture_output=True, check=False).stdout
        assert served.token.encode() not in data
        assert ALICE.encode() not in data
    assert json.loads((served.home / "server.json").read_text())["url"] == served.url
