"""What a run may spend on language models, what it has spent, and what that costs.

Prices are US dollars for a million tokens, in a TOML table that people may edit: ``prices.toml`` in imagewright's
home goes before the one that ships. A name there may end in ``*``; the longest that fits counts.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagewright.errors import BadInput

SHIPPED = Path(__file__).with_name("prices.toml")
CHARACTERS = 3.2
"""Characters of English and JSON to a token, on the careful side; counts where a service tells nothing."""
PICTURE_TOKENS = 800
"""What a picture of 768 by 768 pixels costs with the large providers, in tokens: about its pixels by 750."""
_MILLION = 1e6


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    read: float
    written: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """US dollars for one call."""
        return (tokens_in * self.read + tokens_out * self.written) / _MILLION


Prices = Mapping[str, Price]


def load_prices(own: Path | None = None) -> dict[str, Price]:
    """The shipped table with the person's ``own`` over it.

    Raises:
        BadInput: a file cannot be read or holds something else than ``"model" = [in, out]``.
    """
    prices: dict[str, Price] = {}
    for path in (SHIPPED, own):
        if path is not None and path.exists():
            prices |= _read(path)
    return prices


def _read(path: Path) -> dict[str, Price]:
    remedy = 'a line of [models] reads: "openai:gpt-*" = [1.25, 10.0], US dollars for a million tokens in and out'
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("models", {})
        found = {str(name): Price(float(pair[0]), float(pair[1])) for name, pair in table.items()}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"cannot read the prices in {path}: {error}", remedy) from None
    except (AttributeError, TypeError, ValueError, IndexError, KeyError):
        raise BadInput(f"a price in {path} cannot be read", remedy) from None
    if any(min(price.read, price.written) < 0 for price in found.values()):
        raise BadInput(f"a price in {path} is below zero", remedy)
    return found


def price_of(model: str, prices: Prices) -> Price | None:
    """The price of ``model``, by its exact name or the longest pattern that fits; None where nobody stated one."""
    fitting = [name for name in prices if fnmatch.fnmatchcase(model, name)]
    return prices[max(fitting, key=len)] if fitting else None


def guessed_tokens(text: str, pictures: int = 0) -> int:
    """About how many tokens ``text`` and some pictures are."""
    return int(len(text) / CHARACTERS) + 1 + pictures * PICTURE_TOKENS


@dataclass
class Account:
    """The purse of one run. ``None`` is no limit."""

    max_tokens: int | None = None
    max_money: float | None = None
    """US dollars."""
    prices: Prices = field(default_factory=dict)
    tokens_in: int = 0
    """Since the last ``take``, like the two below."""
    tokens_out: int = 0
    money: float = 0.0
    earlier_tokens: int = 0
    """What the run had spent before that."""
    earlier_money: float = 0.0

    def open(self, tokens: int, money: float) -> None:
        """Begin a piece of work of a run that has spent this much so far."""
        self.earlier_tokens, self.earlier_money = tokens, money
        self.tokens_in = self.tokens_out = 0
        self.money = 0.0

    def add(self, tokens_in: int, tokens_out: int, model: str = "") -> None:
        """Count one call."""
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        price = price_of(model, self.prices)
        self.money += price.of(tokens_in, tokens_out) if price else 0.0

    def take(self) -> tuple[int, int, float]:
        """Tokens read, tokens written and US dollars since the last call; they count as spent earlier from now on."""
        taken = self.tokens_in, self.tokens_out, self.money
        self.open(self.earlier_tokens + self.tokens_in + self.tokens_out, self.earlier_money + self.money)
        return taken

    def why_not(self, model: str, tokens_in: int, tokens_out: int) -> str:
        """Why a call of about this size may not be made any more; empty when it may."""
        spent = self.earlier_tokens + self.tokens_in + self.tokens_out
        if self.max_tokens is not None and spent + tokens_in + tokens_out > self.max_tokens:
            return f"the budget of {self.max_tokens:,} tokens has no room for it ({spent:,} are used)"
        if self.max_money is None:
            return ""
        price = price_of(model, self.prices)
        if price is None:
            return f"the money is limited and prices.toml has no price for {model}"
        if self.earlier_money + self.money + price.of(tokens_in, tokens_out) > self.max_money:
            return f"the budget of ${self.max_money:g} has no room for it (${self.earlier_money + self.money:.4f} used)"
        return ""
