"""The routes of flows: pages and filters, what a workflow becomes, adding it corrected, removing it, scores."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

ALICE = "alice-has-a-long-token"


@pytest.fixture
def http(served: Any) -> Any:
    with served.client() as client:
        yield client


def workflow(http: httpx.Client, steps: int) -> dict[str, Any]:
    """A graph that draws on mini, and no other test's."""
    graph: dict[str, Any] = http.get("/v1/flows/mini-quick").json()["graph"]
    next(node for node in graph.values() if "steps" in node["inputs"])["inputs"]["steps"] = steps
    return graph


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png_with(graph: dict[str, Any]) -> bytes:
    texts, target = PngInfo(), io.BytesIO()
    texts.add_text("prompt", json.dumps(graph))
    Image.new("RGB", (8, 8)).save(target, "PNG", pnginfo=texts)
    return target.getvalue()


def test_filters_hold_for_pages_and_for_the_nearest(http: httpx.Client) -> None:
    def ids(**asked: Any) -> list[str]:
        return [facts["id"] for facts in http.get("/v1/flows", params={"limit": 100, **asked}).json()["data"]]

    assert ids(search="FLUX schnell") == ["flux1-schnell"]
    assert set(ids(model="mini")) == {name for name in ids() if name.startswith("mini")}
    assert ids(runnable="false") == []  # the paper draws everything
    assert ids(kind="upscale") == []
    near = ids(text="a photograph", model="FLUX.1")
    assert sorted(near) == ["flux1-dev", "flux1-schnell"]
    assert ids(text="a photograph", runnable="false") == []
    assert http.get("/v1/flows", params={"kind": "nonsense"}).status_code == 400


def test_pages_lead_to_one_another(http: httpx.Client) -> None:
    seen, offset = [], 0
    while offset is not None:
        page = http.get("/v1/flows", params={"limit": 9, "offset": offset}).json()
        seen += [facts["id"] for facts in page["data"]]
        offset = page["next"]
    assert seen == sorted(set(seen))
    assert len(seen) == page["total"]


def test_models_name_no_more_than_a_menu_holds_and_any_flow_can_be_asked_for(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imagewright.serve import models

    monkeypatch.setattr(models, "MOST_NAMED", 2)
    assert len(http.get("/v1/models").json()["data"]) == 3
    assert http.get("/v1/models/imagewright/mini-quick").json()["id"] == "imagewright/mini-quick"
    assert http.get("/v1/models/imagewright").status_code == 200
    for none in ("imagewright/nope", "mini-quick", "gpt-image-1"):
        assert http.get(f"/v1/models/{none}").status_code == 404


@pytest.mark.parametrize("kind", ["workflow", "json file", "png"])
def test_a_preview_tells_what_a_workflow_becomes_and_stores_nothing(http: httpx.Client, kind: str) -> None:
    graph = workflow(http, 41)
    sent: dict[str, Any] = {
        "workflow": {"name": "my owls", "workflow": graph},
        "json file": {"name": "my owls.json", "file": in_base64(json.dumps(graph).encode())},
        "png": {"name": "my owls.png", "file": in_base64(png_with(graph))},
    }[kind]
    before = http.get("/v1/flows").json()["total"]
    told = http.post("/v1/flows/preview", json=sent).json()
    flow = told["flow"]
    assert (flow["id"], flow["title"], flow["kind"], flow["runnable"]) == ("my-owls", "My owls", "text-to-image", True)
    assert flow["card"]["base_model"] == "mini"
    assert {(place["slot"], place["value"]) for place in told["slots"]} >= {("steps", "41")}
    assert told["places"]
    assert (told["known"], told["refused"]) == ("", None)
    assert http.get("/v1/flows").json()["total"] == before


def test_a_preview_knows_what_is_there_and_what_draws_the_same(http: httpx.Client) -> None:
    known = http.get("/v1/flows/mini-quick").json()
    card = {"id": "mini-quick", "card": known["card"], "graph": known["graph"]}
    told = http.post("/v1/flows/preview", json={"name": "again", "workflow": card}).json()
    assert (told["known"], told["flow"]["id"]) == ("mini-quick", "mini-quick")
    renamed = http.post("/v1/flows/preview", json={"name": "again", "workflow": known["graph"]}).json()
    assert (renamed["known"], renamed["twin"]) == ("", "mini-quick")


def test_a_preview_says_why_it_cannot_be_a_flow(http: httpx.Client, served: Any) -> None:
    unknown = {"nodes": [{"id": 1, "type": "NoSuchNode", "inputs": [], "outputs": []}], "links": [], "version": 0.4}
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "PNG")
    for sent in (
        {"workflow": {"1": {"nothing": 1}}},
        {"workflow": unknown},
        {"file": in_base64(b"not a flow")},
        {"file": in_base64(plain.getvalue())},
    ):
        told = http.post("/v1/flows/preview", json={"name": "x", **sent})
        assert told.status_code == 200, told.text
        refused = told.json()["refused"]
        assert told.json()["flow"] is None
        assert refused["message"]
        assert refused["reasons"]
        assert "/tmp" not in told.text
    for wrong in ({}, {"workflow": {}, "file": ""}, {"file": "no base64!"}):
        assert http.post("/v1/flows/preview", json={"name": "x", **wrong}).status_code == 400


