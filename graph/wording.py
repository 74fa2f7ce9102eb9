"""The prompt in the words that the chosen flow's model takes best, where a prompt writer is set."""

from __future__ import annotations

from imagewright.graph.parts import Parts
from imagewright.ports import KnowsWorlds
from imagewright.schemas import Flow, ParsedPrompt, Written


def word_prompt(parts: Parts, prompt: str, parsed: ParsedPrompt, flow: Flow) -> Written:
    """``prompt`` for the model of ``flow``; a model of a closed world gets it as it is, for it knows few words."""
    if parts.writer is None or is_closed(parts, flow):
        return Written(prompt=prompt)
    return parts.writer.write(prompt, parsed, flow.card)


def is_closed(parts: Parts, flow: Flow) -> bool:
    """Whether the flow's model knows only the words that it was trained on."""
    return isinstance(parts.backend, KnowsWorlds) and parts.backend.is_closed(flow)


def additions(written: Written) -> tuple[str, ...]:
    """What the person should know about a prompt that was written anew."""
    if written.decided_by == "rules":
        return ()
    return (f"the prompt was worded for the model; added: {', '.join(written.added) or 'nothing'}",)
