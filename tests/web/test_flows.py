"""The flows: found, looked into, dropped in, corrected, switched off, removed; what would be chosen; scores."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagewright.schemas import Flow, Problem, Readiness

HOSTILE = "<img src=x onerror=alert(1)> owls"
_DROP = """([name, data, kind]) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const held = new DataTransfer();
    held.items.add(new File([bytes], name, { type: kind }));
    const area = document.querySelector(".flows h1, .flows ul");
    for (const what of ["dragenter", "dragover", "drop"])
        area.dispatchEvent(new DragEvent(what, { dataTransfer: held, bubbles: true, cancelable: true }));
}"""


def open_flows(page: Any, site: Any, rest: str = "") -> None:
    page.goto(site.address(f"/flows{rest}"))


def insist_on_no_serious(page: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for theme in ("light", "dark"):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", theme)
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], theme


def workflow(site: Any, steps: int) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(json.dumps(site.engine.index.get("mini-quick").graph))
    next(node for node in graph.values() if "steps" in node["inputs"])["inputs"]["steps"] = steps
    return graph


def drop(page: Any, name: str, data: bytes, kind: str = "application/json") -> Any:
    """Drop a file on the view; the window that opens."""
    page.evaluate(_DROP, [name, base64.b64encode(data).decode(), kind])
    return page.get_by_role("dialog")


@pytest.fixture
def owls(site: Any) -> Iterator[str]:
    """A flow whose words are full of markup."""
    data = json.dumps(workflow(site, 31)).encode()
    yield site.engine.add_flow_bytes(data, "owls.json", {"title": HOSTILE, "description": "<b>owls</b>"}).flow.id
    if "owls" in site.engine.index.ids():
        site.engine.remove_flow("owls")


_SHIFTS = """() => new Promise((done) => {
    new PerformanceObserver((list) => done(list.getEntries().map((one) => one.value)))
        .observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done([]), 300);
})"""


@pytest.mark.parametrize(
    ("view", "last"),
    [
        ("/flows", ".flow-item"),
        ("/flows?tab=scores", ".heat"),
        ("/flows/mini-quick", ".intervals li"),
    ],
)
def test_nothing_jumps_while_a_view_fills(page: Any, site: Any, view: str, last: str) -> None:
    page.goto(site.address(view))
    page.reload()
    page.locator(last).first.wait_for()
    assert page.evaluate(_SHIFTS) == []


def test_flows_are_found_by_words_and_by_what_they_are_good_at(page: Any, site: Any) -> None:
    open_flows(page, site)
    page.get_by_role("link", name="FLUX.1 dev").wait_for()
    page.get_by_label("Words of its name").fill("schnell")
    page.get_by_text("1 to 1 of 1").wait_for()
    assert page.locator(".flow-item h2").all_inner_texts() == ["FLUX.1 schnell"]
    page.reload()
    page.get_by_text("1 to 1 of 1").wait_for()
    page.get_by_label("Words of its name").fill("")
    page.get_by_label("Good at").fill("fast drafts of photographs")
    page.get_by_text("the nearest first").wait_for()
    assert "FLUX" in page.locator(".flow-item h2").first.inner_text()
    page.get_by_label("Model").fill("nothing of that name")
    page.get_by_text("No flow fits.").wait_for()


def test_a_page_leads_to_the_next(page: Any, site: Any) -> None:
    open_flows(page, site)
    first = page.locator(".flow-item h2").first
    before = first.inner_text()
    page.get_by_role("button", name="More").click()
    page.get_by_text("25 to").wait_for()
    assert first.inner_text() != before
    page.go_back()
    page.get_by_text("1 to 24").wait_for()
    assert first.inner_text() == before


def test_what_a_flow_lacks_here_is_told_with_what_to_do(page: Any, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lacks = Problem(kind="model", name="flux.safetensors", remedy="flux.safetensors is missing: put it at /models/x/")
    monkeypatch.setattr(
        site.backend, "check", lambda flow: Readiness(problems=(lacks,) if flow.id == "flux1-dev" else ())
    )
    open_flows(page, site, "?search=FLUX.1")
    item = page.locator(".flow-item", has_text="flux1-dev")
    item.get_by_text("lacks something").wait_for()
    item.get_by_text("What it lacks here: 1").click()
    assert "put it at /models/x/" in item.inner_text()
    assert "runs here" in page.locator(".flow-item", has_text="flux1-schnell").inner_text()
    page.get_by_label("Here").select_option("lacks something")
    page.get_by_text("1 to 1 of 1").wait_for()
    insist_on_no_serious(page)


def test_a_flow_is_switched_off_and_on_and_removed_when_one_is_sure(page: Any, site: Any, owls: str) -> None:
    open_flows(page, site, "?search=owls")
    item = page.locator(".flow-item")
    item.get_by_role("button", name="Disable").click()
    item.get_by_text("switched off").wait_for()
    assert owls in site.engine.index.switched_off()
    item.get_by_role("button", name="Enable").click()
    item.get_by_text("runs here").wait_for()
    assert item.locator("h2").inner_text() == HOSTILE  # shown as text
    item.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Keep it").click()
    assert owls in site.engine.index.ids()
    item.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    page.get_by_text("No flow fits.").wait_for()
    assert owls not in site.engine.index.ids()


def test_a_workflow_that_is_dropped_is_told_corrected_and_added(page: Any, site: Any) -> None:
    open_flows(page, site)
    page.locator(".flow-item").first.wait_for()
    told = drop(page, "my owls.json", json.dumps(workflow(site, 32)).encode())
    told.get_by_label("Title").wait_for()
    assert "my-owls" not in site.engine.index.ids()
    assert told.get_by_label("Title").input_value() == "My owls"
    insist_on_no_serious(page)
    told.get_by_label("Title").fill(HOSTILE)
    told.get_by_label("Tags, with commas").fill("owl, night")
    told.get_by_text("Where a request enters").click()
    told.get_by_role("button", name="Take steps out").click()
    told.get_by_role("button", name="Add it as my-owls").click()
    page.get_by_role("heading", name=HOSTILE).wait_for()
    card = site.engine.index.get("my-owls").card
    assert (card.title, card.tags) == (HOSTILE, ("owl", "night"))
    assert ("steps" in card.slots, "seed" in card.slots) == (False, True)
    site.engine.remove_flow("my-owls")


def test_a_picture_is_chosen_that_draws_what_is_there_already(page: Any, site: Any, tmp_path: Path) -> None:
    texts = PngInfo()
    texts.add_text("prompt", json.dumps(site.engine.index.get("mini-quick").graph))
    Image.new("RGB", (8, 8)).save(tmp_path / "saved.png", pnginfo=texts)
    open_flows(page, site)
    page.locator("input[type=file]").set_input_files(tmp_path / "saved.png")
    told = page.get_by_role("dialog")
    told.get_by_text("draws the same pictures as mini-quick").wait_for()
    told.get_by_role("link", name="mini-quick").click()
    page.get_by_role("heading", name="Mini, quick").wait_for()


def test_what_cannot_become_a_flow_is_told_why(page: Any, site: Any) -> None:
    open_flows(page, site)
    page.locator(".flow-item").first.wait_for()
    nodes = {"nodes": [{"id": 7, "type": "<b>NoSuch</b>", "inputs": [], "outputs": []}], "links": [], "version": 0.4}
    told = drop(page, "<i>x</i>.json", json.dumps(nodes).encode())
    told.get_by_text("This cannot become a flow").wait_for()
    assert "<i>x</i>.json" in told.inner_text()
    page.keyboard.press("Escape")
    told.wait_for(state="hidden")
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "PNG")
    drop(page, "plain.png", plain.getvalue(), "image/png").get_by_text("This cannot become a flow").wait_for()


def test_what_would_be_chosen_is_shown_with_intervals_and_a_reason(
    page: Any, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_flows(page, site, "?tab=plan")
    page.get_by_label("A prompt").fill("two red circles above a blue square")
    page.keyboard.press("Enter")
    answer = page.get_by_role("region", name="The answer")
    answer.wait_for()
    plan = site.engine.plan("two red circles above a blue square")
    best = next(one for one in plan.candidates if one.flow == plan.flow)
    assert answer.get_by_role("heading", name="It would be").inner_text() == f"It would be {best.title}"
    assert plan.reason
    assert plan.reason in answer.inner_text()
    chosen = answer.locator("li.chosen").inner_text()
    assert f"{best.estimate:.2f}" in chosen
    assert f"{best.low:.2f} to {best.high:.2f}" in chosen
    assert answer.locator(".intervals li").count() == len(plan.candidates)
    insist_on_no_serious(page)


def test_scores_are_a_table_with_numbers_and_legible_colours(page: Any, site: Any) -> None:
    open_flows(page, site, "?tab=scores")
    table = page.get_by_role("table")
    table.wait_for()
    kept = site.engine.tabulate_scores()
    assert table.get_by_role("columnheader").all_inner_texts() == ["Flow", "Overall", *kept.categories]
    assert table.locator("tbody tr").count() == len(kept.rows)
    row = table.locator("tbody tr", has_text=kept.rows[0].title).first
    assert f"{kept.rows[0].cells[0].mean:.2f}" in row.inner_text()
    assert row.locator("td").first.evaluate("(cell) => getComputedStyle(cell).backgroundColor") != "rgba(0, 0, 0, 0)"
    insist_on_no_serious(page)


def test_a_flow_has_its_card_scores_graph_and_kin(page: Any, site: Any) -> None:
    open_flows(page, site, "/mini-quick")
    page.get_by_role("heading", name="Expected scores").wait_for()
    page.get_by_role("heading", name="Flows like it").locator("xpath=..").get_by_role("link").first.wait_for()
    scores = page.locator(".intervals li")
    scores.first.wait_for()
    assert scores.count() == 1 + len(site.engine.tabulate_scores().categories)
    with page.expect_download() as kept:
        page.get_by_role("link", name="Download the graph").click()
    taken = json.loads(Path(kept.value.path()).read_text())
    assert Flow.model_validate(taken) == site.engine.index.get("mini-quick")
    insist_on_no_serious(page)
    open_flows(page, site, "/no-such-flow")
    page.get_by_role("alert").wait_for()
    assert "no-such-flow" in page.get_by_role("alert").inner_text()
