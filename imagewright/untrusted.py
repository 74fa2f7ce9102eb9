"""JSON, JSON lines and TOML that came from outside: the one reader of them, and its bounds.

Everything that a person, a model folder, a server or a language model hands over is read here: a file is never read
past its bound, parsed text is bounded in depth, in the number of its values and in the length of its texts, and what
is wrong is one line with a remedy. Where many files are looked at (model folders, traces beside pictures), the caller
catches ``BadInput`` and says that this one cannot be read.
"""

from __future__ import annotations

import json
import math
import os
import stat
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagewright.errors import BadInput


@dataclass(frozen=True)
class Bounds:
    """How large, how deep and how much; what is beyond is refused."""

    bytes: int = 10_000_000
    depth: int = 64
    """The deepest nesting of lists and objects."""
    objects: int = 400_000
    values: int = 1_500_000
    """The most commas, which bound the values."""
    text: int = 1_000_000
    """The longest text, in characters."""
    strict: bool = False
    """Whether a key that stands twice and a number that is none (``NaN``) are refused too."""
    endless: bool = False
    """Whether NaN and infinities are let through all the same, for callers that look at what they keep."""
    remedy: str = "save or export it again"


_PLAIN = Bounds()
"""A config, a manifest, a trace."""
HEADER = Bounds(bytes=100_000_000, depth=8, text=10_000_000, remedy="download it again")
"""The header of a safetensors file; the format's own bound of its length."""
ANSWER = Bounds(bytes=1_000_000, depth=32, objects=20_000, values=100_000, text=200_000, remedy="answer again")
"""What a language model says."""
NODE_LIST = Bounds(bytes=64_000_000, objects=2_000_000, values=8_000_000, remedy="ask the server again")
"""A ComfyUI server's list of nodes; servers with very many send about 20 MB."""
TABLE = Bounds(bytes=200_000, depth=8, text=4096, remedy="mend it, or move it away")
"""A settings file, keys or prices. tomllib needs quadratic time for long dotted keys, so its lines are bounded too."""


# --- bytes ----------------------------------------------------------------------------------


def read_bytes(path: Path, limit: int, remedy: str = "name a file that exists and is readable") -> bytes:
    """The bytes of ``path``, which has at most ``limit`` of them.

    Raises:
        BadInput: it cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"cannot read {path}: {reason}", remedy) from None
    if len(data) > limit:
        raise BadInput(f"{path} is larger than {_size(limit)}", remedy)
    return data


def read_lines(path: Path, limit: int = 256_000_000, remedy: str = "give a file of JSON lines") -> list[str]:
    """The lines of a UTF-8 text.

    Raises:
        BadInput: it cannot be read, is larger than ``limit`` bytes, or is not UTF-8.
    """
    data = read_bytes(path, limit, remedy)
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadInput(f"cannot read {path}: it is not UTF-8 text", remedy) from None


def stream_lines(path: Path, remedy: str = "give a file of JSON lines", most: int = _PLAIN.bytes) -> Iterator[str]:
    """The lines of a UTF-8 text of any size, one after the other; none is longer than ``most`` bytes.

    Raises:
        BadInput: it cannot be read, has a longer line, or is not UTF-8; the message names the line.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(most + 1):
                number += 1
                if len(line) > most:
                    raise BadInput(f"line {number} of {path} is longer than {_size(most)}", remedy)
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise BadInput(f"line {number} of {path} is not UTF-8 text", remedy) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"cannot read {path}: {reason}", remedy) from None


def _size(limit: int) -> str:
    return f"{limit // 1_000_000} MB" if limit >= 1_000_000 else f"{limit // 1000} KB"


# --- JSON -----------------------------------------------------------------------------------


def load_json(path: Path, bounds: Bounds = _PLAIN) -> Any:
    """The JSON in a file.

    Raises:
        BadInput: the file cannot be read, or as ``parse_json``.
    """
    return parse_json(read_bytes(path, bounds.bytes, bounds.remedy), str(path), bounds)


