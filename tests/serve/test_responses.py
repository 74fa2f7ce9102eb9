"""The responses route with the tool that draws, spoken by the official client."""

from __future__ import annotations

import base64
import io
from typing import Any

import openai
import pytest
from PIL import Image

TOOL = {"type": "image_generation", "size": "128x64", "quality": "low", "partial_images": 1}
QUICK = {"flow": "mini-quick", "seed": 3, "critic": False}
PROMPT = "a red circle above a blue square"


@pytest.fixture(scope="module")
def client(served: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.token, max_retries=0, timeout=180)


def ask(client: openai.OpenAI, text: Any, **more: Any) -> Any:
    return client.responses.create(model="imagewright", input=text, tools=[TOOL], extra_body=QUICK, **more)  # type: ignore[list-item]


def test_the_picture_is_a_call_of_the_tool_and_the_next_one_goes_on(client: openai.OpenAI, served: Any) -> None:
    first = ask(client, PROMPT)
    call = first.output[0]
    assert (call.type, call.status) == ("image_generation_call", "completed")
    assert Image.open(io.BytesIO(base64.b64decode(call.result))).size == (128, 64)
    assert "/v1/files/" in first.output_text
    second = ask(client, "make the circle green", previous_response_id=first.id)
    assert second.output[0].revised_prompt == "a green circle above a blue square"
    undone = ask(client, "undo", previous_response_id=second.id)
    assert [item.type for item in undone.output] == ["message"]
    assert "back to picture 1" in undone.output_text
    with pytest.raises(openai.NotFoundError):
        ask(client, "undo", previous_response_id="resp_20200101-000000-000000")


def test_a_stream_has_partial_pictures_the_call_and_the_words(client: openai.OpenAI) -> None:
    events = list(ask(client, [{"role": "user", "content": PROMPT}], stream=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds.index("response.image_generation_call.partial_image") < kinds.index(
        "response.image_generation_call.completed"
    )
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].response.output[0].result


def test_several_variations_are_as_many_calls(client: openai.OpenAI) -> None:
    first = ask(client, PROMPT)
    events = list(ask(client, "show me two variations", previous_response_id=first.id, stream=True))
    added = [event.item.id for event in events if event.type == "response.output_item.added"]
    whole = events[-1].response
    assert [item.type for item in whole.output] == ["image_generation_call", "image_generation_call", "message"]
    assert added == [item.id for item in whole.output]
    assert len({item.result for item in whole.output[:2]}) == 2
    assert "back to picture 2" in ask(client, "undo", previous_response_id=whole.id).output_text


@pytest.mark.parametrize("text", ["", " ", [], [{"role": "assistant", "content": "x"}]])
def test_nothing_said_is_refused(text: Any, client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        ask(client, text)
