"""Before a limit is passed the person is asked where one can be, and what they say holds; programs stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright.agents.llm.account import Account, Price, Prices
from imagewright.agents.llm.ask import Asker, Line
from imagewright.agents.llm.models import LanguageModel
from imagewright.agents.llm.scripted import ScriptedChatModel
from imagewright.agents.selector.llm import LLMSelector
from imagewright.agents.selector.rules import RulesSelector
from imagewright.errors import BudgetSpent
from imagewright.graph.spending import asks_about_a_limit
from imagewright.schemas import RunEvent

PROMPT = "two red circles above a blue square on a white background"
Studio = Callable[..., Any]


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


MANY = "three red circles and three blue squares"


def asking(studio: Studio, **options: Any) -> tuple[Any, Any]:
    """A conversation whose pictures get better one by one, and what it says first."""
    kept: list[Any] = []
    home = studio(flaw=lambda job, regions: regions[: len(kept[0].backend.jobs)])
    kept.append(home)
    return home, home.say(MANY, **options)


def test_before_the_images_run_out_the_person_is_asked_and_yes_goes_on(studio: Studio) -> None:
    home, asked = asking(studio, max_images=2)
    assert asked.question is not None
    assert asks_about_a_limit(asked.question.text)
    assert asked.question.text.startswith("another picture would pass your limit of 2 images (the best so far scores ")
    assert len(home.draws("done")) == 2, "asked before, not after"
    again = home.reply("y")
    assert again.question is not None
    assert "limit of 4 images" in again.question.text
    assert len(home.draws("done")) == 4
    done = home.reply("y").result
    assert done.images == 6
    assert done.rounds[-1].verdict.accepted
    assert len(home.draws("begin")) == 6, "nothing was drawn twice"


def test_no_delivers_the_best_and_the_note_says_which_limit(studio: Studio) -> None:
    home, asked = asking(studio, max_images=2)
    assert asked.question is not None
    done = home.reply("no thanks").result
    assert done.images == 2
    told = "stopped: 2 images are used; the best picture is delivered"
    assert told in done.notes


def test_a_program_is_never_asked(studio: Studio) -> None:
    kept: list[Any] = []
    home = studio(flaw=lambda job, regions: regions[: len(kept[0].backend.jobs)])
    kept.append(home)
    result = home.draw(MANY, max_images=2)
    assert result.images == 2
    assert any("raise it with --max-images" in note for note in result.notes)


def test_seconds_that_end_inside_a_picture_are_asked_about_and_the_answer_outlives_the_process(studio: Studio) -> None:
    clock = Clock()
    home = studio(clock=clock)
    home.backend.delay = 0.05

    def slow(event: RunEvent) -> None:
        clock.now += 8.0 if event.kind == "step" and event.step == 2 else 0.0

    asked = home.say(PROMPT, max_seconds=5.0, on_event=slow)
    assert asked.question is not None
    assert asked.question.text == "this picture would pass your limit of 5 seconds: go on? [y/N]"
    later = studio(clock=Clock())
    assert later.runs.list()[0].status == "asked"
    done = later.reply("y").result
    assert done.images == 1
    assert done.seconds == pytest.approx(8.0)


PRICES = Prices({}, {"painter:paint": 0.04})


def test_pictures_cost_money_and_the_limit_holds(studio: Studio, kit: ModuleType) -> None:
    home = studio(flaw=kit.always_a_star_too_many, account=Account(max_money=0.1, prices=PRICES))
    result = home.draw(PROMPT, max_images=9, max_money=0.1)
    assert result.images == 2
    assert json.loads(Path(result.trace).read_text())["spent"]["money"] == pytest.approx(0.08)
    assert any("$0.1 has no room for it ($0.0800 used); raise it with --max-money" in note for note in result.notes)


def test_a_picture_without_a_price_is_not_paid_for_from_a_limited_purse(studio: Studio) -> None:
    home = studio(account=Account(max_money=0.1, prices=Prices()))
    with pytest.raises(BudgetSpent, match="no price for pictures of painter:paint, and no picture was made"):
        home.draw(PROMPT, max_money=0.1)
    assert home.draws() == []


def test_money_is_asked_about_in_a_conversation(studio: Studio) -> None:
    home = studio(account=Account(max_money=0.03, prices=PRICES))
    asked = home.say(PROMPT, max_money=0.03)
    assert asked.question is not None
    told = "a picture of painter:paint would pass your limit of $0.03 ($0.0000 used): go on? [y/N]"
    assert asked.question.text == told
    assert home.draws() == []
    done = home.reply("y").result
    assert done.images == 1


def test_what_has_no_price_costs_an_unknown_sum_in_the_trace(studio: Studio) -> None:
    result = studio(account=Account(prices=Prices({"a": Price(1, 1)}, {}))).draw(PROMPT)
    spent = json.loads(Path(result.trace).read_text())["spent"]
    assert spent["money"] == "unknown"
    assert (spent["money_at_least"], spent["unpriced"]) == (0.0, ["painter:paint"])


def choosing(studio: Studio, home: str, account: Account) -> tuple[Any, ScriptedChatModel, list[str]]:
    """A home whose selector asks a scripted model, paid from this purse."""
    chat = ScriptedChatModel(answers=[json.dumps({"flow": "open-b", "reason": "for once"})])
    told: list[str] = []
    line = Line(account=account, on_note=told.append)
    asker = Asker("selector", (LanguageModel(chat, "scripted:x"),), line)
    selector = LLMSelector(asker, RulesSelector(), told.append)
    flows = {"open-a": 0.8, "open-b": 0.7}
    return studio(home, flows=flows, selector=selector, account=account, fallbacks=told), chat, told


@pytest.mark.parametrize("reply", ["y", "n"])
def test_tokens_are_asked_about_before_a_model_is(studio: Studio, reply: str) -> None:
    prices = Prices({"scripted:*": Price(0, 0)}, {"painter:*": 0.0})
    home, chat, told = choosing(studio, reply, Account(max_tokens=10, prices=prices))
    asked = home.say(PROMPT, max_tokens=10)
    assert asked.question.text == "asking scripted:x would pass your limit of 10 tokens (0 used): go on? [y/N]"
    assert chat.heard == ()
    done = home.reply(reply).result
    assert done is not None, "one answer is enough, however far beyond the limit it is"
    assert done.flow == ("open-b" if reply == "y" else "open-a")
    assert len(chat.heard) == (1 if reply == "y" else 0)
    assert told == []
    fell_back = [note for note in done.notes if "raise it with --max-tokens" in note]
    assert len(fell_back) == (0 if reply == "y" else 1)


def test_a_program_goes_on_with_the_rules_when_the_tokens_end(studio: Studio) -> None:
    home, chat, _ = choosing(studio, "home", Account(max_tokens=10))
    result = home.draw(PROMPT, max_tokens=10)
    assert (result.flow, chat.heard) == ("open-a", ())
    assert any("10 tokens has no room for it (0 are used); raise it with --max-tokens" in n for n in result.notes)
