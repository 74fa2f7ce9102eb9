"""Make a home with things left open: a conversation of three turns, a question that waits, a run cut off by a kill.

``python tests/homes/make.py FOLDER`` writes ``FOLDER/home`` and the pictures beside it. A test opens the home that an
earlier release made with it, so that no later one leaves anybody's work behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from imagewright import Imagewright
from imagewright.settings import load_settings

SAYINGS = ("a red circle left of a blue square on a white background", "make the square green", "one more")
ASKED = "two yellow stars on a blue background"
CUT = "two red circles above a blue square on a white background"


def main() -> None:
    """Talk, ask, and be killed."""
    folder = Path(sys.argv[1]).resolve()
    os.environ["IMAGEWRIGHT_HOME"] = str(folder / "home")
    if sys.argv[2:] == ["cut"]:
        draw_until_killed(folder)
        return
    folder.mkdir(parents=True)
    engine = Imagewright(load_settings())
    for said in SAYINGS:
        print(engine.chat("open", seed=7, out=str(folder)).say(said).text)
    print(engine.chat("asked", seed=7, max_images=1, out=str(folder)).say(ASKED).text)
    subprocess.run([sys.executable, __file__, str(folder), "cut"], check=False)
    for row in engine.runs.list():
        print(row.id, row.status, row.prompt)


def draw_until_killed(folder: Path) -> None:
    """Draw, and end without a word once the first picture is judged and the repair of it begins."""

    def listen(event: SimpleNamespace) -> None:
        print(event.kind, event.text[:100], flush=True)
        if event.kind == "repair":
            os.kill(os.getpid(), signal.SIGKILL)

    Imagewright(load_settings()).draw(CUT, seed=7, out=str(folder / "cut.png"), on_event=listen)


if __name__ == "__main__":
    main()
