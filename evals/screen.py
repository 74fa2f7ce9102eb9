"""What is left on a terminal's screen of what a program wrote to it: lines as long as they are, without colours."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[\]_P].*?(?:\a|\x1b\\)|\x1b[=>()][0B]?|[\r\n\b]|[^\x1b\r\n\b]+|\x1b", re.S
)


class _Screen:
    """Lines and a cursor. A line has no end at the window's edge, so that one that flows over stays one line."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = [[]]
        self.row, self.column = 0, 0

    def put(self, text: str) -> None:
        """Write at the cursor, over what is there."""
        line = self.lines[self.row]
        line.extend(" " * (self.column - len(line)))
        for character in text:
            if character == "\t":
                self.column += 8 - self.column % 8
                line.extend(" " * (self.column - len(line)))
            elif character >= " ":
                line[self.column : self.column + 1] = [character]
                self.column += 1

    def feed(self) -> None:
        """Go to the next line."""
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append([])

    def control(self, numbers: str, command: str) -> None:
        """Do what an escape sequence says; what only colours or switches is nothing."""
        count = int(numbers) if numbers.isdigit() else 0
        if command == "A":
            self.row = max(0, self.row - max(count, 1))
        elif command == "B":
            for _ in range(max(count, 1)):
                self.feed()
        elif command in "CD":
            self.column = max(0, self.column + max(count, 1) * (1 if command == "C" else -1))
        elif command == "G":
            self.column = max(count, 1) - 1
        elif command == "K":
            self._erase(count)
        elif command == "J":
            self._erase(0)
            del self.lines[self.row + 1 :]

    def _erase(self, how: int) -> None:
        line = self.lines[self.row]
        if how == 2:
            line.clear()
        elif how == 0:
            del line[self.column :]


def read_screen(written: str) -> str:
    """The lines that a person sees in the end, and saw scroll by."""
    screen = _Screen()
    for found in _TOKEN.finditer(written):
        token = found[0]
        if found[2]:
            screen.control(found[1], found[2])
        elif token == "\n":
            screen.feed()
        elif token == "\r":
            screen.column = 0
        elif token == "\b":
            screen.column = max(0, screen.column - 1)
        elif not token.startswith("\x1b"):
            screen.put(token)
    return "\n".join("".join(line).rstrip() for line in screen.lines).rstrip() + "\n"