def test_a_flow_is_added_with_corrected_words_and_slots_and_removed(http: httpx.Client, served: Any) -> None:
    graph = workflow(http, 42)
    slots = http.get("/v1/flows/mini-quick").json()["card"]["slots"]
    kept = {name: places for name, places in slots.items() if name != "steps"}
    card = {"title": "Owls at night", "description": "for owls", "tags": ["owl"], "slots": kept}
    added = http.post("/v1/flows", json={"name": "owls.png", "file": in_base64(png_with(graph)), "card": card})
    assert added.status_code == 201, added.text
    assert (added.json()["id"], added.json()["title"], added.json()["tags"]) == ("owls", "Owls at night", ["owl"])
    assert "steps" not in served.engine.index.get("owls").card.slots
    assert http.get("/v1/flows", params={"search": "owls night"}).json()["total"] == 1
    wrong = {"slots": {"steps": [{"node": "nope", "input": "steps"}]}}
    refused = http.post("/v1/flows", json={"name": "owls2", "workflow": graph, "card": wrong})
    assert (refused.status_code, "nope" in refused.json()["error"]["message"]) == (400, True)
    assert http.delete("/v1/flows/owls").status_code == 204
    assert http.get("/v1/flows/owls").status_code == 404
    assert http.delete("/v1/flows/owls").status_code == 404


def test_only_the_owner_changes_the_index(served: Any) -> None:
    with served.client(ALICE) as alice:
        assert alice.get("/v1/flows").status_code == 200
        assert alice.delete("/v1/flows/mini-quick").status_code == 403
        assert alice.patch("/v1/flows/mini-quick", json={"disabled": True}).status_code == 403
        assert alice.post("/v1/flows", json={"name": "x", "workflow": {}}).status_code == 403
    assert served.engine.index.get("mini-quick")


def test_scores_by_category_are_those_of_the_evidence(http: httpx.Client, served: Any) -> None:
    table = http.get("/v1/scores", params={"limit": 5}).json()
    assert len(table["data"]) == 5
    assert table["measured"] > 5
    assert "Counting" in table["categories"]
    best = [row["overall"]["mean"] for row in table["data"]]
    assert best == sorted(best, reverse=True)
    for row in table["data"]:
        assert len(row["cells"]) == len(table["categories"])
        assert all(cell["low"] <= cell["mean"] <= cell["high"] for cell in row["cells"])
    row = table["data"][0]
    rows = served.engine.index.evidence_for(row["flow"], "diffusers")
    prompts = served.engine.index.prompt_facts()
    counting = [each for each in rows if "Counting" in prompts[each.prompt].categories]
    assert row["overall"]["scores"] == len(rows)
    assert row["cells"][table["categories"].index("Counting")]["scores"] == len(counting)
    alone = http.get("/v1/scores", params={"flow": "flux1-dev"}).json()["data"]
    assert [(each["flow"], each["overall"]["scores"]) for each in alone] == [("flux1-dev", 0)]
    assert alone[0]["overall"]["high"] - alone[0]["overall"]["low"] > row["overall"]["high"] - row["overall"]["low"]
    assert http.get("/v1/scores", params={"flow": "nope"}).status_code == 404


def test_the_files_that_flows_need_come_in_pages(http: httpx.Client, served: Any) -> None:
    whole = served.engine.list_models()
    page = http.get("/v1/model-files", params={"limit": 2, "offset": 1}).json()
    assert page["total"] == len(whole)
    assert [(one["folder"], one["name"]) for one in page["data"]] == [(m.folder, m.name) for m in whole[1:3]]
    some = http.get("/v1/model-files", params={"search": whole[0].name.upper()}).json()["data"]
    assert (some[0]["name"], some[0]["flows"], some[0]["users"]) == (
        whole[0].name,
        list(whole[0].flows)[:5],
        len(whole[0].flows),
    )
    assert http.get("/v1/model-files", params={"search": "100%_"}).json()["total"] == 0
