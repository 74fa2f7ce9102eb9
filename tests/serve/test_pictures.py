"""The gallery's routes: filters, pages, links, details, thumbs, and whose pictures they are."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from imagewright.memory.runs import RunLog

QUICK = {"critic": False, "max_images": 1, "flow": "mini-quick"}
CAROL, DORA = "carol-has-a-gallery-of-hers", "dora-has-another-gallery"


def draw(http: httpx.Client, kit: Any, prompt: str, **wishes: Any) -> str:
    """Draw a picture; its run."""
    run = str(http.post("/v1/runs", json={"prompt": prompt, **QUICK, **wishes}).json()["id"])
    kit.wait_until(lambda: http.get(f"/v1/runs/{run}").json()["status"] == "done")
    return run


def list_runs(http: httpx.Client, **query: Any) -> list[str]:
    """The runs whose pictures a query gives."""
    answer = http.get("/v1/pictures", params=query)
    assert answer.status_code == 200, answer.text
    return [facts["run"] for facts in answer.json()["data"]]


@pytest.fixture(scope="module")
def carol(served: Any) -> Iterator[httpx.Client]:
    """A client with a gallery of her own."""
    with served.client(CAROL) as http:
        yield http


@pytest.fixture(scope="module")
def three(carol: httpx.Client, kit: Any) -> list[str]:
    """Three of Carol's pictures, newest first: a teal star on paper of 512 x 256, two teal hearts in a conversation."""
    star = draw(carol, kit, "a teal star", seed=2**64 - 1, size="512x256")
    hearts = [draw(carol, kit, f"a teal heart {n}", thread="hearts") for n in (1, 2)]
    return [hearts[1], hearts[0], star]


def test_filters_pages_and_totals(carol: httpx.Client, three: list[str]) -> None:
    assert list_runs(carol, text="TEAL")[:3] == three
    assert list_runs(carol, text="heart teal") == list_runs(carol, thread="hearts") == three[:2]
    page = carol.get("/v1/pictures", params={"text": "teal", "limit": 1}).json()
    assert (page["total"], page["has_more"]) == (3, True)
    assert list_runs(carol, text="teal", limit=1, before=three[0]) == three[1:2]
    assert list_runs(carol, text="teal", before=three[0], offset=1) == three[2:]
    created = page["data"][0]["created"]
    assert list_runs(carol, text="teal", since=created) == three[:1]
    assert list_runs(carol, text="teal", until=created) == three[1:]
    assert list_runs(carol, text="teal", accepted="unjudged") == three
    assert list_runs(carol, text="teal", accepted="yes") == list_runs(carol, text="teal", thumb="up") == []
    assert list_runs(carol, text="teal", flow="mini-quick") == three
    assert {one["flow"]: one["pictures"] for one in carol.get("/v1/pictures/flows").json()["data"]}["mini-quick"] >= 3
    for wrong in ({"accepted": "maybe"}, {"since": "yesterday"}, {"offset": -1}, {"limit": 1000}):
        assert carol.get("/v1/pictures", params=wrong).status_code == 400, wrong


def test_links_need_no_token_and_lead_to_the_picture_its_thumbnail_and_its_file(
    carol: httpx.Client, three: list[str], served: Any
) -> None:
    facts = carol.get(f"/v1/runs/{three[2]}/details").json()
    assert (facts["width"], facts["height"]) == (512, 256)
    with httpx.Client(trust_env=False) as anybody:
        picture, small, file = (anybody.get(facts[name]) for name in ("url", "thumbnail", "file"))
        assert Image.open(io.BytesIO(picture.content)).size == (512, 256)
        assert (small.headers["content-type"], Image.open(io.BytesIO(small.content)).size) == ("image/webp", (320, 160))
        assert file.headers["content-disposition"] == f'attachment; filename="imagewright-{three[2]}.png"'
        assert "prompt" in json.loads(Image.open(io.BytesIO(file.content)).info["imagewright"])
        for name in ("thumbnail", "file"):
            assert anybody.get(facts[name].replace("signature=", "signature=0")).status_code == 403
        for other in (f"{three[1]}.png", f"{facts['image']}.thumbnail.webp.png"):
            assert anybody.get(facts["file"].replace(f"{three[2]}.png", other)).status_code == 403
    again = carol.get(f"/v1/runs/{three[2]}/details").json()
    assert [again[name] for name in ("url", "thumbnail", "file")] == [
        facts[name] for name in ("url", "thumbnail", "file")
    ]


