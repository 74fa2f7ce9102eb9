"""How quickly the page is there: bytes, requests, first content, first use and layout shift of each view in Chromium.

Each view is opened with nothing kept, then again in the same browser. Times are this machine's: reported, not judged.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from imagewright.errors import BadInput, Fault
from imagewright.extras import insist_on_extra

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WINDOW: ViewportSize = {"width": 1280, "height": 800}
"""The browser's window, in pixels."""
_PATIENCE = 30_000
"""Milliseconds that a view may take before the measurement is given up."""
_WATCH = """
window.seen = { shift: 0, usable: 0 };
new PerformanceObserver((list) => list.getEntries().forEach((e) => { if (!e.hadRecentInput) seen.shift += e.value; }))
    .observe({ type: "layout-shift", buffered: true });
const look = () => {
    const found = document.querySelector("#main :is(textarea, input, button, select, a[href]):not(:disabled)");
    if (found && !seen.usable) seen.usable = performance.now();
};
new MutationObserver(look).observe(document, { childList: true, subtree: true, attributes: true });
"""
_TELL = """() => {
    const own = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .filter((entry) => !new URL(entry.name).pathname.startsWith("/v1/files/"));
    return {
        requests: own.length,
        sent: own.reduce((sum, entry) => sum + entry.transferSize, 0),
        size: own.reduce((sum, entry) => sum + entry.decodedBodySize, 0),
        content: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
        usable: seen.usable,
        shift: seen.shift,
    };
}"""
"""Pictures lie under /v1/files/; all else comes before them."""


@dataclass(frozen=True)
class ViewSpeed:
    """What opening one view costs; medians, and the quartiles of the times. Milliseconds and bytes."""

    view: str
    cold: bool
    """Whether the browser had nothing kept."""
    requests: int
    """Before pictures, as are the bytes."""
    sent: int
    """Bytes over the wire."""
    size: int
    """Bytes of bodies, unpacked; of files that the browser has kept, none."""
    content: float
    content_low: float
    content_high: float
    usable: float
    """Until there is something that can be used: of the conversation, the prompt box."""
    usable_low: float
    usable_high: float
    shift: float
    """The largest layout shift: 0 where nothing moves."""


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Headless Chromium.

    Raises:
        BadInput: there is none here, or no playwright.
    """
    insist_on_extra("dev", "playwright")
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise BadInput("there is no Chromium here", "apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def measure_page(
    browser: Browser, url: str, token: str, repeats: int = 5, views: Sequence[str] = ()
) -> list[ViewSpeed]:
    """Open ``views`` of the page at ``url``, or all that its bar offers, ``repeats`` times cold and as often warm.

    Raises:
        Fault: a view does not come.
    """
    measured: list[ViewSpeed] = []
    for view in views or _list_views(browser, url, token):
        pairs = [_open_twice(browser, url, token, view) for _ in range(repeats)]
        measured += [_sum_up(view, cold, [pair[not cold] for pair in pairs]) for cold in (True, False)]
    return measured


def format_page(found: Sequence[ViewSpeed]) -> str:
    """The figures as a table."""
    head = (
        f"{'view':10} {'':5} {'requests':>8} {'sent kB':>8} {'kB':>6} {'first content':>19} {'usable':>19} {'shift':>6}"
    )
    return "\n".join([head, *map(_line, found), "milliseconds: median (quartiles); requests and bytes before pictures"])


def to_json(found: Sequence[ViewSpeed]) -> list[dict[str, Any]]:
    """The figures as plain JSON."""
    return [asdict(one) for one in found]


def _line(one: ViewSpeed) -> str:
    content = f"{one.content:.0f} ({one.content_low:.0f}-{one.content_high:.0f})"
    usable = f"{one.usable:.0f} ({one.usable_low:.0f}-{one.usable_high:.0f})"
    kept = "cold" if one.cold else "warm"
    sizes = f"{one.requests:8} {one.sent / 1000:8.1f} {one.size / 1000:6.1f}"
    return f"{one.view:10} {kept:5} {sizes} {content:>19} {usable:>19} {one.shift:6.3f}"


def _list_views(browser: Browser, url: str, token: str) -> list[str]:
    """The views that the page's own bar offers."""
    with _new_page(browser, url, token) as page:
        links = page.locator("nav[aria-label=Views] a").evaluate_all("(all) => all.map((a) => a.getAttribute('href'))")
    return [link.removeprefix("#/") for link in links]


@contextmanager
def _new_page(browser: Browser, url: str, token: str) -> Iterator[Page]:
    """A page that has the token and, but for that, nothing kept."""
    context = browser.new_context(viewport=WINDOW)
    try:
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        page.goto(f"{url}/#token={token}")
        page.locator("nav[aria-label=Views] a").first.wait_for()
        yield page
    finally:
        context.close()


def _open_twice(browser: Browser, url: str, token: str, view: str) -> tuple[dict[str, float], dict[str, float]]:
    with _new_page(browser, url, token) as page:
        page.add_init_script(_WATCH)
        page.context.new_cdp_session(page).send("Network.clearBrowserCache")
        return _open(page, f"{url}/#/{view}"), _open(page, f"{url}/#/{view}")


def _open(page: Page, address: str) -> dict[str, float]:
    from playwright.sync_api import Error

    page.goto("about:blank")
    try:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.wait_for_function("() => seen.usable && performance.getEntriesByName('first-contentful-paint').length")
    except Error as error:
        reason = str(error).splitlines()[0]
        raise Fault(f"{address.split('#')[1]} does not come: {reason}", "IMAGEWRIGHT_DEBUG=1 shows more") from None
    return dict(page.evaluate(_TELL))


def _sum_up(view: str, cold: bool, openings: Sequence[dict[str, float]]) -> ViewSpeed:
    def values(name: str) -> list[float]:
        return [opening[name] for opening in openings]

    content, usable = _quartiles(values("content")), _quartiles(values("usable"))
    return ViewSpeed(
        view=view,
        cold=cold,
        requests=int(statistics.median(values("requests"))),
        sent=int(statistics.median(values("sent"))),
        size=int(statistics.median(values("size"))),
        content=content[1],
        content_low=content[0],
        content_high=content[2],
        usable=usable[1],
        usable_low=usable[0],
        usable_high=usable[2],
        shift=max(values("shift")),
    )


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
