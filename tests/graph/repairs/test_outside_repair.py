"""A repair that another package brings: one file and one line, and the whole house knows it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from imagewright.agents.critic.repairs.base import Proposed, list_words
from imagewright.agents.critic.vlm import critic_prompt
from imagewright.cli.story import tell_run
from imagewright.graph.why import explain
from imagewright.intents import Tried
from imagewright.schemas import Repair, Round
from imagewright.verdicts import load_repairs

PROMPT = "two red circles above a blue square on a white background"
FILE = """
from typing import ClassVar, Literal

from imagewright.agents.critic.repairs.base import PlainRepair


class Calm(PlainRepair):
    rank: ClassVar[int] = 5
    words: ClassVar[str] = "asks for less"

    kind: Literal["calm_down"] = "calm_down"
    word: str = "calmly"

    def change(self, ground):
        prompt = f"{ground.made.prompt}, {self.word}"
        return None if ground.made.prompt.endswith(self.word) else {"prompt": prompt}

    def target(self, layout, flow, prompt):
        return self.word

    def tell(self):
        return f"calmed down, {self.reason}"
"""
LINE = "[imagewright.repairs]\ncalm_down = calming:Calm\n"


@pytest.fixture
def calming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package, installed as pip would."""
    site = tmp_path / "site"
    facts = site / "calming-1.0.dist-info"
    facts.mkdir(parents=True)
    (site / "calming.py").write_text(FILE)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: calming\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(LINE)
    monkeypatch.syspath_prepend(str(site))
    load_repairs.cache_clear()
    yield
    load_repairs.cache_clear()
    sys.modules.pop("calming", None)


@pytest.fixture
def drawn(calming: None, studio: Callable[..., Any], kit: ModuleType) -> Any:
    """A run whose fault nothing cures."""
    home = studio(flaw=kit.always_a_star_too_many)
    return home, home.draw(PROMPT, max_images=3)


def test_it_is_proposed_by_the_critic_and_by_a_language_model(drawn: Any) -> None:
    _, result = drawn
    first = result.rounds[0].verdict.repair
    assert (type(first).__name__, first.kind, first.word) == ("Calm", "calm_down", "calmly")
    assert "`calm_down` asks for less" in critic_prompt((), None, (), ()).rules
    assert Proposed(kind="calm_down").kind == "calm_down"
    assert "calm_down" in Proposed.model_json_schema()["properties"]["kind"]["enum"]


def test_it_is_applied_while_it_is_allowed(drawn: Any) -> None:
    home, result = drawn
    first, second, third = result.rounds
    assert (second.repair.kind, second.prompt) == ("calm_down", f"{first.prompt}, calmly")
    assert second.seed != first.seed
    assert third.repair.kind == "new_seed", "what it would change is so already, and the next of the ladder is tried"
    assert [job.prompt for job in home.backend.jobs] == [made.prompt for made in result.rounds]


def test_the_story_tells_it_in_its_own_words(drawn: Any) -> None:
    home, result = drawn
    assert home.told("repair")[0].startswith("calmed down, ")
    assert "calmed down" in _text(tell_run(result))


def test_it_is_remembered_with_what_it_was_applied_to(drawn: Any) -> None:
    _, result = drawn
    trace = json.loads(Path(result.trace).read_text())
    tried = Tried.model_validate(trace["tried"][0])
    assert (tried.kind, tried.target) == ("calm_down", "calmly")
    assert tried.tell().startswith("calm down calmly on fine for ")
    assert "tried: calm down calmly" in explain(trace, "verdict")


def test_a_trace_opens_where_the_package_is_gone(drawn: Any) -> None:
    _, result = drawn
    made = json.loads(Path(result.trace).read_text())["rounds"][1]
    assert Round.model_validate(made) == result.rounds[1]
    sys.path.pop(0)
    load_repairs.cache_clear()
    assert "calm_down" not in list_words()
    bare = Round.model_validate(made).repair
    assert type(bare) is Repair
    assert (bare.kind, bare.tell()) == ("calm_down", f"calm down: {result.rounds[1].repair.reason}")


def _text(story: Any) -> str:
    console = Console(width=200, file=io.StringIO())
    with console.capture() as told:
        console.print(story)
    return told.get()
