"""Objects are found, and nearly JSON is mended, without inventing any and without taking long."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from imagewright.agents.llm.objects import find_objects, is_one_object, read_answer
from imagewright.agents.llm.thoughts import without_thoughts


class Pick(BaseModel):
    """A choice."""

    flow: str
    tags: list[str] = []
    inner: dict[str, int] = {}


PLAIN = st.text(alphabet="ab 1.,:'\n\u201c", max_size=12)
MARKS = PLAIN | st.sampled_from(["<think>", "</think>", "{", "}", '"', "<|channel|>final<|message|>"])


def values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with such texts and keys."""
    inner = st.recursive(
        st.none() | st.booleans() | st.integers() | texts,
        lambda part: st.lists(part, max_size=3) | st.dictionaries(texts, part, max_size=3),
        max_leaves=8,
    )
    return st.dictionaries(texts, inner, max_size=4)


@settings(max_examples=150, deadline=None)
@given(values(MARKS))
def test_whole_json_is_read_as_it_is_whatever_its_texts_hold(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    assert without_thoughts(text) == text
    assert next(find_objects(text)) == value


@settings(max_examples=150, deadline=None)
@given(values(PLAIN), values(MARKS), st.sampled_from(["think", "Reasoning", "thought a='b'"]))
def test_what_follows_a_thought_is_read_and_nothing_of_it(
    value: dict[str, Any], draft: dict[str, Any], name: str
) -> None:
    end = f"</{name.split()[0]}>"
    thought = str(draft).replace("<", "(").replace("{", "{ ")
    text = f"<{name}>{thought}{end}\n```json\n{json.dumps(value)}\n```"
    assert next(find_objects(without_thoughts(text))) == value


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="{}[]\"':,\\ ab1\n<>/", max_size=60))
def test_any_text_gives_objects_or_none_and_never_breaks(text: str) -> None:
    for found in find_objects(without_thoughts(text)):
        assert isinstance(found, dict)
        assert "}" in text
    with contextlib.suppress(ValueError):
        list(read_answer(text, Pick))


@pytest.mark.parametrize(
    "text",
    ["{" * 200_000, '\\"' * 100_000, '"{' * 100_000, "{}" * 100_000, '{"a": ' * 30_000, "<parameter=a>" * 15_000,
     '"{ ' + " " * 199_000, "<think>" * 28_000, '{"a":1,}' * 25_000, "{'a': " + "[" * 19_000 + "}",
     "{a:" * 6_000 + "}" * 6_000],
)  # fmt: skip
def test_a_long_text_does_not_take_long(text: str) -> None:
    began = time.monotonic()
    with contextlib.suppress(ValueError):
        list(read_answer(without_thoughts(text), Pick))
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("text", "flow"),
    [
        ('The form is {"flow": string}; mine: {"flow": "b"}', "b"),
        ("{flow: 'b'} is what I take, not {this}", "b"),
        ('{"flow": "b", "tags": "[\\"x\\"]", "inner": "{\\"a\\": 1}"}', "b"),
        ('{"note": "is {\\"flow\\": 1} right?", "answer": {"flow": "b"}}', "b"),
        ('5" wide: {"flow": "b"}', "b"),
    ],
)
def test_the_likeliest_is_read(text: str, flow: str) -> None:
    assert next(read_answer(text, Pick)).flow == flow


def test_texts_that_hold_lists_are_read_and_plain_texts_stay() -> None:
    answer = next(read_answer('{"flow": "[1, 2]", "tags": "[\'x\', \'y\']"}', Pick))
    assert (answer.flow, answer.tags) == ("[1, 2]", ["x", "y"])
    with pytest.raises(ValueError, match="tags"):
        next(read_answer('{"flow": "a", "tags": "x and y"}', Pick))


def test_one_object_is_one_with_nothing_around_it() -> None:
    assert is_one_object("{'a': {'b': 1}}")
    assert not is_one_object("{'a': 1} or {'a': 2}")
    assert not is_one_object("so {'a': 1}")
