"""Language models for the container: the purse and patience of one run, the agents that ask, the critics that see."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import SecretStr

from imagewright.schemas import DrawRequest, Flow
from imagewright.settings import Settings

if TYPE_CHECKING:
    from imagewright.agents.llm.ask import Line
    from imagewright.agents.team import Team
    from imagewright.ports import Critic, Polisher


def line_of(settings: Settings, request: DrawRequest, on_note: Callable[[str], None], stop: threading.Event) -> Line:
    """What the agents of one run share: the purse, the patience, and the memory for answers.

    Raises:
        BadInput: the person's price table cannot be read.
    """
    from imagewright.agents.llm.account import Account, load_prices
    from imagewright.agents.llm.ask import Line
    from imagewright.agents.llm.calls import Policy
    from imagewright.memory.llm_cache import LLMCache

    seconds = settings.llm_seconds
    return Line(
        account=Account(request.max_tokens, request.max_money, load_prices(settings.prices)),
        on_note=on_note,
        policy=Policy(call=seconds, question=2 * seconds),
        store=LLMCache(settings.database) if settings.llm_cache else None,
        stop=stop,
        run_seconds=request.max_seconds,
    )


def team_of(settings: Settings, setting: str | None, rules: Team, line: Line) -> Team:
    """The agents: rules, or the language models of ``setting`` with the rules behind them.

    Raises:
        BadInput: a name cannot be read, an extra is missing, a key is not set, or the file of keys cannot be used.
    """
    if setting is None:
        return rules
    from imagewright.agents.llm.models import Reach
    from imagewright.agents.team import with_models

    return with_models(rules, setting, Reach(keys_of_all(settings), settings.llm_seconds), line)


def keys_of_all(settings: Settings) -> dict[str, SecretStr]:
    """Every key: those of the environment over those of the file.

    Raises:
        BadInput: the file cannot be used, or others may read it.
    """
    from imagewright.keys import read_keys

    kept = read_keys(settings.keys_file) if settings.keys_file else {}
    return {**kept, **settings.llm_keys}


def polisher_of(team: Team) -> Polisher:
    """Who proposes what would make a picture more beautiful: a model that sees, else the measure of its light."""
    from imagewright.agents.critic.polish import MeasuredPolisher

    return team.polisher or MeasuredPolisher()


def critics_of(team: Team, floor: Callable[[Flow], Critic]) -> Callable[[Flow], Critic]:
    """For each flow its critic, the same one each time within a run.

    A model that sees judges what ``floor`` does not know, and also the pictures of the model that ships with us, which
    has a detector of its own, where the setting names a model for the critic in so many words.
    """
    critics: dict[str, Critic] = {}

    def critic(flow: Flow) -> Critic:
        base = flow.card.base_model
        if base not in critics:
            wrap = team.critic if not flow.card.ships_with_us or team.critic_by_name else None
            critics[base] = wrap(floor(flow)) if wrap else floor(flow)
        return critics[base]

    return critic
