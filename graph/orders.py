"""Orders that make no picture: help, a copy of a picture, and what cannot be done here."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from imagewright.agents.conversation.edits import base_of
from imagewright.chat_help import HELP
from imagewright.errors import BadInput
from imagewright.graph.parts import Parts
from imagewright.graph.state import State
from imagewright.intents import CommandIntent

_NAME = re.compile(r"[\w][\w .-]{0,80}")


def carry_out(parts: Parts, state: State, intent: CommandIntent) -> str:
    """Do what was ordered, and what is said of it.

    Raises:
        BadInput: the file cannot be written under that name.
    """
    if intent.name == "help":
        return HELP
    return intent.text if intent.name == "cannot" else _save(parts, state, intent)


def _save(parts: Parts, state: State, intent: CommandIntent) -> str:
    """Copy the picture into the folder of the conversation's pictures, under a name of its own."""
    picture = base_of(intent, state.references)
    name = intent.text or f"picture-{picture.number}.png"
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} is no plain file name", "say a name without folders: `save as boat.png`")
    path = Path(state.out).parent / (name if name.lower().endswith(".png") else f"{Path(name).stem}.png")
    source = parts.store.get(picture.image)
    if path.exists() and path.read_bytes() != source.read_bytes():
        raise BadInput(f"{path} is there already", "say another name: `save as boat-2.png`")
    shutil.copyfile(source, path)
    return f"picture {picture.number} is saved as {path}"
