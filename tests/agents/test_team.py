"""The setting decides which agents ask a model; the rules stand behind each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagewright.agents.categorizer.rules import RulesCategorizer
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.agents.llm.ask import Line
from imagewright.agents.llm.models import Reach
from imagewright.agents.selector.rules import RulesSelector
from imagewright.agents.team import Team, connect_agents, with_models

RULES = Team(RulesCategorizer(), RulesSelector(), RulesLayoutPlanner())


@pytest.fixture
def script(tmp_path: Path) -> str:
    """The name of a scripted model."""
    path = tmp_path / "script.json"
    path.write_text(json.dumps([{"flow": "a"}]))
    return f"scripted:{path}"


def test_without_a_setting_the_rules_decide() -> None:
    assert with_models(RULES, "rules", Reach({}), Line()) == RULES
    assert connect_agents(None, Reach({}), Line()) == {}


def test_agents_share_a_model_and_each_may_have_its_own(script: str) -> None:
    askers = connect_agents(f"{script}; selector=rules", Reach({}), Line())
    assert set(askers) == {"interpreter", "categorizer", "layout", "writer", "critic"}
    assert len({id(asker.models[0]) for asker in askers.values()}) == 1
    team = with_models(RULES, f"{script}; selector=rules", Reach({}), Line())
    assert team.selector is RULES.selector
    assert team.categorizer is not RULES.categorizer
    assert team.writer is not None
    assert team.critic is not None
    assert not team.critic_by_name
    assert with_models(RULES, f"critic={script}", Reach({}), Line()).critic_by_name
