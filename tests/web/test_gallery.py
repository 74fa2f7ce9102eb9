"""The gallery: thumbnails that are found, filtered, opened, compared, judged and deleted, by mouse and by keyboard."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from PIL import Image

from imagewright.database import database
from imagewright.memory.run_tables import RUN_TABLES
from imagewright.schemas import Check, DrawRequest, Round, RunResult, Verdict

MANY = 2000
MARKUP = "<img src=x onerror=\"document.title='bad'\"> & <b>bold</b>"
COLOURS = ("red", "green", "blue", "olive", "navy", "teal", "gray", "black", "purple", "orange")


def fill(engine: Any, count: int) -> list[str]:
    """Pictures that were never drawn, in the log as any others; their runs, newest first."""
    images = [
        engine.store.put_image(Image.new("RGB", (96, 64) if n % 2 else (64, 64), c)) for n, c in enumerate(COLOURS)
    ]
    checks = (Check(name="count", passed=False, detail="two were wanted, one is seen"),)
    with database(engine.settings.database, "memory", RUN_TABLES) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # of this thread's connection, which the log is lent, too
    runs = []
    for n in range(count):
        run, colour, image = f"20260101-000000-{n:06x}", COLOURS[n % 10], images[n % 10]
        prompt, flow = MARKUP if n == count - 1 else f"a {colour} thing {n}", "odd" if n % 2 else "even"
        verdict = Verdict(accepted=n % 4 == 0, score=0.25, checks=checks) if n % 2 == 0 else None
        made = Round(image=image, flow=flow, seed=n, prompt=prompt, layout=None, verdict=verdict)
        engine.runs.start(run, f"run {run}", DrawRequest(prompt=prompt), n, Path("/nowhere.png"))
        engine.runs.deliver(make_result(run, made), {})
        runs.append(run)
    return runs[::-1]


def make_result(run: str, made: Round) -> RunResult:
    """What a run delivers."""
    return RunResult(
        run=run, prompt=made.prompt, path="/nowhere.png", image=made.image, seed=made.seed, flow=made.flow,
        categories=(), candidates=(), layout=None, rounds=(made,), images=1, seconds=2.5, notes=(MARKUP,),
    )  # fmt: skip


class Shelf:
    """A served home with many pictures."""

    def __init__(self, url: str, token: str, runs: Sequence[str]) -> None:
        self.url, self.token, self.runs = url, token, runs


@pytest.fixture(scope="module")
def shelf(kit: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """2,000 pictures."""
    home = tmp_path_factory.mktemp("shelf")
    engine = kit.engine_on(home, kit.Paper())
    runs = fill(engine, MANY)
    with kit.serving(engine) as server:
        yield Shelf(server.url, kit.secret_of(home), runs)


SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((e) => [e.value, e.hadRecentInput])))
    .observe({ type: "layout-shift", buffered: true });"""

COUNT = """window.most = 0;
new MutationObserver(() => { most = Math.max(most, document.querySelectorAll(".grid *").length); })
    .observe(document.body, { childList: true, subtree: true });"""
"""The most nodes that the grid ever has."""


@pytest.fixture
def many(page: Any, shelf: Shelf) -> Any:
    """A page that has the token of the large gallery, and counts layout shifts."""
    page.add_init_script(SHIFTS)
    page.goto(f"{shelf.url}/#token={shelf.token}")
    page.get_by_role("link", name="Gallery").wait_for()
    return page


def open_at(page: Any, shelf: Shelf, fragment: str) -> None:
    """Open a view by its address, as a link does."""
    page.goto("about:blank")
    page.goto(f"{shelf.url}/#/{fragment}")


def index_in_focus(page: Any) -> int:
    """The number of the picture that has the focus."""
    return int(page.evaluate("Number(document.activeElement.closest('li')?.dataset.index ?? -1)"))


def wait_for_focus(page: Any, index: int) -> None:
    """Wait until a picture has the focus."""
    page.wait_for_function(f"() => document.activeElement.closest('li')?.dataset.index === '{index}'")


