"""OpenAI's image routes, spoken by the official client to a running server."""

from __future__ import annotations

import base64
import io
import time
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

PROMPT = "a red circle above a blue square"
QUICK = {"critic": False, "max_images": 1, "flow": "mini-quick"}


@pytest.fixture(scope="module")
def client(served: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.token, max_retries=0, timeout=180)


def picture(text: str | None) -> Image.Image:
    assert text
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    image.load()
    return image


def test_a_picture_in_base64_and_the_same_seed_gives_the_same(client: openai.OpenAI) -> None:
    first = client.images.generate(prompt=PROMPT, size="128x64", extra_body={**QUICK, "seed": 5})  # type: ignore[call-overload]
    again = client.images.generate(prompt=PROMPT, size="128x64", extra_body={**QUICK, "seed": 5})  # type: ignore[call-overload]
    image = picture(first.data[0].b64_json)
    assert (image.format, image.size) == ("PNG", (128, 64))
    assert "prompt" not in image.info, "a served file holds no metadata"
    assert first.data[0].b64_json == again.data[0].b64_json
    assert first.data[0].run != again.data[0].run
    assert first.usage.total_tokens == 0


def test_several_pictures_in_another_format_by_link(client: openai.OpenAI) -> None:
    answer = client.images.generate(
        prompt=PROMPT, n=2, output_format="webp", response_format="url", extra_body={**QUICK, "seed": 1}
    )  # type: ignore[call-overload]
    files = [httpx.get(str(datum.url), trust_env=False) for datum in answer.data]
    assert [file.headers["content-type"] for file in files] == ["image/webp"] * 2
    assert files[0].content != files[1].content
    assert [datum.seed for datum in answer.data] == [1, 2]


def test_a_stream_has_partial_pictures_and_the_whole_one(client: openai.OpenAI) -> None:
    events = list(client.images.generate(prompt=PROMPT, stream=True, partial_images=1, extra_body={**QUICK, "seed": 9}))
    assert [event.type for event in events] == ["image_generation.partial_image", "image_generation.completed"]
    assert picture(events[0].b64_json).size == (8, 8)
    assert picture(events[1].b64_json).size == (64, 64)
    assert events[1].usage.total_tokens == 0  # type: ignore[union-attr]


def test_quality_and_the_model_s_name_are_wishes(client: openai.OpenAI, served: Any) -> None:
    answer = client.images.generate(prompt=PROMPT, model="imagewright/mini-careful", quality="low")
    run = served.engine.runs.get(answer.data[0].run)  # type: ignore[index, union-attr]
    assert run.request.flow == "mini-careful"
    assert (run.request.use_critic, run.request.max_images) == (False, 1)
    assert run.out.startswith(str(served.home / "served" / "owner"))


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"prompt": ""}, "bad_input", 400),
        ({"prompt": "x" * 20_001}, "bad_input", 400),
        ({"n": 11}, "bad_input", 400),
        ({"size": "7x7"}, "bad_input", 400),
        ({"size": "99999x8"}, "bad_input", 400),
        ({"quality": "best"}, "bad_input", 400),
        ({"background": "transparent"}, "unsupported", 400),
        ({"flow": "nope"}, "bad_input", 400),
        ({"model": "imagewright/nope"}, "bad_input", 400),
        ({"seed": -1}, "bad_input", 400),
        ({"thread": "t", "n": 2}, "bad_input", 400),
        ({"prompt": "a \x00 circle"}, "bad_input", 400),
    ],
)
def test_what_cannot_be_used_is_told_in_openai_s_shape(
    change: dict[str, Any], code: str, status: int, client: openai.OpenAI, served: Any
) -> None:
    before = len(served.engine.runs.list(1000))
    with pytest.raises(openai.APIStatusError) as caught:
        client.images.generate(**{"prompt": PROMPT, "extra_body": {"critic": False, **change}})
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert caught.value.body["remedy"]  # type: ignore[index, call-overload]
    assert caught.value.type == "invalid_request_error"
    assert len(served.engine.runs.list(1000)) == before


def test_a_link_cannot_be_guessed_altered_or_used_for_ever(client: openai.OpenAI, served: Any) -> None:
    answer = client.images.generate(prompt=PROMPT, response_format="url", extra_body={**QUICK, "seed": 2})  # type: ignore[call-overload]
    url = httpx.URL(str(answer.data[0].url))
    assert httpx.get(url, trust_env=False).status_code == 200
    good = dict(url.params)
    for change in (
        {"until": str(int(good["until"]) + 1)},
        {"until": str(int(time.time()) - 1)},
        {"signature": good["signature"][:-1] + ("0" if good["signature"][-1] != "0" else "1")},
        {"signature": "ü" * 64},
        {"signature": ""},
    ):
        assert httpx.get(url.copy_with(params={**good, **change}), trust_env=False).status_code == 403, change
    other = url.copy_with(path=url.path.replace(".png", ".webp"))
    assert httpx.get(other, trust_env=False).status_code == 403
    assert httpx.get(f"{served.url}/v1/files/..%2f..%2fserver.json?until=9999999999&signature=0").status_code in (
        403,
        404,
    )


def test_one_who_goes_away_takes_the_order_along(served: Any, kit: Any) -> None:
    served.backend.delay = 0.3
    try:
        with served.client() as http, pytest.raises(httpx.ReadTimeout):
            http.post("/v1/images/generations", json={"prompt": PROMPT, **QUICK, "seed": 77}, timeout=0.6)
        kit.wait_until(lambda: served.server.desk.book.list_jobs("owner", 1)[0].over)
    finally:
        served.backend.delay = 0.0
    job = served.server.desk.book.list_jobs("owner", 1)[0]
    assert (job.order.request.seed, job.status) == (77, "cancelled")
    assert served.engine.runs.get(job.id).status == "cancelled"
