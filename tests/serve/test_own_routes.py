"""Our own routes: runs, threads, flows, plans and pictures."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

PROMPT = "a red circle above a blue square"
QUICK = {"critic": False, "max_images": 1, "flow": "mini-quick"}


@pytest.fixture
def http(served: Any) -> Any:
    with served.client() as client:
        yield client


def over(http: httpx.Client, run: str) -> dict[str, Any]:
    """Follow a run to its end: the last event says how it stands."""
    with http.stream("GET", f"/v1/runs/{run}/events") as stream:
        lines = list(stream.iter_lines())
    assert lines[-2 if not lines[-1] else -1].startswith("data: ") or "data: " in "".join(lines)
    return dict(json.loads([line for line in lines if line.startswith("data: ")][-1][6:]))


def test_a_run_is_started_followed_shown_replayed_and_deleted(http: httpx.Client, served: Any) -> None:
    started = http.post("/v1/runs", json={"prompt": PROMPT, **QUICK, "seed": 4})
    assert started.status_code == 202
    run = started.json()["id"]
    end = over(http, run)
    assert (end["status"], end["flow"], end["seed"]) == ("done", "mini-quick", 4)
    shown = http.get(f"/v1/runs/{run}", params={"trace": True}).json()
    assert shown["trace"]["image"] == end["image"]
    assert shown["trace"]["request"]["prompt"] == PROMPT
    delivered = http.get(f"/v1/runs/{run}/picture")
    assert "prompt" in Image.open(io.BytesIO(delivered.content)).info, "the delivered file has its texts"
    replayed = over(http, http.post(f"/v1/runs/{run}/replay").json()["id"])
    assert (replayed["same"], replayed["image"]) == (True, end["image"])
    assert http.delete(f"/v1/runs/{run}").status_code == 204
    assert http.get(f"/v1/runs/{run}").status_code == 404
    assert not served.engine.store.has(end["image"])


def test_events_have_numbers_and_go_on_behind_the_last_one_that_was_read(http: httpx.Client) -> None:
    run = http.post("/v1/runs", json={"prompt": PROMPT, **QUICK}).json()["id"]
    over(http, run)
    with http.stream("GET", f"/v1/runs/{run}/events") as stream:
        whole = [line for line in stream.iter_lines() if line.startswith("id: ")]
    with http.stream("GET", f"/v1/runs/{run}/events", headers={"last-event-id": "3"}) as stream:
        rest = [line for line in stream.iter_lines() if line.startswith("id: ")]
    assert rest == whole[3:]
    assert whole[0] == "id: 1"


def test_the_same_key_is_the_same_run(http: httpx.Client) -> None:
    key = {"idempotency-key": "order 66"}
    first = http.post("/v1/runs", json={"prompt": PROMPT, **QUICK}, headers=key).json()
    again = http.post("/v1/runs", json={"prompt": PROMPT, **QUICK}, headers=key).json()
    other = http.post("/v1/runs", json={"prompt": "a blue star", **QUICK}, headers=key)
    assert again["id"] == first["id"]
    assert (other.status_code, other.json()["error"]["code"]) == (409, "key_reused")


def test_a_run_is_cancelled_between_two_steps_and_resumed(http: httpx.Client, served: Any, kit: Any) -> None:
    served.backend.delay = 0.2
    try:
        run = http.post("/v1/runs", json={"prompt": PROMPT, **QUICK, "seed": 11}).json()["id"]
        kit.wait_until(lambda: http.get(f"/v1/runs/{run}").json()["status"] == "running")
        assert http.post(f"/v1/runs/{run}/resume", json={}).status_code == 409
        http.post(f"/v1/runs/{run}/cancel")
        end = over(http, run)
        assert (end["status"], end["error"]["code"]) == ("cancelled", "cancelled")
    finally:
        served.backend.delay = 0.0
    resumed = over(http, http.post(f"/v1/runs/{run}/resume", json={}).json()["id"])
    assert (resumed["status"], resumed["seed"]) == ("done", 11)
    assert served.engine.runs.get(run).status == "delivered"


def test_the_owner_sees_the_terminal_s_runs_too(http: httpx.Client, served: Any) -> None:
    made = served.engine.draw(PROMPT, use_critic=False, max_images=1, flow="mini-quick", out=str(served.home / "x.png"))
    assert http.get(f"/v1/runs/{made.run}").json()["image"] == made.image
    listed = http.get("/v1/runs", params={"limit": 1}).json()
    assert (listed["data"][0]["id"], listed["has_more"]) == (made.run, True)
    before = http.get("/v1/runs", params={"before": made.run}).json()["data"]
    assert made.run not in {facts["id"] for facts in before}


def test_a_conversation_of_turns(http: httpx.Client, served: Any) -> None:
    def say(text: str, **more: Any) -> dict[str, Any]:
        answer = http.post("/v1/threads/talk/turns", json={"text": text, **QUICK, "seed": 90210, **more})
        assert answer.status_code == 202, answer.text
        return over(http, answer.json()["id"])

    first = say(PROMPT)
    second = say("make the circle green")
    assert served.engine.runs.get(second["id"]).result.prompt == "a green circle above a blue square"
    assert http.post("/v1/threads/talk/why", json={"about": "flow"}).json()["text"].startswith("mini-quick")
    assert "noted" in http.post("/v1/threads/talk/thumb", json={"thumb": "up"}).json()["text"]
    assert "back to picture 1" in http.post("/v1/threads/talk/undo").json()["text"]
    assert http.post("/v1/threads/talk/branch", json={"run": second["id"]}).status_code == 204
    third = say("make the square yellow")
    assert served.engine.runs.get(third["id"]).result.prompt == "a green circle above a yellow square"
    fourth = say("make the square yellow", go_on_from=first["id"])
    assert served.engine.runs.get(fourth["id"]).result.prompt == "a red circle above a yellow square"
    turns = http.get("/v1/threads/talk").json()["data"]
    assert [turn["said"] for turn in turns][:2] == [PROMPT, "make the circle green"]
    assert httpx.get(turns[0]["url"], trust_env=False).status_code == 200
    found = http.get("/v1/threads", params={"text": "yellow"}).json()
    assert "talk" in [row["name"] for row in found["data"]]  # other files talk on this server, too
    assert http.delete("/v1/threads/talk").status_code == 204
    assert http.get("/v1/threads/talk").status_code == 404
    assert not served.engine.store.has(first["image"])


def test_what_is_not_there_is_not_found(http: httpx.Client) -> None:
    for method, path in (
        ("GET", "/v1/runs/20260101-000000-aaaaaa"),
        ("POST", "/v1/threads/nobody/undo"),
        ("GET", "/v1/threads/nobody"),
        ("DELETE", "/v1/threads/nobody"),
        ("GET", "/v1/flows/nope"),
        ("GET", f"/v1/pictures/{'0' * 64}"),
        ("GET", "/v1/pictures/..%2f..%2fserver.json"),
        ("GET", "/nowhere"),
    ):
        answer = http.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path


def test_pictures_are_a_gallery_with_thumbnails(http: httpx.Client) -> None:
    run = over(http, http.post("/v1/runs", json={"prompt": "a gray fish", **QUICK, "size": "512x256"}).json()["id"])
    listed = http.get("/v1/pictures", params={"text": "GRAY fish"}).json()["data"]
    assert [facts["run"] for facts in listed] == [run["id"]]
    small = http.get(f"/v1/pictures/{run['image']}", params={"side": 64, "output_format": "jpeg"})
    assert Image.open(io.BytesIO(small.content)).size == (64, 32)
    assert small.headers["content-type"] == "image/jpeg"


def test_flows_are_paged_searched_checked_added_and_switched(http: httpx.Client, served: Any) -> None:
    page = http.get("/v1/flows", params={"limit": 2, "offset": 1}).json()
    assert len(page["data"]) == 2
    assert page["total"] == len(served.engine.index.list())
    near = http.get("/v1/flows", params={"text": "fast small pictures of shapes", "limit": 3}).json()["data"]
    assert near[0]["similarity"] >= near[-1]["similarity"]
    assert http.get("/v1/flows/mini-quick/check").json() == {"id": "mini-quick", "runnable": True, "problems": []}
    graph = http.get("/v1/flows/mini-quick").json()["graph"]
    next(node for node in graph.values() if "steps" in node["inputs"])["inputs"]["steps"] = 17
    added = http.post("/v1/flows", json={"name": "mine", "workflow": graph})
    assert (added.status_code, added.json()["id"]) == (201, "mine"), added.text
    assert http.patch("/v1/flows/mine", json={"disabled": True}).status_code == 204
    assert http.get("/v1/flows/mine").json()["disabled"]
    broken = http.post("/v1/flows", json={"name": "broken", "workflow": {"1": {"nothing": 1}}})
    assert broken.status_code == 400
    assert str(served.home) not in broken.text
    assert "/tmp" not in broken.text


def test_a_plan_draws_nothing(http: httpx.Client, served: Any) -> None:
    before = served.backend.drawn
    plan = http.post("/v1/plan", json={"prompt": PROMPT, "candidates": 3}).json()
    assert [box["caption"] for box in plan["layout"]["boxes"]] == ["a red circle", "a blue square"]
    assert len(plan["candidates"]) == 3
    assert served.backend.drawn == before


def test_health_and_readiness_need_no_token(served: Any) -> None:
    assert httpx.get(f"{served.url}/health", trust_env=False).json()["status"] == "ok"
    assert httpx.get(f"{served.url}/ready", trust_env=False).json()["ready"] is True
