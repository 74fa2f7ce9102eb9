"""What a run may spend, what it has spent on language models and hosted pictures, and what that costs.

Prices are US dollars, for a million tokens of a language model and for one picture of a backend, in a TOML table that
people may edit: ``prices.toml`` in imagewright's home goes before the one that ships. A name there may end in ``*``;
the longest that fits counts. What has no price costs something that nobody knows, and is said to.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from imagewright import untrusted
from imagewright.errors import BadInput

PRICES_FILE = Path(__file__).with_name("prices.toml")
CHARACTERS = 3.2
"""Characters of English and JSON to a token, on the careful side; counts where a service tells nothing."""
PICTURE_TOKENS = 800
"""What a picture of 768 by 768 pixels costs with the large providers, in tokens: about its pixels by 750."""
_MILLION = 1e6

LimitName = Literal["images", "seconds", "tokens", "money"]
"""What a run's use may be limited in."""


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    read: float
    written: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """US dollars for one call."""
        return (tokens_in * self.read + tokens_out * self.written) / _MILLION


@dataclass(frozen=True)
class Prices:
    """The table: by language model, and by ``backend:base model`` for one picture."""

    models: Mapping[str, Price] = field(default_factory=dict)
    pictures: Mapping[str, float] = field(default_factory=dict)


def load_prices(own: Path | None = None) -> Prices:
    """The shipped table with the person's ``own`` over it.

    Raises:
        BadInput: a file cannot be read, or a price in it is none.
    """
    models: dict[str, Price] = {}
    pictures: dict[str, float] = {}
    for path in (PRICES_FILE, own):
        if path is not None and path.exists():
            read = _read(path)
            models |= read.models
            pictures |= read.pictures
    return Prices(models, pictures)


def _read(path: Path) -> Prices:
    remedy = (
        'a line of [models] reads: "openai:gpt-*" = [1.25, 10.0], US dollars for a million tokens in and out;'
        ' one of [pictures]: "backend:model" = 0.04, US dollars for a picture'
    )
    try:
        table = untrusted.load_toml(path)
        models = {str(n): Price(float(p[0]), float(p[1])) for n, p in table.get("models", {}).items()}
        pictures = {str(n): float(price) for n, price in table.get("pictures", {}).items()}
    except BadInput as error:
        raise BadInput(f"the prices cannot be read: {error}", remedy) from None
    except (AttributeError, TypeError, ValueError, IndexError, KeyError):
        raise BadInput(f"a price in {path} cannot be read", remedy) from None
    if any(not 0 <= n < float("inf") for p in models.values() for n in (p.read, p.written)) or any(
        not 0 <= price < float("inf") for price in pictures.values()
    ):
        raise BadInput(f"a price in {path} is no sum from zero up", remedy)
    return Prices(models, pictures)


T = TypeVar("T")


def price_of(name: str, table: Mapping[str, T]) -> T | None:
    """The price under ``name``, its exact name or the longest pattern that fits; None where nobody stated one."""
    fitting = [pattern for pattern in table if fnmatch.fnmatchcase(name, pattern)]
    return table[max(fitting, key=len)] if fitting else None


def guess_tokens(text: str, pictures: int = 0) -> int:
    """About how many tokens ``text`` and some pictures are."""
    return int(len(text) / CHARACTERS) + 1 + pictures * PICTURE_TOKENS


@dataclass(frozen=True)
class Used:
    """What was used: of one piece of work, or of a whole run."""

    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0
    """US dollars, of what has a price."""
    model_seconds: float = 0.0
    """How long language models took."""
    unpriced: tuple[str, ...] = ()
    """What was used without a price: what it cost is unknown."""

    def plus(self, **more: Any) -> Used:
        """This and some more of it."""
        added = {name: getattr(self, name) + value for name, value in more.items()}
        if "unpriced" in added:
            added["unpriced"] = tuple(dict.fromkeys(added["unpriced"]))
        return Used(**{**vars(self), **added})


Ask = Callable[[LimitName, str], bool]
"""Asks the person whether a limit may be passed, given what would pass it."""


