"""What a language model says is read whatever stands around it, and never takes long."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from pydantic import BaseModel, Field, ValidationError

from imagewright.agents.llm.answers import complaint, first_object, read_reply, strict_schema


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        'Sure! Here it is:\n```json\n{"a": 1}\n```\nAnything else?',
        '<think>{not json} hmm {"</think> {"a": 1} {"a": 2}',
        '\ufeff [1, 2] {"a": 1}',
    ],
)
def test_the_first_object_is_found_whatever_stands_around_it(text: str) -> None:
    assert first_object(text) == {"a": 1}


@pytest.mark.parametrize("text", ["", "no", "[1, 2]", '{"a": 1', "{" * 200_000, '"', '{"a": [1, ' * 20])
def test_text_without_an_object(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON object"):
        first_object(text)


def test_a_tool_call_is_what_was_said_even_when_its_arguments_are_no_json() -> None:
    call: dict[str, Any] = {"name": "t", "args": {"flow": "é"}, "id": "1"}
    assert read_reply(AIMessage("prose", tool_calls=[call])).text == '{"flow": "é"}'
    bad: dict[str, Any] = {"name": "t", "args": "{oops", "id": "1", "error": None, "type": "invalid_tool_call"}
    assert read_reply(AIMessage("prose", invalid_tool_calls=[bad])).text == "{oops"
    assert (
        read_reply(AIMessage([{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}])).text == "in parts"
    )


def test_thoughts_are_left_out_and_counted() -> None:
    said = read_reply(AIMessage("<think>{'a': 1}</think>Objects: []"))
    assert (said.text, said.thoughts, said.lack) == ("Objects: []", 23, "")
    said = read_reply(AIMessage("<think>{'a': 1}", response_metadata={"finish_reason": "length"}))
    assert said.lack == "its answer was cut off while it was still thinking"
    assert read_reply(AIMessage("", additional_kwargs={"reasoning_content": '{"a": 1}'})).text == '{"a": 1}'
    assert read_reply(AIMessage("x", additional_kwargs={"reasoning_content": '{"a": 1}'})).text == "x"
    assert read_reply(AIMessage("", additional_kwargs={"reasoning_content": '{"a": 1} or {"a": 2}'})).text == ""


@pytest.mark.parametrize(
    "message",
    [
        AIMessage("", additional_kwargs={"refusal": "no"}),
        AIMessage("", response_metadata={"stop_reason": "refusal"}),
        AIMessage("", response_metadata={"finish_reason": "content_filter"}),
    ],
)
def test_a_refusal_that_a_service_marks_is_known(message: AIMessage) -> None:
    assert read_reply(message).refused
    assert not read_reply(AIMessage("I cannot help with that")).refused


class Inner(BaseModel):
    """Within."""

    title: str = Field(default="x", max_length=3)


class Outer(BaseModel):
    """What is sent.

    And more.
    """

    items: list[Inner] = Field(max_length=2)
    maximum: float = Field(default=0.0, ge=0, le=1)


def test_a_strict_schema_is_closed_requires_all_and_keeps_fields_named_like_keywords() -> None:
    schema = strict_schema(Outer)
    assert schema["description"] == "What is sent."
    assert schema["required"] == ["items", "maximum"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["maximum"] == {"type": "number"}
    inner = schema["$defs"]["Inner"]
    assert (inner["required"], inner["additionalProperties"]) == (["title"], False)
    assert inner["properties"] == {"title": {"type": "string"}}
    assert "maxItems" not in schema["properties"]["items"]


def test_a_complaint_names_the_fields() -> None:
    with pytest.raises(ValidationError) as error:
        Outer.model_validate({"items": [{"title": "long"}], "maximum": 2})
    told = complaint(error.value)
    assert "items.0.title: String should have at most 3" in told
    assert "maximum: Input should be less than or equal to 1" in told
    assert len(complaint(ValueError("x" * 5000))) == 1000
