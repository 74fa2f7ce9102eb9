"""The README says what is true: its graph, its map, its commands and its example."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from imagewright.cli.app import app
from imagewright.graph.build import graph_mermaid

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_its_graph_is_the_one_that_runs() -> None:
    shown = re.search(r"```mermaid\n(.*?)```", README, re.S)
    assert shown is not None
    assert shown.group(1).strip() == graph_mermaid().strip()


def test_its_map_names_every_folder() -> None:
    named = set(re.findall(r"^\| `([\w]+)/` \|", README, re.M))
    there = {p.name for p in ROOT.iterdir() if p.is_dir() and any(p.glob("*.py"))}
    assert there - {"build", "dist", "out"} <= named
    assert all((ROOT / name).is_dir() for name in named)


def test_its_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.S)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [re.sub(r"^(?:[A-Z_]+=\S*\s+)*", "", line) for line in lines if "imagewright " in line]


@pytest.mark.parametrize("line", [c for c in commands() if c.startswith("imagewright")])
def test_its_commands_exist_with_their_options(line: str) -> None:
    group = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    context = group.make_context("imagewright", [], resilient_parsing=True)
    while isinstance(group, typer.core.TyperGroup):
        found = group.get_command(context, words[0])
        assert found is not None, line
        group, words = found, words[1:]
    options = {name for parameter in group.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
