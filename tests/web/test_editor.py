"""The layout editor in a browser: by mouse, by keyboard, what is redrawn, what is asked, and what axe finds."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

PROMPT = "a red circle above a blue square"


class Studio:
    """A client of the site that draws what the editor is opened on."""

    def __init__(self, site: Any, kit: ModuleType) -> None:
        headers = {"authorization": f"Bearer {site.token}"}
        self.http = httpx.Client(base_url=site.url, headers=headers, trust_env=False, timeout=60)
        self._kit = kit

    def draw(self, thread: str, text: str, **more: Any) -> str:
        """A picture; its run."""
        run = self.http.post(f"/v1/threads/{thread}/turns", json={"text": text, "seed": 3, **more}).json()["id"]
        self._kit.wait_until(lambda: self.http.get(f"/v1/runs/{run}").json()["status"] in ("done", "failed"))
        facts = self.http.get(f"/v1/runs/{run}").json()
        assert facts["image"], facts
        return str(run)

    def layout(self, run: str) -> dict[str, Any]:
        """Its boxes."""
        return dict(self.http.get(f"/v1/runs/{run}/layout").json())

    def last(self, thread: str) -> dict[str, Any]:
        """The last turn of a conversation."""
        return dict(self.http.get(f"/v1/threads/{thread}").json()["data"][-1])

    def pixels(self, run: str) -> np.ndarray:
        """Its picture."""
        data = self.http.get(self.layout(run)["url"]).content
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def studio(site: Any, kit: ModuleType) -> Studio:
    return Studio(site, kit)


@pytest.fixture(scope="module")
def base(studio: Studio) -> str:
    """The picture that every test goes on from."""
    return studio.draw("editor", PROMPT)


@pytest.fixture
def open_editor(page: Any, site: Any) -> Callable[[str], Any]:
    """Opens the editor on a run."""

    def opened(run: str) -> Any:
        page.get_by_label("What to draw or change").wait_for()
        page.goto(site.address(f"/boxes/{run}"))
        page.locator(".stage .box").first.wait_for()
        return page

    return opened


def box_of(page: Any, caption: str) -> Any:
    """A box on the picture."""
    return page.locator(".stage").get_by_role("button", name=re.compile(f"^{caption},"))


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse, in shares of the picture."""
    area = page.locator(".stage").bounding_box()
    at = [(area["x"] + x * area["width"], area["y"] + y * area["height"]) for x, y in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=4)
    page.mouse.up()


def sides(page: Any, caption: str) -> list[float]:
    """Where a box is on the picture, in shares of it."""
    text = box_of(page, caption).get_attribute("style")
    return [float(value) / 100 for value in re.findall(r"([\d.]+)%", text)]


def redraw(page: Any) -> None:
    """Send the changes and wait for the picture that comes of them."""
    before = page.locator(".stage img").get_attribute("src")
    page.get_by_role("button", name="Redraw what changed").click()
    page.wait_for_function("old => document.querySelector('.stage img')?.getAttribute('src') !== old", arg=before)


def test_a_box_is_dragged_and_only_it_is_redrawn(open_editor: Any, studio: Studio, base: str) -> None:
    page = open_editor(base)
    button = page.get_by_role("button", name="Redraw what changed")
    assert button.is_disabled()
    circle, square = studio.layout(base)["boxes"]
    middle = (circle["x"] + circle["width"] / 2, circle["y"] + circle["height"] / 2)
    way = -0.2 if middle[0] > 0.5 else 0.2
    drag(page, middle, (middle[0] + way, middle[1]))
    x, y, *_ = sides(page, "a red circle")
    assert x / 0.025 == pytest.approx(round(x / 0.025), abs=1e-3), "it snaps to the grid"
    assert abs(x - circle["x"] - way) < 0.03
    page.get_by_text("1 change").wait_for()
    redraw(page)
    page.get_by_text("Nothing is changed").wait_for()
    assert button.is_disabled()
    turn = studio.last("editor")
    assert turn["said"] == f"moved the red circle to the {'left' if way < 0 else 'right'}"
    assert page.url.endswith(turn["run"])
    after = studio.layout(turn["run"])["boxes"]
    assert after[1] == square
    assert (after[0]["x"], after[0]["y"]) == pytest.approx((x, y), abs=0.03)
    changed = (studio.pixels(base) != studio.pixels(turn["run"])).any(axis=2)
    side = changed.shape[0]
    rows = slice(round(square["y"] * side), round((square["y"] + square["height"]) * side))
    columns = slice(round(square["x"] * side), round((square["x"] + square["width"]) * side))
    assert changed.any()
    assert not changed[rows, columns].any()
    page.get_by_role("button", name="Picture before").click()
    assert studio.layout(base)["image"] in page.locator(".stage img").get_attribute("src")


def test_what_is_being_drawn_is_seen_in_place(open_editor: Any, studio: Studio, site: Any, base: str) -> None:
    page = open_editor(base)
    box_of(page, "a red circle").press("ArrowLeft")
    before = page.locator(".stage img").get_attribute("src")
    site.backend.delay = 0.3
    try:
        page.get_by_role("button", name="Redraw what changed").click()
        page.wait_for_function("() => document.querySelector('.stage .making')?.naturalWidth === 8")  # a preview
        areas = [page.locator(f".stage {part}").bounding_box() for part in ("img:first-child", ".making", ".boxes")]
        assert areas[0] == areas[1] == areas[2]
        assert page.locator(".stage img").first.get_attribute("src") == before
        page.get_by_role("progressbar", name="Redrawing").wait_for()
        page.wait_for_function("old => document.querySelector('.stage img')?.getAttribute('src') !== old", arg=before)
    finally:
        site.backend.delay = 0.0
    assert page.locator(".stage .making").count() == 0
    assert studio.last("editor")["image"] in page.locator(".stage img").get_attribute("src")


