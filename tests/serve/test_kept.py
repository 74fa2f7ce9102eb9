"""What the server keeps holds no token of anybody, and its links are for one file and one time."""

import json
import subprocess
from typing import Any

from pydantic import SecretStr

from imagewright.serve.links import LinkSigner

ALICE = "alice-has-a-long-token"


def test_no_secret_is_in_what_was_kept(served: Any) -> None:
    for name in ("imagewright.sqlite", "imagewright.sqlite-wal"):
        # By a process of its own: closing the file here would drop SQLite's locks on it, which are this process's.
        data = subprocess.run(["cat", served.home / name], capture_output=True, check=False).stdout
        assert served.token.encode() not in data
        assert ALICE.encode() not in data
    assert json.loads((served.home / "server.json").read_text())["url"] == served.url


def test_a_signature_is_for_one_file_and_one_time() -> None:
    signer, other = LinkSigner(SecretStr("a")), LinkSigner(SecretStr("b"))
    assert signer.accepts("x", 2**33, signer.sign("x", 2**33))
    assert not signer.accepts("y", 2**33, signer.sign("x", 2**33))
    assert not signer.accepts("x", 2**33, other.sign("x", 2**33))
    assert not signer.accepts("x", 5, signer.sign("x", 5))
