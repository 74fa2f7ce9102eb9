"""A delivered PNG says how it was made, in three formats, without keys; or says nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from imagewright.graph.png_texts import blank_keys

Studio = Callable[..., Any]


def chunks(path: str) -> dict[str, str]:
    """The text chunks of a PNG."""
    with Image.open(path) as image:
        image.load()
        return dict(image.text)  # type: ignore[attr-defined]


def test_comfyui_the_web_ui_and_we_can_read_it_back(studio: Studio) -> None:
    home = studio()
    result = home.draw("a yellow star, no houses", seed=11)
    found = chunks(result.path)
    assert set(found) == {"prompt", "parameters", "imagewright"}
    graph = json.loads(found["prompt"])
    assert graph["1"]["inputs"]["text"] == "a yellow star, no houses"
    assert graph["3"]["inputs"]["seed"] == 11
    first, negative, last = found["parameters"].split("\n")
    assert first == "a yellow star, no houses"
    assert negative == "Negative prompt: blurry, house"
    pairs = dict(pair.split(": ", 1) for pair in last.split(", "))
    assert (pairs["Seed"], pairs["Model"]) == ("11", "paint")
    ours = json.loads(found["imagewright"])
    assert (ours["version"], ours["run"], ours["flow"], ours["seed"]) == (1, result.run, result.flow, 11)


def test_strip_leaves_everything_out_and_the_pixels_as_they_are(studio: Studio) -> None:
    home = studio()
    whole, bare = home.draw("a yellow star"), home.draw("a yellow star", strip=True)
    assert chunks(bare.path) == {}
    assert Image.open(bare.path).tobytes() == Image.open(whole.path).tobytes()


def test_no_key_gets_into_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sentinel-of-the-environment")
    graph = {
        "1": {"class_type": "Ask", "inputs": {"api_key": "anything", "text": "use sentinel-of-the-environment now",
              "more": ["sk-abcdefghijklmnop1234", {"token": "x"}], "link": ["4", 1], "steps": 4}},
    }  # fmt: skip
    inputs = blank_keys(graph)["1"]["inputs"]
    assert inputs == {"api_key": "", "text": "use  now", "more": ["", {"token": ""}], "link": ["4", 1], "steps": 4}
    assert graph["1"]["inputs"]["api_key"] == "anything"