def test_two_thousand_pictures_cost_two_hundred_nodes_and_nothing_shifts(many: Any, shelf: Shelf) -> None:
    open_at(many, shelf, "gallery")
    many.get_by_text("2,000 pictures").wait_for()
    many.wait_for_function(
        "() => [...document.querySelectorAll('.cell img')].filter((i) => i.naturalWidth).length > 20"
    )
    names = many.evaluate(
        "[...new Set([...document.querySelectorAll('.cell img')].map((i) => i.src.split('.').at(-1).split('?')[0]))]"
    )
    assert names == ["webp"]
    many.evaluate(COUNT)
    for part in (0.5, 1.0, 0.25):
        many.evaluate(f"scrollTo(0, document.documentElement.scrollHeight * {part})")
        many.wait_for_function("() => document.elementFromPoint(300, 400)?.closest('.cell a')")
    many.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    many.get_by_role("link", name="a red thing 0").wait_for()
    assert 100 < many.evaluate("most") <= 200
    assert [value for value, _ in many.evaluate("shifts") if value > 0] == []


def test_keys_move_open_and_come_back_to_the_same_place(many: Any, shelf: Shelf) -> None:
    open_at(many, shelf, "gallery")
    many.locator('[data-index="0"] a').focus()
    many.keyboard.press("ArrowRight")
    wait_for_focus(many, 1)
    many.keyboard.press("ArrowDown")
    many.wait_for_function("() => document.activeElement.closest('li')?.dataset.index > 3")
    columns = index_in_focus(many) - 1
    for _ in range(10):
        many.keyboard.press("ArrowDown")
    wait_for_focus(many, 1 + 11 * columns)
    top = many.evaluate("scrollY")
    assert top > 500
    many.keyboard.press("Enter")
    many.locator(".large img").wait_for()
    run = shelf.runs[1 + 11 * columns]
    assert run in many.url
    many.keyboard.press("ArrowRight")
    many.wait_for_url(f"**/gallery/{shelf.runs[2 + 11 * columns]}")
    many.locator("h1", has_text=f"thing {MANY - 3 - 11 * columns}").wait_for()
    many.keyboard.press("ArrowLeft")
    many.wait_for_url(f"**/gallery/{run}")
    many.locator("h1", has_text=f"thing {MANY - 2 - 11 * columns}").wait_for()
    many.keyboard.press("Escape")
    many.locator(f'[data-index="{1 + 11 * columns}"] a').wait_for()
    assert many.evaluate("scrollY") == top
    many.locator(f'[data-index="{1 + 11 * columns}"] a').focus()
    many.keyboard.press("End")
    wait_for_focus(many, MANY - 1)
    many.keyboard.press("Home")
    wait_for_focus(many, 0)
    assert [value for value, recent in many.evaluate("shifts") if value > 0 and not recent] == []


def test_filters_are_in_the_address_and_a_link_opens_the_same_pictures(many: Any, shelf: Shelf) -> None:
    open_at(many, shelf, "gallery")
    many.get_by_label("Words").fill("THING red")
    many.get_by_text("200 pictures found").wait_for()
    many.get_by_label("Flow").select_option("even")
    many.get_by_label("Critic").select_option("yes")
    many.get_by_text("100 pictures found").wait_for()
    address = many.url
    assert address.endswith("#/gallery?text=THING+red&flow=even&accepted=yes")
    open_at(many, shelf, address.split("#/")[1])
    many.get_by_text("100 pictures found").wait_for()
    assert (many.get_by_label("Words").input_value(), many.get_by_label("Flow").input_value()) == ("THING red", "even")
    many.locator(".cell a").first.click()
    many.get_by_role("link", name="Older").click()
    many.locator("h1", has_text="thing 1960").wait_for()
    many.get_by_role("link", name="All pictures").click()
    many.get_by_label("From").fill("2020-01-01")
    many.get_by_label("To").fill("2020-12-31")
    many.get_by_text("No picture is like that").wait_for()
    many.get_by_role("button", name="Clear the filters").click()
    many.get_by_text("2,000 pictures").wait_for()
    assert many.get_by_label("Words").input_value() == ""


