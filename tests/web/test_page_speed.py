"""What the page costs, measured as ``imagewright eval page`` does; and what it says where there is no browser."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.evals.page import format_page, measure_page, open_browser


def test_a_view_is_measured_cold_and_warm_and_nothing_shifts(browser: Any, site: Any) -> None:
    found = measure_page(browser, site.url, site.token, 1, ("talk", "gallery"))
    assert {(one.view, one.cold) for one in found} == {(v, cold) for v in ("talk", "gallery") for cold in (True, False)}
    for one in found:
        assert one.content > 0, one
        assert one.usable > 0, one
        assert one.requests > 10, one
        assert one.shift == 0, one
    cold, warm = (next(one for one in found if one.view == "gallery" and one.cold is kept) for kept in (True, False))
    assert 10_000 < cold.size <= 200_000
    assert warm.sent < cold.sent / 2
    assert len(format_page(found).splitlines()) == len(found) + 2


def test_without_a_browser_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BadInput, match="no Chromium") as caught, open_browser():
        pass
    assert caught.value.remedy == "apt-get install chromium"
