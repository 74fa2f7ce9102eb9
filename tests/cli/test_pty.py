"""Twenty turns in a real pseudo-terminal, killed -9 at random moments: the same pictures as without any kill."""

from __future__ import annotations

import os
import pty
import random
import re
import select
import signal
import sys
import time
from pathlib import Path

import pytest
import warm

from imagewright.graph.lines import present
from imagewright.memory.threads import Threads

SAYINGS = (
    "a red circle left of a blue square on a white background", "make the circle green", "make the circle bigger",
    "undo", "move the square up", "one more", "make the circle yellow", "why this flow?", "go back to picture 1",
    "add a red star", "without the square", "undo", "thumbs up", "the same but on a black background",
    "like the first one", "make the square red", "one more", "seed 12", "undo twice", "make the square smaller",
)  # fmt: skip
OPTIONS = ("chat", "--thread", "t", "--seed", "5", "--flow", "mini-quick", "--no-critic", "--out", "pictures")
COMMAND = (sys.executable, "-m", "imagewright.cli", *OPTIONS)
LONG = (*COMMAND, "--flow", "mini-careful")
"""A flow of 40 steps: the live line is repainted ten times a second, so only what lasts is surely seen on it."""
READY = "\x1b[?2004h"
"""What the prompt sends when it waits for a line: bracketed paste is switched on."""
PATIENCE = 300.0


def environment(home: Path) -> dict[str, str]:
    """A terminal with colours, one thread of torch, and a home of its own."""
    return {**os.environ, "IMAGEWRIGHT_HOME": str(home / "home"), "OMP_NUM_THREADS": "1", "TERM": "xterm-256color",
            "PROMPT_TOOLKIT_NO_CPR": "1", "IMAGEWRIGHT_PREVIEW": "blocks"}  # fmt: skip


class Terminal:
    """``imagewright chat`` behind a pseudo-terminal."""

    def __init__(self, home: Path, command: tuple[str, ...] = COMMAND) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.handle, theirs = pty.openpty()
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        self.process = warm.Popen(command, cwd=home, env=environment(home), start_new_session=True, **streams)
        os.close(theirs)
        self.seen = ""

    def until_ready(self, seconds: float = PATIENCE, mark: str = READY) -> bool:
        """Read until the prompt waits, or ``mark`` is told; False when it was not in time, or the program ended."""
        end = time.monotonic() + seconds
        while mark not in self.seen and time.monotonic() < end:
            readable, _, _ = select.select([self.handle], [], [], 0.1)
            if readable:
                try:
                    self.seen += os.read(self.handle, 65536).decode(errors="replace")
                except OSError:
                    return False
        ready, self.told = mark in self.seen, self.seen
        self.seen = self.seen.partition(mark)[2] if ready else self.seen
        return ready

    def say(self, text: str) -> None:
        """Type a line."""
        os.write(self.handle, text.encode() + b"\r")

    def press(self, key: bytes) -> None:
        """Type one key."""
        os.write(self.handle, key)

    def end(self, how: int = signal.SIGKILL) -> None:
        """End the program."""
        self.process.send_signal(how)
        self.process.wait()
        os.close(self.handle)


def outcome(home: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """What was said with the picture that it gave, and the pictures on the present line."""
    turns = Threads(home / "home" / "imagewright.sqlite").turns("t")
    line = present(home / "home" / "checkpoints.sqlite", "thread t")
    return [(turn.said, turn.image) for turn in turns], [picture.image for picture in line]


@pytest.mark.slow
def test_twenty_turns_killed_three_times_give_the_same_pictures(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    said = "".join(f"{text}\n" for text in SAYINGS)
    done = warm.run(COMMAND, input=said, cwd=whole, env=environment(whole), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    chance = random.Random(20)
    kills = dict(
        zip(sorted(chance.sample(range(1, 20), 3)), (chance.uniform(0.05, 3.0) for _ in range(3)), strict=True)
    )
    home = tmp_path / "killed"
    terminal = Terminal(home)
    assert terminal.until_ready(), terminal.told[-500:]
    number = 0
    while number < len(SAYINGS):
        terminal.say(SAYINGS[number])
        if (after := kills.pop(number, None)) is not None:
            terminal.until_ready(after)
            terminal.end()
            terminal = Terminal(home)
            assert terminal.until_ready(), terminal.told[-500:]
            number = len(Threads(home / "home" / "imagewright.sqlite").turns("t"))
            continue
        assert terminal.until_ready(), terminal.told[-500:]
        number += 1
    terminal.end()
    assert not kills
    assert outcome(home) == outcome(whole)
    assert [text for text, _ in outcome(home)[0]] == list(SAYINGS)


def test_ctrl_c_stops_the_picture_and_keeps_the_conversation(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, LONG)
    assert terminal.until_ready(), terminal.told[-500:]
    terminal.say("a red circle")
    assert terminal.until_ready(), terminal.told[-500:]
    assert re.search(r"picture 1: .*t-01\.png", terminal.told), terminal.told[-500:]
    assert "\x1b[38;2;" in terminal.told  # the picture itself, as blocks
    terminal.say("a blue square")
    assert terminal.until_ready(mark="/40"), terminal.told[-500:]
    terminal.press(b"\x03")
    assert terminal.until_ready(), terminal.told[-500:]
    assert "the run was stopped" in terminal.told[-500:]
    terminal.say("make it green")
    assert terminal.until_ready(), terminal.told[-500:]
    assert re.search(r"picture 2: .*", terminal.told), terminal.told[-500:]
    terminal.press(b"\x04")
    terminal.process.wait()
    turns = Threads(tmp_path / "home" / "imagewright.sqlite").turns("t")
    assert [turn.status for turn in turns] == ["delivered", "cancelled", "delivered"]
