"""Reading what a person types in a conversation: with prompt_toolkit where it is installed, with readline else.

prompt_toolkit brings several lines (Alt-Enter), a history over restarts and a menu of ``/`` commands; readline the
history and Tab. What does not come from a terminal is read line by line.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imagewright.cli.terminal.text import is_terminal

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer

_PROMPT = "> "
MARK = "\\"
"""At the end of a line: the saying goes on in the next one."""


_STOPS = "Ctrl-C stops the picture that is being drawn; Ctrl-D ends"


class SayingReader(Protocol):
    """Where sayings come from."""

    keys: str
    """What the keys do, for a person who types; empty where nobody does."""

    def read(self) -> str:
        """The next saying. Raises ``EOFError`` at the end and ``KeyboardInterrupt`` for Ctrl-C."""
        ...


def open_reader(history: Path, commands: Sequence[str]) -> SayingReader:
    """The best reader for standard input."""
    if not is_terminal(sys.stdin):
        return PipeReader()
    with contextlib.suppress(OSError):
        history.parent.mkdir(parents=True, exist_ok=True)
    if importlib.util.find_spec("prompt_toolkit") and is_terminal(sys.stdout):
        return ToolkitReader(history, commands)
    return LineReader(history, commands)


class PipeReader:
    """Sayings from a file or a pipe, one a line."""

    keys = ""

    def read(self) -> str:
        """The next line that is not empty; bytes that are no text stay recognisable as such, and are refused later."""
        for line in sys.stdin.buffer:
            if text := line.decode("utf-8", "surrogateescape").strip():
                return text
        raise EOFError


class LineReader:
    """Sayings from a terminal, with the standard library's readline."""

    keys = f"{_STOPS}; a line that ends in {MARK} goes on in the next one."

    def __init__(self, history: Path, commands: Sequence[str]) -> None:
        import readline

        self._history, self._commands = history, commands
        with contextlib.suppress(OSError):
            readline.read_history_file(history)
        readline.set_completer(self._complete)
        readline.set_completer_delims("")
        readline.parse_and_bind("tab: complete")

    def _complete(self, text: str, state: int) -> str | None:
        found = [command for command in self._commands if text.startswith("/") and command.startswith(text)]
        return found[state] if state < len(found) else None

    def read(self) -> str:
        """The next saying; a line that ends in a backslash goes on in the next one."""
        import readline

        text = input(_PROMPT)
        while text.endswith(MARK):
            text = text.removesuffix(MARK) + "\n" + input("… ")
        with contextlib.suppress(OSError):
            readline.write_history_file(self._history)
        return text


class ToolkitReader:
    """Sayings from a terminal, with prompt_toolkit."""

    keys = f"{_STOPS}; Alt-Enter begins a new line."

    def __init__(self, history: Path, commands: Sequence[str]) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory
        from prompt_toolkit.key_binding import KeyBindings

        keys = KeyBindings()
        keys.add("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
        keys.add("enter")(lambda event: event.current_buffer.validate_and_handle())
        self._session: PromptSession[str] = PromptSession(
            history=FileHistory(str(history)), completer=_completer(commands), key_bindings=keys, multiline=True,
            complete_while_typing=True,
        )  # fmt: skip

    def read(self) -> str:
        """The next saying; Alt-Enter begins a new line of it."""
        return self._session.prompt(_PROMPT)


def _completer(commands: Sequence[str]) -> Completer:
    """Offers the ``/`` commands that begin with what is typed."""
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

    class Slash(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
            text = document.text_before_cursor
            if text.startswith("/") and " " not in text:
                yield from (Completion(name, -len(text)) for name in commands if name.startswith(text))

    return Slash()
