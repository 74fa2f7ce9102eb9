"""Name → implementation. Built-ins stand in tables of ``module:attribute``; outsiders use entry points.

Entry point groups: ``imagewright.backends`` (``settings → Backend``), ``imagewright.scorers``, ``imagewright.critics``,
``imagewright.repairs``, ``imagewright.families`` (model families: subclasses of ``t2i_backends.families.base.Family``),
``imagewright.models`` (language models: ``(name, what stands behind its colon) → LanguageModel``).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from imagewright.errors import BadInput

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "backends": {
        "diffusers": "imagewright.t2i_backends.diffusers_local:open_diffusers",
        "comfyui": "imagewright.t2i_backends.comfyui.backend:open_comfyui",
    },
    "families": {
        "flux": "imagewright.t2i_backends.families.flux:Flux",
        "sd3": "imagewright.t2i_backends.families.sd3:SD3",
        "sdxl": "imagewright.t2i_backends.families.sdxl:SDXL",
        "sd15": "imagewright.t2i_backends.families.sd15:SD15",
    },
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
        return _import(target)
    for plugin in metadata.entry_points(group=f"imagewright.{group}"):
        if plugin.name == name:
            return plugin.load()
    raise BadInput(f"no {group[:-1]} is called {name!r}", f"known: {', '.join(names(group))}")


def load_all(group: str) -> list[Any]:
    """Everything registered in ``group``: what other packages bring, by name, then the built-ins in their order.

    Raises:
        BadInput: a package's entry point cannot be imported.
    """
    plugins = sorted(metadata.entry_points(group=f"imagewright.{group}"), key=lambda plugin: plugin.name)
    return [*map(_load_plugin, plugins), *map(_import, BUILT_IN[group].values())]


def _import(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _load_plugin(plugin: metadata.EntryPoint) -> Any:
    try:
        return plugin.load()
    except (ImportError, AttributeError) as error:
        said = f"{plugin.value}, an entry point of {plugin.group}, cannot be imported: {error}"
        raise BadInput(said, "repair or uninstall the package that brings it") from error
