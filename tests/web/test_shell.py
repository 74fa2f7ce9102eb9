"""The page's frame: who may in, what is loaded, and that nothing of it comes from elsewhere."""

from __future__ import annotations

from typing import Any

import httpx
import pytest


def test_the_page_and_its_files_need_no_token_and_nothing_else_does_without(site: Any) -> None:
    with httpx.Client(base_url=site.url, trust_env=False) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert client.get("/web/js/main.js").headers["content-type"].startswith("text/javascript")
        assert page.headers["content-encoding"] == "gzip"
        plain = client.get("/", headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text == page.text
        tag = page.headers["etag"]
        assert client.get("/", headers={"if-none-match": tag}).status_code == 304
        assert client.get("/v1/threads").status_code == 401


@pytest.mark.parametrize(
    "name", ["../serve/page.py", "..%2fserve%2fpage.py", "js", "", "%2e%2e/%2e%2e/pyproject.toml", "js/none.js"]
)
def test_only_the_page_s_own_files_are_given(site: Any, name: str) -> None:
    with httpx.Client(base_url=site.url, trust_env=False) as client:
        assert client.get("/web/" + name).status_code in (401, 404)


def test_a_token_in_the_address_opens_the_page_and_does_not_stay_there(page: Any) -> None:
    page.get_by_label("What to draw or change").wait_for()
    assert "token" not in page.url
    page.reload()
    page.get_by_label("What to draw or change").wait_for()


def test_a_wrong_token_is_told_and_a_right_one_lets_in(browser: Any, site: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(site.url + "/")
    page.get_by_label("Token").fill("not-the-token-at-all")
    page.get_by_role("button", name="Enter").click()
    page.get_by_role("alert").wait_for()
    assert "token is not known" in page.get_by_role("alert").inner_text()
    page.get_by_label("Token").fill(site.token)
    page.get_by_role("button", name="Enter").click()
    page.get_by_label("What to draw or change").wait_for()
    context.close()


def test_a_prompt_is_drawn_and_shown(page: Any) -> None:
    box = page.get_by_label("What to draw or change")
    box.fill("a red circle")
    box.press("Enter")
    picture = page.locator("ol.turns img")
    picture.wait_for()
    page.wait_for_function("() => document.querySelector('ol.turns img')?.naturalWidth > 0")
    assert picture.get_attribute("alt") == "a red circle"
