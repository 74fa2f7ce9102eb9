"""The conversation as people use it: a story, pictures, branches, threads, files, questions; and a server that dies."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import warm
from PIL import Image

KIT = Path(__file__).parent.parent / "serve" / "kit.py"
MARKUP = "<img src=x onerror=alert(1)> <b>red</b> \u202edrow\u202c circle"
SHIFTS = """() => { window.shifted = 0; new PerformanceObserver((list) => list.getEntries().forEach(
    (entry) => { window.shifted += entry.value; })).observe({ type: "layout-shift", buffered: true }); }"""


def box(page: Any) -> Any:
    return page.get_by_label("What to draw or change")


def say(page: Any, text: str) -> None:
    """Say something and wait for what comes of it."""
    done = page.locator("ol.turns > li:not([aria-busy])").count()
    box(page).fill(text)
    box(page).press("Enter")
    page.wait_for_function(
        "count => document.querySelectorAll('ol.turns > li:not([aria-busy])').length > count && "
        "!document.querySelector('[aria-busy]') && document.getElementById('say').value === ''",
        arg=done,
    )


def thread_of(page: Any, site: Any) -> dict[str, Any]:
    """What the server knows of the conversation that is shown."""
    name = page.evaluate("location.hash.split('/')[2]")
    headers = {"authorization": f"Bearer {site.token}"}
    return dict(httpx.get(f"{site.url}/v1/threads/{name}", headers=headers, trust_env=False).json())


def test_a_picture_has_its_facts_its_story_its_reasons_and_a_thumb(page: Any, site: Any) -> None:
    page.get_by_text("More").click()
    page.get_by_label("Seed").fill("11")
    say(page, "a red circle above a blue square")
    facts = page.locator(".picture-facts").inner_text()
    made = thread_of(page, site)["data"][0]["picture"]
    assert made["seed"] == "11"
    assert all(word in facts for word in ("Accepted 1.00", made["flow"], "seed 11", "1 image made")), facts
    page.get_by_role("button", name="How it came about").click()
    story = page.locator(".story")
    story.get_by_text("a red circle at").wait_for()
    assert story.locator(".outline div").count() == 2
    assert "best estimate" in story.inner_text()
    page.get_by_role("button", name="Why?").click()
    page.get_by_role("button", name="Seed", exact=True).click()
    page.get_by_text("the run began with 11").wait_for()
    page.get_by_role("button", name="Thumb up").click()
    page.locator('[aria-label="Thumb up"][aria-pressed="true"]').wait_for()
    page.wait_for_load_state("networkidle")
    assert thread_of(page, site)["data"][0]["picture"]["thumb"] == "up"
    with page.expect_download() as download:
        page.get_by_role("link", name="PNG").click()
    assert "imagewright" in Image.open(download.value.path()).info


def test_undo_and_branch_move_along_a_tree(page: Any, site: Any) -> None:
    say(page, "a red circle above a blue square")
    say(page, "make the circle green")
    page.get_by_role("button", name="Undo").click()
    page.locator("li.aside").nth(1).wait_for()
    say(page, "make the square yellow")
    tree = page.get_by_role("navigation", name="Pictures and branches")
    here = tree.locator('[aria-current="true"]')
    assert here.inner_text().split() == ["3", "make", "the", "square", "yellow"]
    assert tree.locator("path").count() == 2
    tree.get_by_role("button", name="make the circle green").click()
    page.locator('nav.tree [aria-current="true"]', has_text="green").wait_for()
    told = thread_of(page, site)
    assert told["present"] == told["data"][1]["run"]
    say(page, "make the square yellow")
    prompts = [turn["picture"]["prompt"] for turn in thread_of(page, site)["data"] if turn["picture"]]
    assert prompts[-2:] == ["a red circle above a yellow square", "a green circle above a yellow square"]


def test_conversations_are_renamed_searched_exported_and_deleted(page: Any, site: Any) -> None:
    say(page, "a purple star")
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Title").fill("my star")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    page.get_by_role("heading", name="my star").wait_for()
    page.get_by_label("Search conversations").fill("my star")
    listed = page.get_by_role("navigation", name="Conversations").locator("li")
    page.wait_for_function("() => document.querySelectorAll('.threads li').length === 1")
    assert "my star" in listed.inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    with zipfile.ZipFile(download.value.path()) as files:
        assert {"thread.json", "001.png"} <= set(files.namelist())
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_text("Nothing says that.").wait_for()
    page.get_by_text("What shall be drawn?").wait_for()


def test_a_question_has_its_answers_as_buttons(page: Any, site: Any) -> None:
    say(page, "a red circle and a red square above a blue star")
    say(page, "make the red one green")
    answers = page.get_by_role("group", name="Answers")
    answers.wait_for()
    assert answers.get_by_role("button").all_inner_texts() == ["make the red circle green", "make the red square green"]
    page.reload()
    answers.get_by_role("button", name="make the red square green").click()
    page.locator(".picture-facts").nth(1).wait_for()
    prompt = thread_of(page, site)["data"][1]["picture"]["prompt"]
    assert "a red circle" in prompt
    assert "a green square" in prompt


def test_pictures_and_workflows_are_dropped_in(page: Any, site: Any) -> None:
    say(page, "a red circle above a blue square")
    made = thread_of(page, site)["data"][0]
    with httpx.Client(base_url=site.url, headers={"authorization": f"Bearer {site.token}"}, trust_env=False) as http:
        png = http.get(f"/v1/runs/{made['run']}/picture").content
        graph = http.get("/v1/flows/mini-quick").json()["graph"]
    next(node for node in graph.values() if "steps" in node["inputs"])["inputs"]["steps"] = 19
    drop(page, "mine.png", png)
    page.get_by_role("button", name="Use its prompt").click()
    assert box(page).input_value() == "a red circle above a blue square"
    drop(page, "a flow.json", json.dumps(graph).encode())
    page.get_by_role("button", name="Add as a flow").click()
    page.get_by_text("is a flow now").wait_for()
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "PNG")
    drop(page, "start.png", buffer.getvalue())
    page.get_by_label("How far from it").fill("0.3")
    say(page, "a blue square")
    assert page.locator(".attached").count() == 0
    request = site.engine.runs.list(1)[0].request
    assert (request.strength, request.image) == (0.3, site.engine.store.put_image(Image.open(buffer)))


def drop(page: Any, name: str, data: bytes) -> None:
    """Drop a file onto the conversation, as a person does."""
    held = page.evaluate_handle(
        """([name, bytes]) => { const held = new DataTransfer();
            held.items.add(new File([new Uint8Array(bytes)], name)); return held; }""",
        [name, list(data)],
    )
    page.dispatch_event(".conversation", "drop", {"dataTransfer": held})
    page.locator(".attached button").first.wait_for()


def test_markup_and_bidi_are_text_everywhere(page: Any) -> None:
    say(page, MARKUP)
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Title").fill(MARKUP)
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    page.get_by_role("heading", name="<b>").wait_for()
    assert MARKUP in page.locator("p.said").inner_text()
    page.locator(".threads li", has_text="<img src=x").first.wait_for()
    assert page.locator("main b, main img[src='x']").count() == 0
    isolated = "node => getComputedStyle(node).unicodeBidi"
    assert {page.locator(name).first.evaluate(isolated) for name in (".said", "h1", ".threads li span")} == {"isolate"}


def test_it_can_be_used_by_all_and_nothing_jumps(page: Any, browser: Any, site: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate(SHIFTS)
    say(page, "a red circle above a blue square")
    page.get_by_role("button", name="How it came about").click()
    page.locator(".story").wait_for()
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
    address = page.url
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    page.evaluate(SHIFTS)
    page.wait_for_function("() => document.querySelector('ol.turns img')?.naturalWidth > 0")
    assert page.url == address
    assert page.evaluate("window.shifted") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out on a phone"
    page.get_by_role("button", name="Conversations").click()
    page.get_by_role("dialog").get_by_role("searchbox").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")


# --- a server in a process of its own -----------------------------------------------------------


@contextlib.contextmanager
def process(home: Path, port: int, delay: float) -> Iterator[warm.Popen]:
    """A server over a backend that takes ``delay`` seconds a step; killed at the end."""
    command = [sys.executable, str(KIT), str(home), str(port), str(delay), "1.0", "content"]
    started = warm.Popen(command, stdout=warm.PIPE, stderr=warm.PIPE, text=True)
    assert started.stdout is not None
    try:
        assert started.stdout.readline().startswith("serving"), started.communicate()[1]
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(started.pid, signal.SIGKILL)
        started.communicate(timeout=60)


def test_a_refresh_and_a_killed_server_change_nothing(browser: Any, kit: Any, tmp_path: Path) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)
    try:
        with process(tmp_path, port, 1.5):
            page.goto(f"http://127.0.0.1:{port}/#token={kit.secret_of(tmp_path)}")
            page.get_by_text("More").click()
            page.get_by_label("Images at most").fill("1")
            box(page).fill("a red circle")
            box(page).press("Enter")
            page.get_by_text("Drawing 1/4").wait_for()
            page.reload()
            page.locator("[aria-busy] .making img").wait_for()
            assert page.locator("[aria-busy] p.said").inner_text() == "a red circle"
        page.get_by_text("The server does not answer").wait_for()
        with process(tmp_path, port, 0.6):
            page.locator(".edge .notice").wait_for(state="detached")
            page.locator(".picture-facts").wait_for()
            assert page.locator("ol.turns > li").count() == 1
            box(page).fill("draw a blue square")
            box(page).press("Enter")
            page.get_by_text("Drawing").wait_for()
            page.get_by_role("button", name="Stop").click()
            page.get_by_text("Stopped.").wait_for()
    finally:
        context.close()
    drawn = (tmp_path / "log.txt").read_text().split("\n")
    assert len([line for line in drawn if line.startswith("done")]) == 1


def test_a_saying_that_is_lost_on_the_way_is_kept_and_done_once(page: Any, site: Any) -> None:
    """The first answer is lost after the server has taken the order; the same words sent again are the same order."""
    orders: list[str] = []

    def lose(route: Any) -> None:
        orders.append(route.fetch().json()["id"])
        route.abort()

    page.route("**/v1/threads/*/turns", lose)
    box(page).fill("a green circle")
    box(page).press("Enter")
    page.locator(".say").get_by_text("The server does not answer.").first.wait_for()
    assert box(page).input_value() == "a green circle"
    page.unroute("**/v1/threads/*/turns")
    box(page).press("Enter")
    page.locator(".picture-facts").wait_for()
    page.complaints.clear()  # the browser says that the connection broke
    assert [turn["run"] for turn in thread_of(page, site)["data"]] == orders
