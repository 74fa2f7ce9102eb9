"""The agents of one run: rules everywhere, and language models before them where the setting names some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imagewright.agents.categorizer.llm import LLMCategorizer
from imagewright.agents.conversation.llm import LLMInterpreter
from imagewright.agents.critic.polish import MeasuredPolisher, VLMPolisher
from imagewright.agents.critic.vlm import VLMCritic
from imagewright.agents.layout.llm import LLMLayoutPlanner
from imagewright.agents.llm.ask import Asker, Line
from imagewright.agents.llm.models import LanguageModel, Reach, connect, read_setting
from imagewright.agents.selector.llm import LLMSelector
from imagewright.agents.writer.llm import LLMWriter
from imagewright.ports import Categorizer, Critic, Interpreter, LayoutPlanner, Polisher, Selector, Writer

WrapCritic = Callable[[Critic], Critic]


@dataclass(frozen=True)
class Team:
    """Who decides what in one run."""

    categorizer: Categorizer
    selector: Selector
    planner: LayoutPlanner
    interpreter: Interpreter | None = None
    """None leaves what is said to whoever reads it without a model."""
    writer: Writer | None = None
    """None leaves every prompt in the person's own words."""
    critic: WrapCritic | None = None
    """Puts a model that sees before another critic; None where no model is set for that."""
    polisher: Polisher | None = None
    """None where no model is set that may see."""
    critic_by_name: bool = False
    """Whether the setting names a model for the critic in so many words."""


def with_models(rules: Team, setting: str | None, reach: Reach, line: Line) -> Team:
    """``rules`` with the models of ``setting`` before them; nothing is sent yet.

    Raises:
        BadInput: a name of the setting cannot be read, an extra is missing, or a key is not set.
    """
    askers = connect_agents(setting, reach, line)
    told = line.on_note
    layout = askers.get("layout") or askers.get("lmd")
    categorizer, selector = askers.get("categorizer"), askers.get("selector")
    writer, critic = askers.get("writer"), askers.get("critic")
    return Team(
        categorizer=LLMCategorizer(categorizer, rules.categorizer, told) if categorizer else rules.categorizer,
        selector=LLMSelector(selector, rules.selector, told) if selector else rules.selector,
        planner=LLMLayoutPlanner(layout, rules.planner, told, lmd=layout.agent == "lmd") if layout else rules.planner,
        interpreter=(
            LLMInterpreter(askers["interpreter"], rules.interpreter, told)
            if "interpreter" in askers and rules.interpreter
            else rules.interpreter
        ),
        writer=LLMWriter(writer, told) if writer else None,
        critic=(lambda floor: VLMCritic(critic, floor, told)) if critic else None,
        polisher=VLMPolisher(critic, MeasuredPolisher(), told) if critic else None,
        critic_by_name="critic" in read_setting(_named(setting)),
    )


def connect_agents(setting: str | None, reach: Reach, line: Line) -> dict[str, Asker]:
    """For each agent that has models its way to them; a model that several agents use is reached once."""
    reached: dict[str, LanguageModel] = {}

    def model(name: str) -> LanguageModel:
        if name not in reached:
            reached[name] = connect(name, reach)
        return reached[name]

    asked = read_setting(setting)
    return {agent: Asker(agent, tuple(map(model, names)), line) for agent, names in asked.items()}


def _named(setting: str | None) -> str:
    """The part of the setting that names single agents."""
    return ";".join(part for part in (setting or "").split(";") if "=" in part.split("#")[0])