@dataclass
class Account:
    """The purse of one run. ``None`` is no limit."""

    max_tokens: int | None = None
    max_money: float | None = None
    """US dollars."""
    prices: Prices = field(default_factory=Prices)
    now: Used = Used()
    """Since the last ``take``."""
    earlier: Used = Used()
    """What the run had used before that."""
    extended: tuple[LimitName, ...] = ()
    """The limits that the person has allowed to pass, once for each time; each allows as much again."""
    declined: tuple[LimitName, ...] = ()
    """The limits that the person wants kept: they are not asked about again."""
    ask: Ask | None = None
    """None where nobody can be asked: limits are kept."""

    def open(self, earlier: Used, extended: tuple[LimitName, ...] = (), declined: tuple[LimitName, ...] = ()) -> None:
        """Begin a piece of work of a run that has used this much so far."""
        self.earlier, self.now = earlier, Used()
        self.extended, self.declined = extended, declined

    def add(self, tokens_in: int, tokens_out: int, model: str = "") -> None:
        """Count one call."""
        price = price_of(model, self.prices.models)
        money = price.of(tokens_in, tokens_out) if price else 0.0
        unpriced = () if price else (model,)
        self.now = self.now.plus(tokens_in=tokens_in, tokens_out=tokens_out, money=money, unpriced=unpriced)

    def add_picture(self, name: str) -> None:
        """Count one picture."""
        price = price_of(name, self.prices.pictures)
        self.now = self.now.plus(money=price or 0.0, unpriced=() if price is not None else (name,))

    def add_seconds(self, seconds: float) -> None:
        """Count time that language models took."""
        self.now = self.now.plus(model_seconds=seconds)

    @property
    def total(self) -> Used:
        """Everything so far."""
        return self.earlier.plus(**vars(self.now))

    def take(self) -> Used:
        """What was used since the last call; it counts as used earlier from now on."""
        taken, self.earlier, self.now = self.now, self.total, Used()
        return taken

    def limit(self, name: Literal["tokens", "money"]) -> float | None:
        """The limit with what the person has added to it."""
        first = self.max_tokens if name == "tokens" else self.max_money
        return None if first is None else first * (1 + self.extended.count(name))

    def why_not(self, model: str, tokens_in: int, tokens_out: int) -> str:
        """Why a call of about this size may not be made any more; empty when it may."""
        used = self.total.tokens_in + self.total.tokens_out
        needed = used + tokens_in + tokens_out
        if (most := self.limit("tokens")) is not None and needed > most:
            what = f"asking {model} would pass your limit of {most:,g} tokens ({used:,} used)"
            if not self._passed("tokens", needed, what):
                reason = f"the budget of {most:,g} tokens has no room for it ({used:,} are used)"
                return f"{reason}; raise it with --max-tokens"
        if self.max_money is None:
            return ""
        price = price_of(model, self.prices.models)
        if price is None:
            return f"the money is limited and prices.toml has no price for {model}"
        return self._why_no_money(price.of(tokens_in, tokens_out), f"asking {model}")

    def why_no_picture(self, name: str) -> str:
        """Why no picture called ``name`` may be paid for any more; empty when it may."""
        if self.max_money is None:
            return ""
        price = price_of(name, self.prices.pictures)
        if price is None:
            return f"the money is limited and prices.toml has no price for pictures of {name}"
        return self._why_no_money(price, f"a picture of {name}") if price else ""

    def _why_no_money(self, price: float, what: str) -> str:
        spent, most = self.total.money, self.limit("money")
        if most is None or spent + price <= most:
            return ""
        if self._passed("money", spent + price, f"{what} would pass your limit of ${most:g} (${spent:.4f} used)"):
            return ""
        return f"the budget of ${most:g} has no room for it (${spent:.4f} used); raise it with --max-money"

    def _passed(self, name: Literal["tokens", "money"], needed: float, what: str) -> bool:
        """Whether the person lets the limit be passed: as much again, and what is needed; after no none is asked."""
        if self.ask is None or name in self.declined or not self.limit(name):
            return False
        if not self.ask(name, what):
            self.declined = (*self.declined, name)
            return False
        while (self.limit(name) or needed) < needed:
            self.extended = (*self.extended, name)
        return True
