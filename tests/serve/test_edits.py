"""Pictures that clients send, drawn anew: by the official client, on a server with the small model."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import openai
import pytest
from PIL import Image, ImageDraw

from imagewright import Imagewright
from imagewright.settings import Settings

QUICK = {"critic": False, "max_images": 1, "seed": 3}


@pytest.fixture(scope="module")
def small(kit: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Imagewright]]:
    """A server over the model that ships with the package."""
    home = tmp_path_factory.mktemp("small")
    engine = Imagewright(Settings(data_dir=home, model_roots=(home / "models",), device="cpu"))
    engine.plan("a red circle")
    with kit.serving(engine) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=kit.secret_of(home), max_retries=0, timeout=180)
        yield client, engine


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def sent() -> Image.Image:
    image = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(image).ellipse((8, 8, 48, 48), fill="red")
    return image


def test_only_the_mask_is_drawn_anew(small: tuple[Any, Imagewright]) -> None:
    client, engine = small
    mask = Image.new("RGBA", (128, 128), "black")
    mask.paste((0, 0, 0, 0), (64, 64, 128, 128))
    answer = client.images.edit(
        image=("mine.txt", png(sent())), mask=("m.png", png(mask)), prompt="a blue square", extra_body=QUICK
    )
    drawn = Image.open(io.BytesIO(base64.b64decode(answer.data[0].b64_json))).convert("RGB")
    assert drawn.size == (128, 128)
    assert drawn.crop((0, 0, 56, 56)).tobytes() == sent().crop((0, 0, 56, 56)).tobytes(), "the rest stays"
    assert drawn.tobytes() != sent().tobytes()
    request = engine.runs.get(answer.data[0].run).request
    assert len(request.image or "") == len(request.mask or "") == 64


@pytest.mark.parametrize(
    ("image", "more", "code"),
    [
        (b"not a picture", {}, "bad_input"),
        (png(Image.new("1", (6000, 5000))), {}, "too_large"),
        (png(sent()), {"n": 99}, "bad_input"),
        (png(sent()), {"prompt": " "}, "bad_input"),
    ],
    ids=["no picture", "30 megapixels", "n", "nothing said"],
)
def test_what_cannot_be_used_is_refused(
    image: bytes, more: dict[str, Any], code: str, small: tuple[Any, Imagewright]
) -> None:
    client, engine = small
    before = len(engine.runs.list(100))
    with pytest.raises(openai.APIStatusError) as caught:
        client.images.edit(**{"image": ("a.png", image), "prompt": "a blue square", "extra_body": QUICK, **more})
    assert caught.value.code == code
    assert len(engine.runs.list(100)) == before


def test_a_form_is_needed_and_it_holds_one_picture(small: tuple[Any, Imagewright]) -> None:
    client, _ = small
    headers, url = {"authorization": f"Bearer {client.api_key}"}, f"{client.base_url}images/edits"
    with httpx.Client(headers=headers, timeout=60, trust_env=False) as http:
        assert http.post(url, json={"prompt": "x"}).status_code == 400
        two = [("image[]", ("a.png", png(sent()))), ("image[]", ("b.png", png(sent())))]
        assert http.post(url, data={"prompt": "x"}, files=two).status_code == 400
        broken = http.post(url, content=b"--x\r\nnonsense", headers={"content-type": "multipart/form-data; boundary=x"})
        assert broken.status_code == 400
        assert broken.json()["error"]["code"] == "bad_input"


def test_the_first_chunk_of_a_form_that_is_too_large_ends_it(small: tuple[Any, Imagewright], tmp_path: Path) -> None:
    client, _ = small
    files = {"image": ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 41_000_000)}
    headers = {"authorization": f"Bearer {client.api_key}"}
    try:
        answer = httpx.post(
            f"{client.base_url}images/edits",
            data={"prompt": "x"},
            files=files,
            headers=headers,
            timeout=60,
            trust_env=False,
        )
    except httpx.WriteError:
        return
    assert answer.status_code == 413
