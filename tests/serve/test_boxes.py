"""Turns with boxes changed by hand over HTTP: kept pixels, the layout as it was drawn, and what is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from imagewright.box_changes import BoxChange
from imagewright.errors import BadInput
from imagewright.ports import Drawn, IsCancelled, Job, OnStep
from imagewright.schemas import Region

PROMPT = "a red circle above a blue square"
QUICK = {"critic": False, "max_images": 1, "flow": "mini-quick"}


@pytest.fixture(scope="module")
def painted(load_module: Callable[[str, Path], ModuleType], served: Any, kit: ModuleType) -> Iterator[Any]:
    """The served home with a backend that paints boxes and can redraw some of them."""
    paint = load_module("graph_kit", Path(__file__).parent.parent / "graph" / "kit.py")

    class Canvas(kit.Paper):  # type: ignore[misc, name-defined]
        def can_redraw(self, flow: Any) -> bool:
            return True

        def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
            boxes = () if job.regions else paint.GridPlanner().plan(job.prompt).layout.boxes
            read = tuple(Region(caption=b.caption, x=b.x, y=b.y, width=b.width, height=b.height) for b in boxes)
            return painter.draw(replace(job, regions=job.regions or read), on_step, is_cancelled)  # type: ignore[no-any-return]

    painter = paint.Painter(served.home / "painter.txt")
    served.engine.use_backend("diffusers", Canvas())
    yield served
    served.engine.use_backend("diffusers", served.backend)


@pytest.fixture
def http(painted: Any) -> Iterator[httpx.Client]:
    with painted.client() as client:
        yield client


def over(http: httpx.Client, run: str) -> dict[str, Any]:
    """Follow a run to its end."""
    with http.stream("GET", f"/v1/runs/{run}/events") as stream:
        lines = [line for line in stream.iter_lines() if line.startswith("data: ")]
    return dict(json.loads(lines[-1][6:]))


def turn(http: httpx.Client, thread: str, **body: Any) -> dict[str, Any]:
    """A turn of a conversation, to its end."""
    answer = http.post(f"/v1/threads/{thread}/turns", json={**QUICK, "seed": 90210, **body})
    assert answer.status_code == 202, answer.text
    return over(http, answer.json()["id"])


def pixels(http: httpx.Client, run: dict[str, Any]) -> np.ndarray:
    """A run's picture."""
    return np.asarray(Image.open(io.BytesIO(http.get(run["url"]).content)).convert("RGB")).astype(int)


def test_a_turn_of_boxes_keeps_the_other_pixels_and_is_told_in_words(http: httpx.Client, painted: Any) -> None:
    first = turn(http, "by-hand", text=PROMPT)
    layout = http.get(f"/v1/runs/{first['id']}/layout").json()
    circle, square = layout["boxes"]
    assert [circle["caption"], square["caption"]] == ["a red circle", "a blue square"]
    assert (layout["thread"], layout["redraws"], layout["image"]) == ("by-hand", True, first["image"])
    assert layout["width"] == layout["height"] == Image.open(io.BytesIO(http.get(layout["url"]).content)).width
    x = 0.05 if circle["x"] > 0.4 else 0.95 - circle["width"]
    second = turn(http, "by-hand", boxes=[{"box": 0, "x": x}], go_on_from=first["id"])
    assert (second["status"], second["seed"]) == ("done", first["seed"]), second
    way = "left" if x < circle["x"] else "right"
    assert http.get("/v1/threads/by-hand").json()["data"][-1]["said"] == f"moved the red circle to the {way}"
    moved, kept = http.get(f"/v1/runs/{second['id']}/layout").json()["boxes"]
    assert (moved["x"], moved["y"]) == pytest.approx((x, circle["y"]), abs=1e-3)
    assert kept == square
    trace = http.get(f"/v1/runs/{second['id']}", params={"trace": True}).json()["trace"]
    assert trace["request"]["boxes"]["base"] == first["id"]
    assert trace["said"] == f"moved the red circle to the {way}"
    before, after = pixels(http, first), pixels(http, second)
    side = before.shape[0]
    outside = np.ones(before.shape[:2], bool)
    for region in trace["rounds"][-1]["redrawn"]:
        outside[round(region["y"] * side) : round((region["y"] + region["height"]) * side),
                round(region["x"] * side) : round((region["x"] + region["width"]) * side)] = False  # fmt: skip
    changed = (before != after).any(axis=2)
    assert changed.any()
    assert not (changed & outside).any()
    replayed = over(http, http.post(f"/v1/runs/{second['id']}/replay").json()["id"])
    assert replayed["same"] is True


