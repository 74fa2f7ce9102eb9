"""What the page's conversation asks: a tree of turns; a run's story, reasons and thumb; uploads, title, export."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import stat
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from pydantic import SecretStr

from imagewright.serve.feeds import Feed
from imagewright.serve.opening import address_with_token, drop_opener, write_opener

PROMPT = "a red circle above a blue square"
QUICK = {"critic": False, "max_images": 1, "flow": "mini-quick"}
ALICE = "alice-has-a-long-token"


@pytest.fixture
def http(served: Any) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


@pytest.fixture(scope="module")
def tree(served: Any) -> Iterator[tuple[str, list[str]]]:
    """A conversation whose second picture was undone, and its runs: two pictures, an undo, a picture."""
    with served.client() as http:
        first, second = say(http, "tree", PROMPT, seed=5), say(http, "tree", "make the circle green")
        undone = http.post("/v1/threads/tree/undo").json()["id"]
        third = say(http, "tree", "make the square yellow")
        yield "tree", [first["id"], second["id"], undone, third["id"]]
        http.delete("/v1/threads/tree")


def events_of(http: httpx.Client, run: str, **params: Any) -> list[dict[str, Any]]:
    """All that a run tells, its end last."""
    with http.stream("GET", f"/v1/runs/{run}/events", params=params) as stream:
        return [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]


def _apart(work: Any) -> Any:
    """What ``work`` gives, in a loop of its own: a browser of other tests may keep one running in this thread."""
    with ThreadPoolExecutor() as threads:
        return threads.submit(asyncio.run, work).result()


def say(http: httpx.Client, thread: str, text: str, **more: Any) -> dict[str, Any]:
    answer = http.post(f"/v1/threads/{thread}/turns", json={"text": text, **QUICK, **more})
    assert answer.status_code == 202, answer.text
    return events_of(http, answer.json()["id"])[-1]


def test_a_conversation_is_a_tree_that_says_where_one_is(http: httpx.Client, tree: Any) -> None:
    name, (first, second, _undone, third) = tree
    told = http.get(f"/v1/threads/{name}").json()
    assert [turn["parent"] for turn in told["data"]] == [None, first, second, first]
    assert (told["present"], told["running"]) == (third, [])
    made = told["data"][0]["picture"]
    assert (made["flow"], made["seed"], made["number"], made["images"]) == ("mini-quick", "5", 1, 1)
    assert (made["width"], made["height"]) == Image.open(io.BytesIO(httpx.get(made["url"]).content)).size
    assert (made["accepted"], made["score"], made["faults"], made["thumb"]) == (None, None, [], "")
    assert told["data"][2]["picture"] is None
    assert http.post(f"/v1/threads/{name}/branch", json={"run": second}).status_code == 204
    assert http.get(f"/v1/threads/{name}").json()["present"] == second


def test_several_variations_are_as_many_turns_and_the_last_is_told(http: httpx.Client) -> None:
    first, last = say(http, "several", PROMPT, seed=5), say(http, "several", "show me two variations")
    told = http.get("/v1/threads/several").json()
    assert [turn["said"] for turn in told["data"]] == [PROMPT, "one more", "one more"]
    assert (told["data"][0]["run"], told["data"][2]["run"], told["present"]) == (first["id"], last["id"], last["id"])
    assert len({turn["image"] for turn in told["data"]}) == 3
    http.delete("/v1/threads/several")


def test_a_story_is_told_again_as_it_was_told(http: httpx.Client, tree: Any) -> None:
    run = tree[1][0]
    told = http.get(f"/v1/runs/{run}/story").json()["data"]
    live = [event for event in events_of(http, run)[:-1] if event["kind"] not in ("node", "step", "preview")]
    assert [event["kind"] for event in told if event["kind"] != "note"] == [
        event["kind"] for event in live if event["kind"] != "note"
    ]
    for event in live:
        again = [other["text"] for other in told if other["kind"] == event["kind"]]
        assert any(text.startswith(event["text"]) for text in again), event
    [layout] = [event["layout"] for event in told if event["kind"] == "layout"]
    assert [box["caption"] for box in layout["boxes"]] == ["a red circle", "a blue square"]
    [picture] = [event for event in told if event["kind"] == "image"]
    assert httpx.get(picture["url"], trust_env=False).status_code == 200


def test_reasons_and_thumb_are_of_any_picture_and_say_nothing_in_the_conversation(
    http: httpx.Client, tree: Any
) -> None:
    name, (first, _, undone, _) = tree
    before = len(http.get(f"/v1/threads/{name}").json()["data"])
    assert http.get(f"/v1/runs/{first}/why", params={"about": "seed"}).json()["text"] == "seed 5 (the run began with 5)"
    for thumb in ("up", "down"):
        assert http.post(f"/v1/runs/{first}/thumb", json={"thumb": thumb}).status_code == 204
        turns = http.get(f"/v1/threads/{name}").json()["data"]
        assert (turns[0]["picture"]["thumb"], turns[1]["picture"]["thumb"], len(turns)) == (thumb, "", before)
    for path in ("why", "story"):
        assert http.get(f"/v1/runs/{undone}/{path}").status_code == 404


def test_previews_bring_their_pixels_where_they_are_asked_for(http: httpx.Client, served: Any) -> None:
    served.backend.delay = 0.05
    try:
        run = http.post("/v1/runs", json={"prompt": PROMPT, **QUICK}).json()["id"]
        events = events_of(http, run, previews=True)
    finally:
        served.backend.delay = 0.0
    shown = [event for event in events if "b64" in event]
    assert shown
    assert Image.open(io.BytesIO(base64.b64decode(shown[-1]["b64"]))).size == (8, 8)
    assert not [event for event in events_of(http, run) if "b64" in event]


def test_a_number_from_before_a_new_start_begins_anew() -> None:
    from imagewright.schemas import RunEvent

    feed = Feed()
    feed.put(RunEvent(kind="note", run="r", text="one"))
    feed.put(RunEvent(kind="note", run="r", text="two"))
    feed.close()

    async def texts(after: int) -> list[str]:
        return [told.event.text async for told in feed.follow(after)]

    assert [_apart(texts(after)) for after in (1, 2, 90)] == [["two"], [], ["one", "two"]]


def test_a_turn_starts_from_a_picture_of_one_s_own_and_nobody_else_s(served: Any, http: httpx.Client) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 48), (0, 0, 0, 0)).save(buffer, "PNG")
    with served.client(ALICE) as alice:
        sent = alice.post("/v1/uploads", files={"file": ("x.png", buffer.getvalue())})
        assert sent.status_code == 201, sent.text
        told = sent.json()
        assert (told["width"], told["height"], told["workflow"]) == (64, 48, None)
        assert Image.open(io.BytesIO(httpx.get(told["url"]).content)).getpixel((0, 0)) == (255, 255, 255)
        turn = alice.post(
            "/v1/threads/own/turns", json={"text": PROMPT, "image": told["image"], "strength": 0.4, **QUICK}
        )
        assert turn.status_code == 202
        request = served.server.desk.book.get(turn.json()["id"]).order.request
        assert (request.image, request.strength) == (told["image"], 0.4)
    with served.client("bob-has-another-token-too") as bob:
        refused = bob.post("/v1/threads/own/turns", json={"text": PROMPT, "image": told["image"]})
        assert refused.status_code == 404
    assert http.post("/v1/uploads", files={"file": ("x.png", b"no picture")}).status_code == 400
    assert http.post("/v1/uploads", files={"other": b"x"}).status_code == 400


def test_a_workflow_is_read_from_json_and_from_our_own_png(http: httpx.Client, tree: Any) -> None:
    png = http.get(f"/v1/runs/{tree[1][0]}/picture").content
    graph = http.get("/v1/flows/mini-quick").json()["graph"]
    flows = http.get("/v1/flows").json()["total"]
    in_png = http.post("/v1/uploads", files={"file": ("p.png", png)}).json()
    assert (in_png["workflow"]["prompt"], in_png["width"] > 0) == (PROMPT, True)
    in_json = http.post("/v1/uploads", files={"file": ("f.json", json.dumps(graph))}).json()
    assert (in_json["image"], in_json["workflow"]["kind"]) == (None, "text-to-image")
    assert http.get("/v1/flows").json()["total"] == flows
    broken = http.post("/v1/uploads", files={"file": ("f.json", b'{"1": {"nothing": 1}}')})
    assert broken.status_code == 400
    assert "/tmp" not in broken.text


def test_a_conversation_is_named_and_exported(http: httpx.Client, tree: Any, served: Any) -> None:
    name, runs = tree
    assert http.patch(f"/v1/threads/{name}", json={"title": "shapes"}).status_code == 204
    assert http.get(f"/v1/threads/{name}").json()["title"] == "shapes"
    assert http.patch("/v1/threads/nobody", json={"title": "x"}).status_code == 404
    packed = http.get(f"/v1/threads/{name}/export")
    assert packed.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(packed.content)) as files:
        assert {"thread.json", "001.png", "001.json", "002.png", "003.png"} <= set(files.namelist())
        assert [turn["run"] for turn in json.loads(files.read("thread.json"))["turns"]] == runs
    with served.client(ALICE) as alice:
        for method, path in (("PATCH", ""), ("GET", "/export"), ("GET", "")):
            assert alice.request(method, f"/v1/threads/{name}{path}", json={"title": "x"}).status_code == 404
        assert alice.get(f"/v1/runs/{runs[0]}/story").status_code == 404
        assert alice.post(f"/v1/runs/{runs[0]}/thumb", json={"thumb": "up"}).status_code == 404


def test_what_waits_is_told_with_its_conversation_before_it_begins(http: httpx.Client, served: Any, kit: Any) -> None:
    served.backend.delay = 0.1
    try:
        first = http.post("/v1/threads/waits/turns", json={"text": PROMPT, **QUICK}).json()["id"]
        second = http.post("/v1/threads/waits/turns", json={"text": "make the circle green", **QUICK}).json()["id"]
        told = http.get("/v1/threads/waits").json()
        assert [(run["id"], run["prompt"]) for run in told["running"]] == [
            (first, PROMPT),
            (second, "make the circle green"),
        ]
        assert events_of(http, second)[-1]["status"] == "done"
    finally:
        served.backend.delay = 0.0
    assert http.get("/v1/threads/waits").json()["running"] == []


def test_the_file_that_opens_the_page_is_this_user_s_alone(tmp_path: Path) -> None:
    address = address_with_token("http://127.0.0.1:7411", SecretStr('a"b<c'))
    path = write_opener(tmp_path, address)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert 'url=http://127.0.0.1:7411/#token=a%22b%3Cc"' in path.read_text()
    drop_opener(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("watched", [True, False])
def test_the_token_is_told_to_a_person_and_to_no_log(watched: bool, kit: Any, tmp_path: Path, monkeypatch: Any) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)) or True)
    lines: list[str] = []
    engine = kit.engine_on(tmp_path, kit.Paper())
    with kit.serving(engine, tell=lines.append, tell_token=watched, open_page=watched) as server:
        kit.wait_until(lambda: len(lines) >= (3 if watched else 2))
        secret = kit.secret_of(tmp_path)
        assert (f"open {server.url}/#token={secret}" in lines) == watched
        kit.wait_until(lambda: len(opened) == int(watched))
        assert all(address.startswith("file://") and secret not in address for address in opened)
    assert not (tmp_path / "open.html").exists()
