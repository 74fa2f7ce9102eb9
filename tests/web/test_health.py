"""Settings and health: what doctor finds, models, budgets, settings, theme; and what a named client sees of it."""

from __future__ import annotations

from typing import Any

import httpx

_SHIFTS = """() => new Promise((done) => {
    new PerformanceObserver((list) => done(list.getEntries().map((one) => one.value)))
        .observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done([]), 300);
})"""


def insist_on_no_serious(page: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for theme in ("dark", "light"):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", theme)
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], theme


def test_the_owner_sees_how_the_home_is(page: Any, site: Any) -> None:
    page.goto(site.address("/health"))
    home = page.locator(".finding-section", has_text="The home")
    home.wait_for()
    assert page.evaluate(_SHIFTS) == []  # nothing jumped while it filled
    home.locator("summary").click()
    assert str(site.engine.settings.data_dir) in home.inner_text()
    page.get_by_role("button", name="Look again").click()
    page.get_by_role("button", name="Look again", disabled=False).wait_for()
    page.get_by_text("None is named").wait_for()
    insist_on_no_serious(page)
    page.get_by_role("link", name="Settings").click()
    settings = page.locator(".settings")
    settings.get_by_text("given").first.wait_for()
    assert "model cache" in settings.inner_text()
    page.get_by_text("imagewright 0").wait_for()
    insist_on_no_serious(page)
    page.get_by_role("link", name="Budgets").click()
    owner = page.locator("li", has=page.get_by_role("heading", name="owner"))
    owner.wait_for()
    assert "of as much as wanted" in owner.inner_text()
    insist_on_no_serious(page)


def test_model_files_are_found_and_lead_to_their_flows(page: Any, site: Any) -> None:
    page.goto(site.address("/health?tab=models"))
    page.get_by_label("Search").fill("flux.1-SCHNELL")
    page.get_by_text("1 to 1 of 1").wait_for()
    row = page.locator("li.model")
    assert "FLUX.1-schnell" in row.inner_text()
    assert "It belongs at" in row.inner_text()
    row.get_by_role("link", name="flux1-schnell", exact=True).click()
    page.get_by_role("heading", name="FLUX.1 schnell").wait_for()


def test_a_chosen_theme_stays(page: Any, site: Any) -> None:
    page.goto(site.address("/health?tab=settings"))
    page.get_by_label("Dark", exact=True).check()
    page.reload()
    assert page.get_by_label("Dark", exact=True).is_checked()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_named_client_sees_its_own_budget_and_no_more(browser: Any, site: Any) -> None:
    owner = {"authorization": f"Bearer {site.token}"}
    with httpx.Client(base_url=site.url, headers=owner, trust_env=False) as http:
        made = http.post("/v1/clients", json={"name": "hugo", "images_a_day": 20, "money_a_day": 1.5}).json()
        page = browser.new_page()
        page.goto(f"{site.url}/#token={made['token']}")
        page.get_by_role("link", name="Health").click()
        page.get_by_text("Pictures: 0 of 20").wait_for()
        assert page.get_by_role("meter").count() == 2
        assert page.locator("section h3").all_inner_texts() == ["hugo"]
        page.get_by_text("the owner's to see").wait_for()
        assert page.get_by_role("link", name="What works").count() == 0
        assert page.get_by_text("Let one more in").count() == 0
        page.get_by_role("link", name="Flows").click()
        page.locator(".flow-item").first.wait_for()
        assert page.get_by_role("button", name="Remove").count() == 0
        page.close()
        http.delete("/v1/clients/hugo")


def test_the_owner_lets_one_more_in_and_takes_the_token_back(page: Any, browser: Any, site: Any) -> None:
    page.goto(site.address("/health?tab=budgets"))
    page.get_by_text("Let one more in").click()
    page.get_by_label("Name", exact=True).fill("gina")
    page.get_by_label("Pictures a day").fill("7")
    page.get_by_role("button", name="Make a token").click()
    shown = page.get_by_role("dialog")
    token = shown.locator("code.token").inner_text()
    shown.get_by_role("button", name="Done").click()
    page.get_by_text("Pictures: 0 of 7").wait_for()
    assert token not in page.content()
    theirs = browser.new_page()
    theirs.goto(f"{site.url}/#token={token}")
    theirs.get_by_role("link", name="Health").click()  # of two parts, budgets come first
    theirs.get_by_text("Pictures: 0 of 7").wait_for()
    page.get_by_role("button", name="Remove gina").click()
    page.get_by_role("button", name="Remove it").click()
    page.get_by_text("opens nothing any more").wait_for()
    theirs.reload()
    theirs.get_by_label("Token").wait_for()
    theirs.close()
