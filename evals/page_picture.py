"""Draws the README's picture of the page: a conversation, and the boxes of its last picture.

Run it with ``python -m imagewright.evals.page_picture --out docs/page.png``. It serves a home of its own, says what
stands here in a conversation with the small model that ships, and looks at two views in headless Chromium.
"""

from __future__ import annotations

import argparse
import io
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx
from PIL import Image

from imagewright import untrusted
from imagewright.evals.page import WINDOW, open_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_THREAD = "shapes"
_SAYINGS = ("two red circles above a blue square", "make the square green", "a third circle")
_SEED = 7
_GAP = 24
_WIDTH = 1600
_COLOURS = 128
_PATIENCE = 60.0
"""Seconds that the server may take to be there."""


@contextmanager
def _serve(home: Path) -> Iterator[httpx.Client]:
    """A server on ``home`` in a process of its own; a client with its token."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [sys.executable, "-m", "imagewright.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, "IMAGEWRIGHT_HOME": str(home)})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600, trust_env=False) as http:
            _wait_for(http)
            http.headers["authorization"] = f"Bearer {untrusted.load_json(home / 'server.json')['secret']}"
            yield http
    finally:
        process.terminate()
        process.wait(60)


def _wait_for(http: httpx.Client) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            http.get("/ready").raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > end:
                raise SystemExit("the server does not start") from None
            time.sleep(0.2)


def _say(http: httpx.Client, said: str) -> str:
    """Say it, wait, and give the run whose picture came of it."""
    run = http.post(f"/v1/threads/{_THREAD}/turns", json={"text": said, "seed": _SEED}).raise_for_status().json()["id"]
    while (facts := http.get(f"/v1/runs/{run}").json())["status"] in ("queued", "running"):
        time.sleep(0.5)
    if not facts["image"]:
        raise SystemExit(f"{said!r}: {facts['text'] or facts['error']}")
    return str(run)


def _look(browser: Browser, http: httpx.Client, view: str, theme: Literal["light", "dark"]) -> Image.Image:
    context = browser.new_context(viewport=WINDOW, color_scheme=theme)
    try:
        page = context.new_page()
        page.goto(f"{http.base_url}/#token={http.headers['authorization'].removeprefix('Bearer ')}")
        page.locator("nav[aria-label=Views] a").first.wait_for()
        page.goto(f"{http.base_url}/#/{view}")
        page.wait_for_load_state("networkidle")
        page.wait_for_function("() => [...document.images].every((image) => image.complete)")
        return Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    finally:
        context.close()


def main() -> None:
    """Talk, look, and lay the two views side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/page.png"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser, _serve(Path(folder)) as http:
        runs = [_say(http, said) for said in _SAYINGS]
        left = _look(browser, http, f"talk/{_THREAD}", "light")
        right = _look(browser, http, f"boxes/{runs[-1]}", "dark")
    sheet = Image.new("RGB", (left.width + _GAP + right.width, left.height), "white")
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + _GAP, 0))
    height = sheet.height * _WIDTH // sheet.width
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.resize((_WIDTH, height), Image.Resampling.LANCZOS).quantize(_COLOURS).save(args.out, optimize=True)
    print(args.out)


if __name__ == "__main__":
    main()
