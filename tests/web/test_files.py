"""What the page is made of: small files that name what they are, nothing inline, nothing from elsewhere, few bytes."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "imagewright" / "web"
MODULES = sorted((WEB / "js").rglob("*.js"))
SHEETS = sorted((WEB / "css").glob("*.css"))
INDEX = (WEB / "index.html").read_text(encoding="utf-8")


def test_the_page_weighs_little() -> None:
    sent = [path.read_bytes() for path in WEB.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]
    assert sum(len(gzip.compress(content)) for content in sent) <= 120_000  # as a browser is sent all views of it
    assert sum(map(len, sent)) <= 250_000


@pytest.mark.parametrize("path", [*MODULES, *SHEETS], ids=lambda path: str(path.relative_to(WEB)))
def test_a_file_says_what_it_is_and_is_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// " if path.suffix == ".js" else "/* ")
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(WEB)))
def test_no_module_makes_markup_or_code_of_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "http://",
        "https://",
    ):
        assert forbidden not in text.replace("http://www.w3.org/", "").replace("http://127.0.0.1", ""), forbidden


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(WEB)))
def test_what_a_module_imports_is_there_and_gives_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for names, target in re.findall(r'^import \{([^}]*)\} from "([^"]+)";', text, re.M):
        source = (path.parent / target).resolve()
        assert source.is_file(), target
        given = source.read_text(encoding="utf-8")
        if "vendor" in target:
            continue
        for name in (part.split(" as ")[0].strip() for part in names.split(",")):
            assert not name or re.search(rf"^export (async )?(const|let|function\*?|class) {name}\b", given, re.M), (
                target,
                name,
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(WEB)))
def test_what_a_module_loads_later_is_there(path: Path) -> None:
    for target in re.findall(r'import\("([^"]+)"\)', path.read_text(encoding="utf-8")):
        assert (path.parent / target).is_file(), target


def test_every_sheet_is_linked_and_nothing_is_inline() -> None:
    linked = re.findall(r'href="web/(css/[^"]+)"', INDEX)
    assert sorted(linked) == [f"css/{path.name}" for path in SHEETS]
    assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=", INDEX)
    assert not re.search(r'(src|href)="(https?:)?//', INDEX)


def test_colours_are_said_once() -> None:
    for path in SHEETS:
        if path.name != "tokens.css":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b", text), path.name