def test_two_pictures_are_compared_by_slider_keys_and_facts(many: Any, shelf: Shelf) -> None:
    open_at(many, shelf, "gallery")
    many.locator('[data-index="2"] a').focus()
    many.keyboard.press("Space")
    many.get_by_text("One selected").wait_for()
    many.locator('[data-index="3"]').hover()
    many.locator('[data-index="3"] .pick').click()
    many.get_by_role("link", name="Compare").click()
    slider = many.get_by_role("slider")
    slider.focus()
    many.keyboard.press("ArrowRight")
    assert slider.input_value() == "51"
    frame = many.locator(".layers").bounding_box()
    many.mouse.move(frame["x"] + 5, frame["y"] + 20)
    many.mouse.down()
    many.mouse.move(frame["x"] + frame["width"] * 0.8, frame["y"] + 20, steps=3)
    many.mouse.up()
    assert slider.input_value() == "80"
    assert "80%" in many.evaluate("getComputedStyle(document.querySelector('.over')).clipPath")
    rows = many.locator(".differences tbody th").all_inner_texts()
    assert {"Prompt", "Flow", "Seed", "Critic", "Size"} <= set(rows)
    assert "thumb" in many.get_by_text("The same in both").inner_text()
    many.get_by_role("link", name="Swap sides").click()
    many.locator(f'.layers .over[alt$="thing {MANY - 3}"]').wait_for()


def test_markup_is_text_and_axe_finds_nothing_serious(many: Any, shelf: Shelf, browser: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    first, second = shelf.runs[:2]
    for theme in ("light", "dark"):
        many.emulate_media(color_scheme=theme)
        for view in ("gallery", f"gallery/{first}", f"gallery/compare/{first}/{second}"):
            open_at(many, shelf, view)
            many.locator(".cell img, .about-picture, .differences").first.wait_for()
            found = axe.run(many).response["violations"]
            assert [
                (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
            ] == []
    open_at(many, shelf, f"gallery/{first}")
    assert many.locator(".about-picture h1").inner_text() == MARKUP
    assert many.locator(".notes").inner_text() == MARKUP
    assert many.locator(".about-picture b, .about-picture h1 img").count() == 0
    assert "bad" not in many.title()


# --- on a home that draws ---------------------------------------------------------------------


def draw(site: Any, kit: ModuleType, prompt: str, **wishes: Any) -> str:
    """Draw a picture; its run."""
    headers = {"authorization": f"Bearer {site.token}"}
    with httpx.Client(base_url=site.url, headers=headers, trust_env=False, timeout=60) as http:
        run = str(http.post("/v1/runs", json={"prompt": prompt, "max_images": 1, **wishes}).json()["id"])
        kit.wait_until(lambda: http.get(f"/v1/runs/{run}").json()["status"] == "done")
    return run


def test_a_picture_is_judged_taken_along_drawn_again_and_deleted(page: Any, site: Any, kit: ModuleType) -> None:
    older, run = draw(site, kit, "a blue triangle", seed=2**64 - 1), draw(site, kit, "a purple triangle")
    page.goto(f"{site.url}/#/gallery?text=triangle")
    page.get_by_text("2 pictures found").wait_for()
    page.get_by_role("link", name="a blue triangle").click()
    page.locator("dd", has_text=str(2**64 - 1)).wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download with workflow").click()
    assert "class_type" in str(json.loads(Image.open(download.value.path()).info["prompt"]))
    page.get_by_role("button", name="Thumb up").click()
    page.locator('button[aria-label="Thumb up"][aria-pressed="true"]').wait_for()
    assert site.engine.pictures.get(older).thumb == "up"
    page.keyboard.press("Escape")
    page.locator('.cell[data-thumb="up"] a').click()
    page.get_by_role("button", name="Draw again").click()
    page.get_by_text("every pixel is the same").wait_for()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete it").click()
    page.locator("h1", has_text="a purple triangle").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("1 picture found").wait_for()
    assert run in page.locator(".cell a").get_attribute("href")
    assert [row.id for row in site.engine.runs.list(100) if row.id == older] == []


def test_a_turn_goes_only_with_its_conversation_and_new_pictures_are_told(
    page: Any, site: Any, kit: ModuleType
) -> None:
    run = draw(site, kit, "a green moon", thread="moons & <b>")
    page.goto(f"{site.url}/#/gallery?text=moon")
    page.get_by_text("1 picture found").wait_for()
    page.locator(".cell a").click()
    assert (
        page.get_by_role("link", name="Conversation", exact=True).get_attribute("href")
        == "#/talk/moons%20%26%20%3Cb%3E"
    )
    draw(site, kit, "a red moon", thread="moons & <b>")
    page.get_by_role("link", name="All pictures").click()
    page.get_by_role("button", name="Show what is new").click()
    page.get_by_text("2 pictures found").wait_for()
    page.goto(f"{site.url}/#/gallery/{run}?text=moon")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete the conversation").click()
    page.get_by_text("No picture is like that").wait_for()
    page.goto(f"{site.url}/#/gallery/{run}")
    page.get_by_role("alert").wait_for()