def test_keys_alone_move_resize_rename_and_delete(open_editor: Any, studio: Studio, base: str) -> None:
    page = open_editor(base)
    x, y, width, height = sides(page, "a blue square")
    box_of(page, "a red circle").focus()
    page.keyboard.press("Tab")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    assert sides(page, "a blue square") == pytest.approx([x - 0.03, y - 0.01, width + 0.02, height], abs=1e-3)
    page.keyboard.press("Control+z")
    assert sides(page, "a blue square")[2] == pytest.approx(width, abs=1e-3), "held keys are one step back"
    page.keyboard.press("Control+Shift+z")
    assert sides(page, "a blue square")[2] == pytest.approx(width + 0.02, abs=1e-3)
    page.keyboard.press("Enter")
    name = page.get_by_label("What is in the box")
    name.fill("a <b>green square")
    name.press("Enter")
    page.get_by_role("list", name="Boxes").get_by_text("a <b>green square").wait_for()
    assert page.locator(".stage b").count() == 0
    page.keyboard.press("Enter")
    name.fill("nothing of this")
    name.press("Escape")
    box_of(page, "a <b>green square").press("Delete")
    assert page.locator(".stage .box").count() == 1
    page.get_by_role("button", name="Restore a <b>green square").click()
    assert page.locator(".stage .box").count() == 2
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    page.get_by_text("1 change").wait_for()
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    assert sides(page, "a blue square") == pytest.approx([x, y, width, height], abs=1e-3)
    page.get_by_text("Nothing is changed").wait_for()


def test_a_box_is_drawn_named_and_another_deleted_and_all_is_redrawn(
    open_editor: Any, studio: Studio, base: str
) -> None:
    page = open_editor(base)
    square = studio.layout(base)["boxes"][1]
    left = 0.03 if square["x"] > 0.4 else 0.6
    drag(page, (left, 0.95), (left + 0.3, 0.65))
    page.get_by_label("What is in the box").press("Escape")
    assert page.locator(".stage .box").count() == 2, "a box without a name is not kept"
    assert page.get_by_role("button", name="Undo").is_disabled()
    drag(page, (left, 0.95), (left + 0.3, 0.65))
    name = page.get_by_label("What is in the box")
    name.fill("a green star")
    name.press("Enter")
    x = page.get_by_role("spinbutton", name="Left, %")
    x.fill(str(round(left * 100) + 1))
    x.press("Enter")
    assert sides(page, "a green star")[0] == pytest.approx(round(left * 100 + 1) / 100)
    page.get_by_role("list", name="Boxes").get_by_role("button", name="a blue square").click()
    page.get_by_role("list", name="Boxes").get_by_role("button", name="Delete").click()
    page.get_by_text("2 changes").wait_for()
    redraw(page)
    turn = studio.last("editor")
    assert turn["said"] == "removed the blue square; added a green star"
    assert [box["caption"] for box in studio.layout(turn["run"])["boxes"]] == ["a red circle", "a green star"]


def test_what_cannot_be_drawn_is_told_in_place_and_nothing_is_lost(open_editor: Any, base: str) -> None:
    page = open_editor(base)
    page.get_by_role("list", name="Boxes").get_by_role("button", name="a red circle").click()
    name = page.get_by_role("textbox", name="What is there")
    name.fill("a purple teapot")
    name.press("Enter")
    page.get_by_role("button", name="Redraw what changed").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "teapot" in alert.inner_text()
    page.get_by_text("1 change").wait_for()
    assert page.get_by_role("button", name="Redraw what changed").is_enabled()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Nothing is changed").wait_for()


def test_what_the_critic_found_is_marked_at_its_box_and_axe_finds_nothing(
    open_editor: Any, studio: Studio, site: Any
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    site.backend.flaw = lambda job, regions: [
        region.model_copy(update={"caption": region.caption.replace("blue", "green")}) for region in regions
    ]
    try:
        asked = studio.http.post("/v1/threads/faulty/turns", json={"text": PROMPT, "seed": 3, "max_images": 1}).json()
        studio._kit.wait_until(lambda: studio.http.get(f"/v1/runs/{asked['id']}").json()["asked"])
        said = studio.http.post(f"/v1/runs/{asked['id']}/resume", json={"reply": "no"}).json()
        studio._kit.wait_until(lambda: studio.http.get(f"/v1/runs/{said['id']}").json()["status"] == "done")
    finally:
        site.backend.flaw = lambda job, regions: regions
    page = open_editor(said["id"])
    square = box_of(page, "a blue square")
    assert "The critic: wrong colour" in square.get_attribute("aria-label")
    assert "⚠ wrong colour" in square.inner_text()
    row = page.get_by_role("list", name="Boxes").get_by_role("listitem").filter(has_text="a blue square")
    assert "blue square: 1 wanted, 0 seen" in row.inner_text()
    square.focus()
    for scheme, width in (("light", 1280), ("dark", 390)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 844})
        found = axe.run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing reaches beyond the edge"


def test_a_run_without_a_picture_is_told(page: Any, site: Any) -> None:
    page.get_by_label("What to draw or change").wait_for()
    page.goto(site.address("/boxes/20260101-000000-aaaaaa"))
    page.get_by_role("alert").wait_for()
    assert "no run is called" in page.get_by_role("alert").inner_text()
