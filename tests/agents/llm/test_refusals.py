"""What services say when they refuse a request, in their many wordings, and what is changed."""

from __future__ import annotations

from typing import Any

import pytest

from imagewright.agents.llm.refusals import LEAST_TOKENS, SentRequest, adapt, is_policy, most_tokens, names_request
from imagewright.memory.llm_cache import Known

SENT = SentRequest(way="json_schema", tokens_in=900, most=8192)


@pytest.mark.parametrize(
    ("words", "learned"),
    [
        ("'max_tokens' or 'max_completion_tokens' is too large: 8192. This model's maximum context length is 8192 "
         "tokens and your request has 905 input tokens (8192 > 8192 - 905).", {"context": 8192, "most_tokens": 4096}),
        ("Requested token count exceeds the model's maximum context length of 4,096 tokens.",
         {"context": 4096, "most_tokens": 2048}),
        ("input length and `max_tokens` exceed context limit: 3000 + 8192 > 10000, decrease input length",
         {"context": 10000, "most_tokens": 5000}),
        ("max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for claude-3-haiku-20240307",
         {"most_tokens": 4096}),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 4096]", {"most_tokens": 4096}),
        ("`max_tokens` must be less than or equal to `4096`, the maximum value for `max_tokens` is less than the "
         "`context_window` for this model", {"most_tokens": 4096}),
        ("the request exceeds the available context size", {"most_tokens": 4096}),
        ("Unsupported parameter: 'temperature' is not supported with this model.", {"without": ("temperature",)}),
        ("Unsupported value: 'temperature' does not support 0.2. Only the default (1) value is supported.",
         {"without": ("temperature",)}),
        ("Only user and assistant roles are supported! system role found", {"rules_apart": False}),
        ("Invalid role: 'system'. Must be one of user, assistant", {"rules_apart": False}),
        ("body -> max_completion_tokens\n  extra fields not permitted", {"tokens_name": "max_tokens"}),
        ("unknown field `max_completion_tokens`, expected one of `model`, `max_tokens`", {"tokens_name": "max_tokens"}),
    ],
)  # fmt: skip
def test_what_is_learned(words: str, learned: dict[str, Any]) -> None:
    change = adapt(words, Known(), SENT)
    assert change is not None
    assert change.learned == learned
    assert names_request(words)


@pytest.mark.parametrize(
    ("words", "way", "unusable"),
    [
        ("json_schema, tools and response_format are not supported", "json_schema",
         {"json_schema", "json_mode", "function_calling"}),
        ("'response_format.type' must be 'json_object' or 'text'", "json_schema", {"json_schema"}),
        ("Structured output is not available", "json_schema", {"json_schema", "json_mode"}),
        ("m does not support tools", "function_calling", {"function_calling"}),
        ("'response_format.type' must be 'json_schema' or 'text', not json_object", "json_mode",
         {"json_schema", "json_mode"}),
    ],
)  # fmt: skip
def test_ways_that_are_of_no_use(words: str, way: str, unusable: set[str]) -> None:
    change = adapt(words, Known(), SentRequest(way=way, tokens_in=900, most=8192))
    assert change is not None
    assert (change.ways, change.learned) == (unusable, {})


@pytest.mark.parametrize(
    "words",
    [
        "", "Bad Request", "Your plan has ended.", "model 'x' not found", "internal error",
        "This model's maximum context length is 512 tokens and your prompt has 900 tokens in the messages",
    ],
)  # fmt: skip
def test_what_names_nothing_changes_nothing(words: str) -> None:
    assert adapt(words, Known(), SENT) is None


def test_a_server_that_is_never_content_is_soon_left() -> None:
    known, changes = Known(), 0
    while change := adapt("max_tokens is too large", known, SentRequest("words", 10, most_tokens(known, 10, 8192))):
        known, changes = known.model_copy(update=change.learned), changes + 1
    assert (known.most_tokens, changes) == (LEAST_TOKENS, 5)


def test_fewer_tokens_are_asked_for_where_a_question_is_long() -> None:
    known = Known(context=4096, most_tokens=2048)
    assert [most_tokens(known, tokens, 8192) for tokens in (100, 3000, 4000)] == [2048, 1032, LEAST_TOKENS]
    assert most_tokens(Known(), 100_000, 8192) == 8192


def test_a_policy_is_no_matter_of_form() -> None:
    assert is_policy("The response was filtered due to our content management policy")
    assert not is_policy("System role not supported")
