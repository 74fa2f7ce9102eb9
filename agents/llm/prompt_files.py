"""Prompts: versioned Markdown files beside the agents that use them.

A file begins with ``version: N`` between two lines of dashes. The line ``<!-- request -->`` parts it: what stands
before is the same for every request, so that services and local servers can cache it, and goes out as the system
message; what stands after is filled in for each request. ``{{name}}`` marks a place.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import Fault

FOLDER = Path(__file__).parents[1]
"""Each prompt lies in the folder of the agent that uses it."""
PARTING = "<!-- request -->"
_HEAD = re.compile(r"\A---\nversion: (\d+)\n---\n")


@dataclass(frozen=True)
class Prompt:
    """A prompt that is ready to be sent."""

    name: str
    version: int
    rules: str
    """The same for every request."""
    request: str
    """What this request is about."""

    @property
    def text(self) -> str:
        """All of it, for a model or a person that takes one text."""
        return f"{self.rules}\n\n{self.request}"


def prompt(name: str, **values: object) -> Prompt:
    """The prompt ``<name>.md``; values that are no text are put in as JSON, once, and never read again.

    Raises:
        Fault: the file is missing or has no version or no request: the installation is broken.
        KeyError: the file has a place for which there is no value.
    """
    version, rules, request = _parts(name)
    return Prompt(name, version, _filled(rules, values).strip(), _filled(request, values).strip())


@functools.cache
def _parts(name: str) -> tuple[int, str, str]:
    try:
        text = files()[name].read_text(encoding="utf-8")
    except (KeyError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is missing"
        raise Fault(f"the prompt {name}.md cannot be read: {why}", "reinstall imagewright") from error
    head, (rules, parting, request) = _HEAD.match(text), text.partition(PARTING)
    if head is None or not parting:
        raise Fault(f"the prompt {name}.md has no version or no {PARTING}", "reinstall imagewright")
    return int(head[1]), rules[head.end() :], request


def _filled(text: str, values: dict[str, object]) -> str:
    pieces = text.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        key, _, rest = piece.partition("}}")
        value = values[key.strip()]
        filled.append((value if isinstance(value, str) else _compact(value)) + rest)
    return "".join(filled)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def files() -> dict[str, Path]:
    """The prompts that there are by name, sorted."""
    return {path.stem: path for path in sorted(FOLDER.rglob("*.md"), key=lambda path: path.stem)}
