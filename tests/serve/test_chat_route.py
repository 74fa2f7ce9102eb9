"""The chat route and the list of models, spoken by the official client to a running server."""

from __future__ import annotations

import re
from typing import Any

import httpx
import openai
import pytest

QUICK = {"critic": False, "max_images": 1, "flow": "mini-quick", "seed": 3}


@pytest.fixture(scope="module")
def client(served: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.token, max_retries=0, timeout=180)


def say(client: openai.OpenAI, messages: list[dict[str, str]], text: str, **more: Any) -> Any:
    """Say ``text`` behind ``messages``, which then hold the answer too."""
    messages.append({"role": "user", "content": text})
    answer = client.chat.completions.create(
        model="imagewright",
        messages=messages,
        extra_body={**QUICK, **more},  # type: ignore[arg-type]
    )
    messages.append({"role": "assistant", "content": answer.choices[0].message.content or ""})
    return answer


def link(text: str) -> str:
    found = re.search(r"!\[.*?\]\((http.*?)\)", text)
    assert found, text
    return found[1]


def test_a_conversation_by_its_messages_is_one_thread(client: openai.OpenAI, served: Any) -> None:
    messages: list[dict[str, str]] = []
    first = say(client, messages, "a red circle above a blue square")
    assert httpx.get(link(messages[-1]["content"]), trust_env=False).headers["content-type"] == "image/png"
    second = say(client, messages, "make the circle green")
    assert first.thread == second.thread
    assert served.engine.runs.get(second.run).result.prompt == "a green circle above a blue square"
    undone = say(client, messages, "undo")
    assert "back to picture 1" in undone.choices[0].message.content
    third = say(client, messages, "make the square yellow")
    assert served.engine.runs.get(third.run).result.prompt == "a red circle above a yellow square"


def test_an_edited_message_goes_on_from_where_it_stands(client: openai.OpenAI, served: Any) -> None:
    messages: list[dict[str, str]] = []
    first = say(client, messages, "a red circle above a blue square")
    start = list(messages)
    say(client, messages, "make the circle green")
    other = say(client, start, "make the square yellow")
    assert other.thread == first.thread
    assert served.engine.runs.get(other.run).result.prompt == "a red circle above a yellow square"


def test_a_named_thread_is_the_terminal_s_too(client: openai.OpenAI, served: Any) -> None:
    say(client, [], "a red circle above a blue square", thread="shared")
    reply = served.engine.chat("shared", flow="mini-quick", use_critic=False, out=str(served.home / "t")).say(
        "make the circle green"
    )
    assert reply.result is not None
    answer = say(client, [], "make the square yellow", thread="shared")
    assert served.engine.runs.get(answer.run).result.prompt == "a green circle above a yellow square"
    assert answer.thread == "shared"


def test_a_stream_tells_the_way_and_ends_with_the_picture(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="imagewright",
        messages=[{"role": "user", "content": "a red circle"}],
        stream=True,
        stream_options={"include_usage": True},
        extra_body=QUICK,
    )
    chunks = list(stream)
    deltas = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert any(delta.startswith("flow: mini-quick") for delta in deltas)
    assert link("".join(deltas))
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None


def test_several_variations_are_as_many_turns_streamed_or_not(client: openai.OpenAI, served: Any) -> None:
    messages: list[dict[str, str]] = []
    say(client, messages, "a red circle above a blue square")
    several = say(client, messages, "show me two variations")
    text = several.choices[0].message.content
    assert text.count("![") == 2
    assert text.endswith(f"`{several.run}`")
    more = [*messages, {"role": "user", "content": "two more like this"}]
    chunks = client.chat.completions.create(model="imagewright", messages=more, stream=True, extra_body=QUICK)  # type: ignore[call-overload]
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert streamed.count("![") == 2
    turns = served.engine.threads.turns(several.thread)
    assert [turn.said for turn in turns[1:]] == ["one more"] * 4
    assert len({turn.image for turn in turns}) == 5
    undone = say(client, [*more, {"role": "assistant", "content": streamed}], "undo")
    assert "back to picture 4" in undone.choices[0].message.content


def test_what_is_not_clear_is_asked_and_the_next_message_answers(client: openai.OpenAI, served: Any) -> None:
    messages: list[dict[str, str]] = []
    say(client, messages, "two red circles above a blue square")
    asked = say(client, messages, "make the circle green")
    text = asked.choices[0].message.content
    assert "1. " in text, text
    answer = say(client, messages, "1")
    assert served.engine.runs.get(answer.run).result is not None


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "user", "content": ""}],
        [{"role": "assistant", "content": "hello"}],
        [{"role": "nobody", "content": "hello"}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]}],
    ],
)
def test_messages_that_say_nothing_are_refused(messages: Any, served: Any) -> None:
    with served.client() as http:
        answer = http.post("/v1/chat/completions", json={"model": "imagewright", "messages": messages})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_input"


def test_models_are_imagewright_and_the_flows_that_run_here(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == "imagewright"
    assert "imagewright/mini-quick" in names
    assert client.models.retrieve("imagewright/mini-quick").id == "imagewright/mini-quick"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")