def load_object(path: Path, bounds: Bounds = _PLAIN) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        BadInput: as ``load_json``, or it is no object.
    """
    value = load_json(path, bounds)
    if not isinstance(value, dict):
        raise BadInput(f"{path} is no JSON object", bounds.remedy)
    return value


def parse_json(source: bytes | str, name: str, bounds: Bounds = _PLAIN) -> Any:
    """The JSON in ``source``, which errors call ``name``.

    Raises:
        BadInput: it is beyond a bound, not UTF-8, cut, or no JSON.
    """
    text = _decode(source, name, bounds)
    if text.count("{") > bounds.objects or text.count(",") > bounds.values:
        raise BadInput(f"{name} holds far too many values", bounds.remedy)
    try:
        value = json.loads(text, **_rules(bounds))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadInput(f"{name} is not whole JSON: {error.msg} at {where}", bounds.remedy) from None
    except RecursionError:
        raise _too_deep(name, bounds) from None
    except ValueError as error:
        raise BadInput(f"{name} cannot be used: {error}", bounds.remedy) from None
    check_values(value, name, bounds)
    return value


def parse_line(line: str, name: str, number: int, remedy: str) -> dict[str, Any]:
    """The JSON object in line ``number`` of the file ``name``.

    Raises:
        BadInput: it is none, or beyond the bounds of ``_PLAIN``; the message names the line.
    """
    try:
        value = parse_json(line, name, _PLAIN)
    except BadInput:
        value = None
    if not isinstance(value, dict):
        raise BadInput(f"line {number} of {name} is not JSON", remedy)
    return value


def parse_until(text: str, start: int, bounds: Bounds = ANSWER) -> tuple[Any, int]:
    """The JSON value that begins at ``start`` of ``text``, and where it ends; None and ``start`` where none does.

    Raises:
        BadInput: it is nested too deeply, or its texts are too long.
    """
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except RecursionError:
        raise _too_deep("the answer", bounds) from None
    except ValueError:
        return None, start
    check_values(value, "the answer", bounds)
    return value, end


def _decode(source: bytes | str, name: str, bounds: Bounds) -> str:
    if len(source) > bounds.bytes:
        raise BadInput(f"{name} is larger than {_size(bounds.bytes)}", bounds.remedy)
    try:
        text = source if isinstance(source, str) else source.decode(json.detect_encoding(source))
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not text in UTF-8 or UTF-16", f"save it as UTF-8; {bounds.remedy}") from None
    return text.removeprefix("\ufeff")


def _too_deep(name: str, bounds: Bounds) -> BadInput:
    return BadInput(f"{name} cannot be used: it is nested too deeply", bounds.remedy)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:60]!r} stands twice in one object")
    return made


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not a JSON number")


def _rules(bounds: Bounds) -> dict[str, Any]:
    if not bounds.strict:
        return {}
    return {"object_pairs_hook": _unique, "parse_constant": float if bounds.endless else _no_constant}


# --- TOML -----------------------------------------------------------------------------------


def load_toml(path: Path, called: str = "the file", bounds: Bounds = TABLE) -> dict[str, Any]:
    """The table in a TOML file, which errors call ``called`` with its path.

    Raises:
        BadInput: the file cannot be read, or as ``parse_toml``.
    """
    return parse_toml(read_bytes(path, bounds.bytes, bounds.remedy), f"{called} {path}", bounds)


def read_secrets(path: Path, called: str, remedy: str) -> dict[str, Any] | None:
    """The table in a TOML file of secrets, ``called`` so in errors; None where there is no file.

    Raises:
        BadInput: others may read the file, or it is no such table. No error says what stands in it.
    """
    try:
        with path.open("rb") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise BadInput(f"others may read the {called} in {path}", f"chmod 600 {path}")
            source = file.read(TABLE.bytes + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(
            f"cannot read the {called} in {path}: {error.strerror}", "make it a readable TOML file"
        ) from None
    try:
        return parse_toml(source, path.name)
    except BadInput:
        raise BadInput(f"cannot read the {called} in {path}", remedy) from None


def parse_toml(source: bytes, name: str, bounds: Bounds = TABLE) -> dict[str, Any]:
    """The table in the TOML text ``source``, which errors call ``name``.

    Raises:
        BadInput: it is beyond a bound, has a line longer than ``bounds.text`` characters, or is no TOML.
    """
    text = _decode(source, name, bounds)
    if any(len(line) > bounds.text for line in text.splitlines()):
        raise BadInput(f"{name} has a line of more than {bounds.text:,} characters", bounds.remedy)
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise _too_deep(name, bounds) from None
    except ValueError as error:
        raise BadInput(f"{name} cannot be read: {error}", bounds.remedy) from None
    check_values(table, name, bounds)
    return table


# --- values ---------------------------------------------------------------------------------


def check_values(value: object, name: str, bounds: Bounds = _PLAIN) -> None:
    """Bound depth and texts of a parsed value, and refuse broken Unicode, without recursion.

    Raises:
        BadInput: it is beyond a bound.
    """
    pending: list[tuple[object, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > bounds.depth:
            raise BadInput(f"{name} is nested deeper than {bounds.depth} levels", bounds.remedy)
        if isinstance(item, dict):
            pending += [(key, depth + 1) for key in item]
            pending += [(child, depth + 1) for child in item.values()]
        elif isinstance(item, list):
            pending += [(child, depth + 1) for child in item]
        elif isinstance(item, str):
            _check_text(item, name, bounds)
        elif bounds.strict and not bounds.endless and isinstance(item, float) and not math.isfinite(item):
            raise BadInput(f"{name} holds a number that is too large", "use finite numbers")


def _check_text(text: str, name: str, bounds: Bounds) -> None:
    if len(text) > bounds.text:
        raise BadInput(f"{name} holds a text of more than {bounds.text:,} characters", "shorten it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInput(f"{name} holds text that is not valid Unicode", "save it as UTF-8") from None
