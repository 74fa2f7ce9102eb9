"""Orders that make no picture: help, a copy of a picture, and what cannot be done here."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from imagewright.agents.conversation.edits import base_of
from imagewright.errors import BadInput
from imagewright.graph.parts import Parts
from imagewright.graph.state import State
from imagewright.intents import CommandIntent

HELP = """say what to draw, or what to change:
  a house under a blue moon        a new picture; what can you draw?
  make the moon red; bigger house  a change of the present one; the rest stays as it is
  put the moon left of the house   a place; swap them; mirror the picture; centre the house
  there should be two, not three   a count; add a star above it; without the moon
  one more; seed 12                the same with another seed
  undo; redo; go back to the house an earlier picture; like the second one
  save as boat.png                 a copy beside the other pictures
  why this flow?; what changed?    questions; thumbs up: what you think of it
  I like watercolour; never text   wishes for every new picture"""
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
