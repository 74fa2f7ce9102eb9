"""What is delivered beside the picture that was judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagewright.trace import open_trace

PROMPT = "two red circles above a blue square on a white background"
Studio = Callable[..., Any]


def test_every_picture_of_a_batch_is_delivered(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is judged; the others lie beside it, in the store and in the trace."""
    home = studio()
    backend = home.parts.backend
    painted = backend.draw

    def several(*asked: Any) -> Any:
        drawn = painted(*asked)
        return replace(drawn, more=(Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64), "blue")))

    monkeypatch.setattr(backend, "draw", several)
    result = home.draw(PROMPT)
    path = Path(result.path)
    names = [f"{path.stem}.batch-{number}.png" for number in (2, 3)]
    for name, colour in zip(names, ((255, 0, 0), (0, 0, 255)), strict=True):
        with Image.open(path.with_name(name)) as image:
            assert image.getpixel((0, 0)) == colour
            assert "prompt" in image.info
    trace = json.loads(Path(result.trace).read_text())
    assert trace["batch"] == names
    kept = trace["facts"][0]["batch pictures"].split()
    assert kept[0] == result.image
    assert len(kept) == 3
    assert all(home.parts.store.has(sha) for sha in kept)
    assert any(names[0] in note for note in result.notes)


def test_a_picture_that_is_no_other_of_the_batch_is_not_written_over(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = studio()
    backend = home.parts.backend
    painted = backend.draw
    monkeypatch.setattr(backend, "draw", lambda *asked: replace(painted(*asked), more=(Image.new("RGB", (8, 8)),)))
    mine = home.home / "mine.batch-2.png"
    mine.write_bytes(b"mine")
    result = home.draw(PROMPT, out=str(home.home / "mine.png"))
    assert mine.read_bytes() == b"mine"
    assert open_trace(Path(result.trace)).batch == ("mine.batch-2-2.png",)
    assert (home.home / "mine.batch-2-2.png").is_file()
