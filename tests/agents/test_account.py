"""Tokens and money are counted, and no call is made that the budget has no room for."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.agents.account import Account, Price, guessed_tokens, load_prices, price_of
from imagewright.errors import BadInput


def test_what_is_spent_is_counted_once() -> None:
    account = Account(prices={"a": Price(1.0, 10.0)})
    account.open(100, 0.5)
    account.add(1000, 100, "a")
    account.add(10, 1, "unpriced")
    assert account.take() == (1010, 101, pytest.approx(0.002))
    assert account.take() == (0, 0, 0.0)


def test_tokens_have_a_limit_over_the_whole_run() -> None:
    account = Account(max_tokens=1000)
    account.open(400, 0.0)
    assert account.why_not("a", 500, 100) == ""
    account.add(100, 0, "a")
    assert account.why_not("a", 500, 100) == "the budget of 1,000 tokens has no room for it (500 are used)"
    account.take()
    assert account.why_not("a", 400, 100) == ""
    assert account.why_not("a", 500, 100)


def test_money_has_a_limit_and_a_model_without_a_price_is_left_out() -> None:
    account = Account(max_money=0.01, prices={"a": Price(1.0, 10.0)})
    assert account.why_not("a", 1000, 100) == ""
    account.add(5000, 350, "a")
    assert account.why_not("a", 1000, 100) == "the budget of $0.01 has no room for it ($0.0085 used)"
    assert account.why_not("b", 1, 1) == "the money is limited and prices.toml has no price for b"


def test_the_persons_own_prices_go_first_and_the_longest_pattern_counts(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text('[models]\n"openai:*" = [9, 9]\n"openai:gpt-4o" = [7.5, 8]\n')
    prices = load_prices(own)
    assert price_of("openai:gpt-4o", prices) == Price(7.5, 8.0)
    assert price_of("openai:other", prices) == Price(9.0, 9.0)
    assert price_of("http://localhost:11434/v1#qwen3", prices) == Price(0.0, 0.0)
    assert price_of("mystery:x", prices) is None
    assert load_prices(tmp_path / "none.toml") == load_prices()


@pytest.mark.parametrize(
    "text", ["[models", '[models]\n"a" = 3', '[models]\n"a" = [1]', '[models]\n"a" = [-1, 2]', "models = 3"]
)
def test_prices_that_cannot_be_read_are_told(text: str, tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(text)
    with pytest.raises(BadInput, match="price") as error:
        load_prices(own)
    assert "US dollars" in error.value.remedy


def test_a_guess_is_on_the_careful_side() -> None:
    assert guessed_tokens("a cat") >= 2
    assert guessed_tokens("", pictures=2) > 1600