def test_a_picture_outside_any_conversation_is_gone_on_from_in_a_new_one(http: httpx.Client) -> None:
    drawn = over(http, http.post("/v1/runs", json={"prompt": PROMPT, **QUICK, "seed": 5}).json()["id"])
    boxes = [
        {"box": 1, "delete": True},
        {"caption": "a green star", "x": 0.1, "y": 0.6, "width": 0.3, "height": 0.3},
    ]
    made = turn(http, "brought-in", boxes=boxes, go_on_from=drawn["id"], seed=5)
    assert (made["status"], made["thread"]) == ("done", "brought-in"), made
    layout = http.get(f"/v1/runs/{made['id']}/layout").json()
    assert [box["caption"] for box in layout["boxes"]] == ["a red circle", "a green star"]
    later = turn(http, "brought-in", text="make the star purple")
    assert "a purple star" in [box["caption"] for box in http.get(f"/v1/runs/{later['id']}/layout").json()["boxes"]]


def test_python_changes_boxes_with_numbers_or_with_values(painted: Any, tmp_path: Path) -> None:
    chat = painted.engine.chat("python", use_critic=False, max_images=1, flow="mini-quick", seed=5, out=tmp_path)
    with pytest.raises(BadInput, match="no picture yet"):
        chat.edit([{"box": 0, "delete": True}])
    first = chat.say(PROMPT).result
    second = chat.edit([BoxChange(box=1, caption="a green square")]).result
    assert second.prompt == "a red circle above a green square"
    assert [box.caption for box in painted.engine.show_layout(second.run).boxes] == ["a red circle", "a green square"]
    third = chat.edit([{"box": 0, "delete": True}], "make the square yellow", go_on_from=first.run).result
    assert [box.caption for box in third.layout.boxes] == ["a yellow square"]
    assert [turn.said for turn in painted.engine.threads.turns("python")][1:] == [
        "made the blue square a green square",
        "make the square yellow; removed the red circle",
    ]
    assert [picture.run for picture in chat.pictures] == [first.run, third.run]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"boxes": [{"box": 9, "x": 0.1}]}, "has no box 9"),
        ({"boxes": [{"box": 0, "x": 1.5}]}, "outside the picture"),
        ({"boxes": [{"box": 0, "delete": True}, {"box": 0, "x": 0.1}]}, "changed twice"),
        ({"boxes": [{"box": 0, "caption": " "}]}, "is empty"),
        ({"boxes": [{"box": 0, "caption": "x" * 500}]}, "500 characters"),
        ({"boxes": [{"box": 0, "delete": True}] * 40}, "40 boxes"),
        ({"boxes": [{"box": 0, "left": 0.1}]}, "left"),
        ({"boxes": []}, "nothing is said"),
        ({}, "nothing is said"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_queued(
    http: httpx.Client, painted: Any, body: dict[str, Any], words: str
) -> None:
    if not painted.engine.threads.turns("refusing"):
        turn(http, "refusing", text=PROMPT)
    before = len(painted.engine.threads.turns("refusing"))
    answer = http.post("/v1/threads/refusing/turns", json={**QUICK, **body})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input"), answer.text
    assert words in answer.json()["error"]["message"]
    assert len(painted.engine.threads.turns("refusing")) == before


def test_nobody_changes_or_sees_the_boxes_of_another_s_picture(http: httpx.Client, painted: Any) -> None:
    run = turn(http, "mine", text=PROMPT)["id"]
    with painted.client("alice-has-a-long-token") as alice:
        assert alice.get(f"/v1/runs/{run}/layout").status_code == 404
        body = {**QUICK, "boxes": [{"box": 0, "delete": True}], "go_on_from": run}
        assert alice.post("/v1/threads/hers/turns", json=body).status_code == 404
    assert http.get("/v1/runs/20260101-000000-aaaaaa/layout").status_code == 404
    empty = http.post("/v1/threads/nothing-yet/turns", json={**QUICK, "boxes": [{"box": 0, "delete": True}]})
    assert (empty.status_code, empty.json()["error"]["code"]) == (400, "bad_input")
