"""The JSON objects in what a model says, and how one becomes an answer: nearly JSON is repaired, wrappers come off.

A repair only mends how an object is written (quotes, commas, comments). An object that is never closed is none: what
would have to be made up about it, the model is asked for.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from imagewright import untrusted
from imagewright.errors import BadInput

_Answer = TypeVar("_Answer", bound=BaseModel)
_STARTS = 1000
"""Opening brackets at which an object is looked for: each look may read to the end of the answer."""
_REPAIRED = 20_000
"""Characters of the longest object that is repaired; the repair of a long one takes seconds."""
_CANDIDATES = 12
"""Objects of one answer that are tried."""
_DEEPEST = 4
"""How many wrappers, or texts within texts, are opened."""
_STRING = r'"(?:[^"\\]|\\.)*+(?:"|\Z)'
_BRACES = (re.compile(rf"{_STRING}|[{{}}]", re.DOTALL), re.compile(r"[{}]"))
"""Brackets outside of strings; and all, for texts whose quotes do not pair."""
_DOUBLE, _SINGLE = "\u201c\u201d\u201e\u00ab\u00bb", "\u2018\u2019`"
"""Typographic quotes."""
_KEYED = re.compile(
    rf"""\{{\s*(?:(?://|\#)[^\n]*\n\s*|/\*.*?\*/\s*)*(?:\}}|(?:"[^"\n]{{0,80}}"|'[^'\n]{{0,80}}'
    |[{_DOUBLE}{_SINGLE}][^\n{_DOUBLE}{_SINGLE}]{{0,80}}[{_DOUBLE}{_SINGLE}]|[A-Za-z_]\w{{0,60}})\s*[:=])""",
    re.DOTALL | re.VERBOSE,
)
"""How an object begins, however badly it is written: with a key."""
_WITHIN = re.compile(r'"\s*\{(?:\\n|\\t|\s)*\\"')
"""A string that holds an object."""
_PARAMETER = re.compile(
    r"""<(?:parameter|arg)(?:=|\s+name=)["']?(?P<a>[\w.-]{1,80})["']?>(?P<b>.*?)</(?:parameter|arg)>
    |<arg_key>(?P<c>[^<]{1,80})</arg_key>\s*<arg_value>(?P<d>.*?)</arg_value>""",
    re.DOTALL | re.VERBOSE,
)
"""One argument of a tool call as text, in the forms of models that write XML."""
_WRAPPERS = frozenset(
    "answer final final_answer response result output json data content arguments parameters args input function "
    "function_call tool_call tool_calls properties value".split()
)


# --- finding --------------------------------------------------------------------------------


def find_objects(text: str, repair: bool = True) -> Iterator[dict[str, Any]]:
    """The objects in ``text``, likeliest first: those that are whole JSON and part of nothing else, then, with
    ``repair``, those that are nearly JSON, then arguments written as XML, then parts of what could not be read.

    Raises:
        ValueError: one is nested too deeply, or its texts are too long.
    """
    yield from _within_strings(text, repair)
    spans = _outermost(text)
    whole = list(_whole(text))
    parts = []
    for start, end, value in whole:
        inside = any(first < start and end <= last for first, last in spans)
        if inside:
            parts.append(value)
        else:
            yield value
    if repair:
        read = {(start, end) for start, end, _ in whole}
        yield from (found for span in spans if span not in read for found in _nearly(text[slice(*span)]))
        yield from _arguments(text)
    yield from parts


def _whole(text: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Objects that are JSON as they stand, none within another, with where they begin and end."""
    start = text.find("{")
    for _ in range(_STARTS):
        if start < 0:
            break
        try:
            value, end = untrusted.parse_until(text, start)
        except BadInput as error:
            raise ValueError(str(error)) from None
        if isinstance(value, dict):
            yield start, end, value
        start = text.find("{", max(end, start + 1))


def _outermost(text: str) -> list[tuple[int, int]]:
    """Where closed brackets begin and end that are inside no other closed ones."""
    spans: list[tuple[int, int]] = []
    for braces in _BRACES:
        opened: list[int] = []
        found: list[tuple[int, int]] = []
        for match in braces.finditer(text):
            if match[0] == "{":
                opened.append(match.start())
            elif match[0] == "}" and opened:
                start = opened.pop()
                while found and found[-1][0] > start:
                    found.pop()
                found.append((start, match.end()))
        spans += [span for span in found if span not in spans]
        if spans:
            break
    return spans[:_STARTS]


def is_one_object(text: str) -> bool:
    """Whether ``text`` is one object, however badly written, with nothing before or behind it."""
    return _outermost(text) == [(0, len(text))]


def _nearly(text: str) -> Iterator[dict[str, Any]]:
    """The object that ``text``, from bracket to bracket, was meant to be."""
    if re.match(r"\{\s*\\+[\"n]", text):  # a string that lost its quotes
        with_quotes = '"' + re.sub(r"\n", r"\\n", text) + '"'
        yield from (found for found in _opened(with_quotes, _DEEPEST) if isinstance(found, dict))
        return
    if len(text) > _REPAIRED or _KEYED.match(text) is None:
        return
    import json_repair

    try:
        value = json_repair.loads(_straight(text), skip_json_loads=True)
        untrusted.check_values(value, "the answer", untrusted.ANSWER)
    except (ValueError, RecursionError, BadInput):
        return
    if isinstance(value, dict) and (value or re.fullmatch(r"\{\s*\}", text)):
        yield value


def _straight(text: str) -> str:
    """``text`` with straight quotes where typographic ones stand for them: only where no straight ones do."""
    if re.match(rf"\{{\s*[{_DOUBLE}]", text):
        text = re.sub(f"[{_DOUBLE}]", '"', text.replace('"', "'"))
    elif re.match(rf"\{{\s*[{_SINGLE}]", text):
        text = re.sub(rf"(?<=[{{\[,:\s])[{_SINGLE}]|[{_SINGLE}](?=\s*[,:}}\]])", '"', text)
    return text


def _within_strings(text: str, repair: bool) -> Iterator[dict[str, Any]]:
    """Objects that are written as JSON strings; nothing of one that is itself part of an object."""
    if (found := _WITHIN.search(text)) is None or text.find("{") < found.start():
        return
    try:
        value, _ = untrusted.parse_until(text, found.start())
    except BadInput as error:
        raise ValueError(str(error)) from None
    if isinstance(value, str):
        yield from find_objects(value, repair)


def _arguments(text: str) -> Iterator[dict[str, Any]]:
    """The arguments of a tool call that is written as XML."""
    found: dict[str, Any] = {}
    for match in _PARAMETER.finditer(text[:_REPAIRED]):
        name, said = (match["a"] or match["c"]).strip(), (match["b"] or match["d"] or "").strip()
        found[name] = next(_opened(said, 1), said)
    if found:
        yield found


# --- opening --------------------------------------------------------------------------------


def _opened(text: str, depth: int) -> Iterator[Any]:
    """The value that ``text`` holds as JSON, or nearly; nothing where it holds plain words."""
    try:
        value = untrusted.parse_json(text, "the answer", untrusted.ANSWER)
    except BadInput:
        value = None
    if isinstance(value, str) and depth > 1:
        yield from _opened(value, depth - 1)
    elif value is not None:
        yield value
    elif text.strip()[:1] in ("[", "{") and text.strip()[-1:] in ("]", "}"):
        yield from _mended(text.strip())


def _mended(text: str) -> Iterator[Any]:
    """A list or an object that is nearly JSON."""
    if text.startswith("{"):
        yield from _nearly(text)
    else:
        yield from (found["list"] for found in _nearly(f'{{"list": {text}}}') if isinstance(found.get("list"), list))


def read_answer(text: str, schema: type[_Answer], repair: bool = True) -> Iterator[_Answer]:
    """The answers of ``schema`` that ``text`` holds, likeliest first.

    Raises:
        ValueError: there is no object, or none fits; what is told is about the likeliest.
    """
    first: ValueError | None = None
    fitting = False
    for number, found in enumerate(find_objects(text, repair)):
        if number == _CANDIDATES:
            break
        try:
            answer = _fit(found, schema, _DEEPEST if repair else 0)
        except ValueError as error:
            first = first or error
            continue
        fitting = True
        yield answer
    if not fitting:
        raise first or ValueError("there is no JSON object in the answer")


def _fit(found: dict[str, Any], schema: type[_Answer], depth: int) -> _Answer:
    """``found`` as an answer: as it is, with the lists and numbers that are written as texts read, or unwrapped."""
    try:
        return schema.model_validate(found)
    except ValidationError as error:
        if depth < 1:
            raise
        opened = _texts_opened(found, error)
        if opened is not None:
            try:
                return _fit(opened, schema, depth - 1)
            except ValidationError:
                pass
        for inner in _inside(found, schema):
            try:
                return _fit(inner, schema, depth - 1)
            except ValidationError:
                continue
        raise


def _texts_opened(found: dict[str, Any], error: ValidationError) -> dict[str, Any] | None:
    """A copy with the texts read that stand where something else must; None where there is none."""
    made: Any = copy.deepcopy(found)
    changed = False
    for item in error.errors(include_url=False):
        said, path = item["input"], item["loc"]
        if not isinstance(said, str) or not path:
            continue
        value = next(_opened(said, 2), said)
        if isinstance(value, str):
            continue
        place = made
        try:
            for step in path[:-1]:
                place = place[step]
            if place[path[-1]] == said:
                place[path[-1]], changed = value, True
        except (KeyError, IndexError, TypeError):
            continue  # a name of a variant in the path, which is no place
    return made if changed else None


def _inside(found: dict[str, Any], schema: type[BaseModel]) -> Iterator[dict[str, Any]]:
    """What is inside a wrapper such as ``{"answer": …}`` or ``{"name": …, "arguments": …}``."""
    names = _WRAPPERS | {schema.__name__.lower()}
    for key, value in found.items():
        if key in schema.model_fields or not (key.lower() in names or len(found) == 1):
            continue
        if isinstance(value, str):
            value = next(_opened(value, 2), None)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict):
            yield value
