"""Name → implementation. Built-ins stand in tables of ``module:attribute``; outsiders use entry points.

Entry point groups: ``imagewright.backends``, ``imagewright.scorers``, ``imagewright.critics``, ``imagewright.repairs``,
``imagewright.models`` (language models: ``(name, what stands behind its colon) → LanguageModel``).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from imagewright.errors import BadInput

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "backends": {"diffusers": "imagewright.t2i_backends.diffusers_local:DiffusersBackend"},
    "scorers": {"detector": "imagewright.tools.scorers.detector:DetectorScorer"},
    "models": {
        "paste": "imagewright.agents.llm.paste:paste_model",
        "scripted": "imagewright.agents.llm.scripted:script_model",
        "scripted-vlm": "imagewright.agents.llm.scripted:script_vlm",
    },
    "critics": {"detector": "imagewright.agents.critic.detector:DetectorCritic"},
    "repairs": {
        "redraw": "imagewright.agents.critic.repairs.redraw:RedrawBox",
        "move_box": "imagewright.agents.critic.repairs.move_box:MoveBox",
        "new_seed": "imagewright.agents.critic.repairs.new_seed:NewSeed",
        "reprompt": "imagewright.agents.critic.repairs.reprompt:Reprompt",
        "next_flow": "imagewright.agents.critic.repairs.next_flow:NextFlow",
        "boxes": "imagewright.agents.critic.repairs.boxes:DrawBoxes",
        "close_up": "imagewright.agents.critic.repairs.close_up:CloseUp",
        "polish": "imagewright.agents.critic.repairs.polish:Polish",
    },
}


def names(group: str) -> tuple[str, ...]:
    """Every known name of ``group``, sorted: built-ins and installed plugins."""
    return tuple(sorted({*BUILT_IN[group], *(p.name for p in metadata.entry_points(group=f"imagewright.{group}"))}))


def load(group: str, name: str) -> Any:
    """The class or factory registered as ``name``; imported only now.

    Raises:
        BadInput: there is no such name.
    """
    target = BUILT_IN[group].get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        return getattr(importlib.import_module(module), attribute)
    for plugin in metadata.entry_points(group=f"imagewright.{group}"):
        if plugin.name == name:
            return plugin.load()
    raise BadInput(f"no {group[:-1]} is called {name!r}", f"known: {', '.join(names(group))}")
