"""Links to pictures that need no token: signed, so that none can be guessed or altered, and good for a while only."""

from __future__ import annotations

import hashlib
import hmac
import time

from pydantic import SecretStr

GOOD_FOR = 24 * 3600
"""Seconds that a link is good for, at least."""
_STEP = 3600
"""Links end at whole hours, so that one picture has one link for that long and a browser's cache knows it."""


class LinkSigner:
    """Makes and checks links with a key that is derived from the home's secret."""

    def __init__(self, secret: SecretStr, base: str = "") -> None:
        self._key = hmac.digest(secret.get_secret_value().encode(), b"imagewright links", "sha256")
        self.base = base.rstrip("/")

    def link(self, name: str, seconds: int = GOOD_FOR) -> str:
        """The address of the picture file ``name``."""
        until = -(-(int(time.time()) + seconds) // _STEP) * _STEP
        return f"{self.base}/v1/files/{name}?until={until}&signature={self.sign(name, until)}"

    def sign(self, name: str, until: int) -> str:
        """The signature that makes ``name`` readable until that second."""
        return hmac.new(self._key, f"{name}\n{until}".encode(), hashlib.sha256).hexdigest()

    def accepts(self, name: str, until: int, signature: str) -> bool:
        """Whether the link was made here and is still good."""
        return hmac.compare_digest(self.sign(name, until).encode(), signature.encode()) and time.time() < until