def test_details_say_how_it_came_about_and_what_stands_beside_it(carol: httpx.Client, three: list[str]) -> None:
    facts = carol.get(f"/v1/runs/{three[1]}/details", params={"text": "teal"}).json()
    assert (facts["newer"], facts["older"], facts["place"]) == (three[0], three[2], 1)
    assert (facts["said"], facts["thread"], facts["checks"]) == ("a teal heart 1", "hearts", [])
    facts = carol.get(f"/v1/runs/{three[2]}/details", params={"text": "teal"}).json()
    assert (facts["seed_text"], facts["older"], facts["thread"]) == (str(2**64 - 1), "", None)


def test_a_thumb_for_any_picture_is_kept_beside_it_and_counts_once(
    carol: httpx.Client, three: list[str], served: Any
) -> None:
    def thumbs() -> list[float]:
        rows = served.engine.index.evidence_for("mini-quick")
        return [row.value for row in rows if row.scorer == "thumb" and row.prompt == "a teal star"]

    for thumb in ("up", "up", "down"):
        assert carol.post(f"/v1/runs/{three[2]}/thumb", json={"thumb": thumb}).status_code == 204
    assert carol.get(f"/v1/runs/{three[2]}/details").json()["thumb"] == "down"
    assert list_runs(carol, text="teal", thumb="down") == three[2:]
    assert thumbs() == [0.0]
    assert "noted" in carol.post("/v1/threads/hearts/thumb", json={"thumb": "up"}).json()["text"]
    assert list_runs(carol, text="teal", thumb="up") == three[:1]


def test_each_client_has_a_gallery_of_its_own_also_when_the_queue_has_forgotten(
    carol: httpx.Client, three: list[str], served: Any, kit: Any
) -> None:
    with served.client(DORA) as dora, served.client() as owner:
        own = draw(dora, kit, "a teal moon")
        served.server.desk.book.delete(three[2])
        assert list_runs(dora, text="teal") == [own]
        assert list_runs(carol, text="teal") == three
        assert list_runs(owner, text="teal") == [own, *three]
        assert list_runs(dora, text="teal", thread="hearts") == list_runs(dora, thread="@carol/hearts") == []
        assert dora.get("/v1/pictures/flows").json()["data"] == [{"flow": "mini-quick", "pictures": 1}]
        assert dora.get(f"/v1/runs/{three[2]}").status_code == dora.delete(f"/v1/runs/{three[2]}").status_code == 404
        assert dora.get(f"/v1/runs/{own}/details", params={"text": "teal"}).json()["older"] == ""
        image = carol.get(f"/v1/runs/{three[2]}/details").json()["image"]
        assert carol.get(f"/v1/runs/{three[2]}").json()["image"] == image
        assert carol.delete(f"/v1/runs/{three[2]}").status_code == 204
        assert list_runs(owner, text="teal") == [own, *three[:2]]
        assert not list(served.engine.store.root.glob(f"thumbnails/*/{image}*"))


def test_a_run_that_was_accepted_but_not_assigned_is_its_client_s_after_a_start(served: Any, kit: Any) -> None:
    desk = served.server.desk
    with served.client(DORA) as dora:
        run = draw(dora, kit, "an olive moon")
        served.engine.runs.erase([run])
        assert (served.engine.pictures.find_client(run), desk.book.list_owners()["dora"][-1]) == ("", run)
        for owner, runs in desk.book.list_owners().items():
            desk._assign(owner, runs)
        assert served.engine.pictures.find_client(run) == "dora"
        assert all(served.engine.pictures.find_client(one) == "" for one in desk.book.list_owners().get("owner", ()))


def test_listing_pictures_reads_no_run(served: Any, carol: httpx.Client, three: list[str], monkeypatch: Any) -> None:
    read: list[str] = []
    for name in ("list", "get", "show", "outline"):
        monkeypatch.setattr(RunLog, name, lambda self, *a, name=name, **k: read.append(name))
    assert list_runs(carol, text="teal", limit=100)
    assert read == []
