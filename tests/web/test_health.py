"""Settings and health: what doctor finds, models, budgets, settings, theme; and what a named client sees of it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any


def insist_on_no_serious(page: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for theme in ("Dark", "Light"):
        page.get_by_label(theme, exact=True).check()
        assert page.evaluate("document.documentElement.dataset.theme") == theme.lower()
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], theme


def test_the_owner_sees_how_the_home_is(page: Any, site: Any) -> None:
    page.goto(site.address("/health"))
    home = page.locator(".finding-section", has_text="The home")
    home.wait_for()
    home.locator("summary").click()
    assert str(site.engine.settings.data_dir) in home.inner_text()
    page.get_by_role("button", name="Look again").click()
    page.get_by_role("button", name="Look again", disabled=False).wait_for()
    settings = page.locator(".settings")
    settings.get_by_text("given").first.wait_for()
    assert "model cache" in settings.inner_text()
    assert page.get_by_text("None is named").is_visible()
    owner = page.locator("li", has=page.get_by_role("heading", name="owner"))
    assert "of as much as wanted" in owner.inner_text()
    page.get_by_text("imagewright 0").wait_for()
    insist_on_no_serious(page)


def test_model_files_are_found_and_lead_to_their_flows(page: Any, site: Any) -> None:
    page.goto(site.address("/health"))
    page.get_by_label("Search").fill("flux.1-SCHNELL")
    page.get_by_text("1 to 1 of 1").wait_for()
    row = page.locator("li.model")
    assert "FLUX.1-schnell" in row.inner_text()
    assert "It belongs at" in row.inner_text()
    row.get_by_role("link", name="flux1-schnell", exact=True).click()
    page.get_by_role("heading", name="FLUX.1 schnell").wait_for()


def test_a_chosen_theme_stays(page: Any, site: Any) -> None:
    page.goto(site.address("/health"))
    page.get_by_label("Dark", exact=True).check()
    page.reload()
    assert page.get_by_label("Dark", exact=True).is_checked()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_named_client_sees_its_own_budget_and_no_more(
    browser: Any, site: Any, kit: ModuleType, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text('[alice]\ntoken = "alice-has-a-long-token"\nimages_a_day = 20\nmoney_a_day = 1.5\n')
    tokens.chmod(0o600)
    page = browser.new_page()
    with kit.serving(site.engine, tokens=tokens) as server:
        page.goto(f"{server.url}/#token=alice-has-a-long-token")
        page.get_by_role("link", name="Health").click()
        page.get_by_text("Pictures: 0 of 20").wait_for()
        assert page.get_by_role("meter").count() == 2
        assert page.locator("section h3").all_inner_texts() == ["alice"]
        assert page.get_by_text("the owner's to see").is_visible()
        assert not page.get_by_role("heading", name="Settings", exact=True).is_visible()
        page.get_by_role("link", name="Flows").click()
        page.locator(".flow-item").first.wait_for()
        assert page.get_by_role("button", name="Remove").count() == 0
    page.close()
