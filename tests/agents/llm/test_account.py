"""Tokens and money are counted, no call or picture is paid for that the budget has no room for, and one is asked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from imagewright.agents.llm.account import (
    PRICES_FILE,
    Account,
    Price,
    Prices,
    Used,
    guess_tokens,
    load_prices,
    price_of,
)
from imagewright.errors import BadInput

A = Prices({"a": Price(1.0, 10.0)}, {"shop:*": 0.04})


def test_what_is_spent_is_counted_once_and_what_has_no_price_is_named() -> None:
    account = Account(prices=A)
    account.open(Used(tokens_in=100, money=0.5))
    account.add(1000, 100, "a")
    account.add(10, 1, "unpriced")
    account.add(10, 1, "unpriced")
    account.add_picture("shop:flux")
    account.add_picture("other:flux")
    account.add_seconds(1.5)
    assert account.total.money == pytest.approx(0.542)
    taken = account.take()
    assert (taken.tokens_in, taken.tokens_out, taken.model_seconds) == (1020, 102, 1.5)
    assert taken.money == pytest.approx(0.042)
    assert taken.unpriced == ("unpriced", "other:flux")
    assert account.take() == Used()
    assert account.total.tokens_in == 1120


def test_tokens_have_a_limit_over_the_whole_run() -> None:
    account = Account(max_tokens=1000)
    account.open(Used(tokens_in=400))
    assert account.why_not("a", 500, 100) == ""
    account.add(100, 0, "a")
    told = "the budget of 1,000 tokens has no room for it (500 are used); raise it with --max-tokens"
    assert account.why_not("a", 500, 100) == told
    account.take()
    assert account.why_not("a", 400, 100) == ""
    assert account.why_not("a", 500, 100)


def test_money_has_a_limit_and_what_has_no_price_is_left_out() -> None:
    account = Account(max_money=0.01, prices=A)
    assert account.why_not("a", 1000, 100) == ""
    account.add(5000, 350, "a")
    told = "the budget of $0.01 has no room for it ($0.0085 used); raise it with --max-money"
    assert account.why_not("a", 1000, 100) == told
    assert account.why_no_picture("shop:flux") == told
    assert account.why_not("b", 1, 1) == "the money is limited and prices.toml has no price for b"
    assert account.why_no_picture("x:y") == "the money is limited and prices.toml has no price for pictures of x:y"
    assert Account(prices=A).why_no_picture("x:y") == "", "without a limit it may cost what it costs"


def test_a_picture_that_costs_nothing_is_always_in_the_budget() -> None:
    account = Account(max_money=0.0, prices=load_prices())
    assert account.why_no_picture("diffusers:mini") == ""
    assert account.why_no_picture("comfyui:FLUX.1-dev") == ""
    assert account.why_no_picture("openai-images:gpt-image-1")


@pytest.mark.parametrize(("name", "limit"), [("tokens", {"max_tokens": 1000}), ("money", {"max_money": 0.01})])
def test_who_can_be_asked_is_asked_once_for_each_passing_until_they_say_no(name: str, limit: dict[str, Any]) -> None:
    answers, asked = [True, True, False], []

    def ask(about: str, what: str) -> bool:
        asked.append((about, what))
        return answers[len(asked) - 1]

    account = Account(**limit, prices=A, ask=ask)
    account.open(Used(tokens_in=950, money=0.0095))
    for number in (1, 2):
        assert account.why_not("a", 9000, 100) == "", "however far beyond the limit it is"
        assert len(asked) == number
        account.add(9000 * number, 100, "a")
    assert account.why_not("a", 90_000, 100)
    assert account.why_not("a", 90_000, 100)
    assert len(asked) == 3, "no is remembered"
    assert {about for about, _ in asked} == set(account.extended) == set(account.declined) == {name}
    told = {"tokens": "1,000 tokens (950 used)", "money": "$0.01 ($0.0095 used)"}[name]
    assert asked[0][1] == f"asking a would pass your limit of {told}"


def test_a_limit_of_nothing_is_not_asked_about() -> None:
    account = Account(max_tokens=0, prices=A, ask=lambda about, what: True)
    assert account.why_not("a", 1, 1).startswith("the budget of 0 tokens")


def test_the_persons_own_prices_go_first_and_the_longest_pattern_counts(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text('[models]\n"openai:*" = [9, 9]\n"openai:gpt-4o" = [7.5, 8]\n[pictures]\n"mine:*" = 0.5\n')
    prices = load_prices(own)
    assert price_of("openai:gpt-4o", prices.models) == Price(7.5, 8.0)
    assert price_of("openai:other", prices.models) == Price(9.0, 9.0)
    assert price_of("http://localhost:11434/v1#qwen3", prices.models) == Price(0.0, 0.0)
    assert price_of("mystery:x", prices.models) is None
    assert price_of("mine:flux", prices.pictures) == 0.5
    assert price_of("diffusers:mini", prices.pictures) == 0.0
    assert load_prices(tmp_path / "none.toml") == load_prices()


def test_every_shipped_price_stands_under_a_source_with_a_date() -> None:
    source = ""
    for line in PRICES_FILE.read_text().splitlines()[8:]:
        if line.startswith("#"):
            source = line if not source.startswith("#") else source + line
        elif "=" in line and "0.0" not in line.split("=")[1].replace("0.05", ""):
            assert "20" in source, line
            assert any(word in source for word in (".com", ".ai", ".ml")), line
        if line.startswith("["):
            source = ""
    assert tomllib.loads(PRICES_FILE.read_text())["pictures"]


@pytest.mark.parametrize(
    "text",
    [
        "[models",
        '[models]\n"a" = 3',
        '[models]\n"a" = [1]',
        '[models]\n"a" = [-1, 2]',
        "models = 3",
        '[pictures]\n"a" = "free"',
        '[pictures]\n"a" = -1',
        '[pictures]\n"a" = nan',
    ],
)
def test_prices_that_cannot_be_read_are_told(text: str, tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(text)
    with pytest.raises(BadInput, match="price") as error:
        load_prices(own)
    assert "US dollars" in error.value.remedy


def test_a_guess_is_on_the_careful_side() -> None:
    assert guess_tokens("a cat") >= 2
    assert guess_tokens("", pictures=2) > 1600
