"""One way from a prompt as people post it to the words that the grammar reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from imagewright.agents.reading.syntax.alternatives import find_wildcards, has_alternatives
from imagewright.agents.reading.syntax.forms import Form, read_form
from imagewright.agents.reading.syntax.marks import strip_marks
from imagewright.agents.reading.syntax.pasted import read_pasted
from imagewright.agents.reading.syntax.tags import read_tags


@dataclass(frozen=True)
class Plain:
    """What the grammar reads of a prompt, and what stood beside it."""

    text: str
    words: str = ""
    """All words of the prompt without marks; empty where the prompt has none of the field's syntax."""
    background: tuple[str, ...] = ()
    style: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """Tags that name no thing with a place."""
    told: tuple[str, ...] = ()
    """What was written for another program and is not carried out here, a line each."""
    refused: str = ""
    """Why nothing can be claimed of the prompt; empty where it can."""


def read_field(text: str) -> Plain:
    """The plain words of ``text``; text without any of the field's syntax comes back as it is."""
    pasted = read_pasted(text)
    if pasted is not None:
        plain = read_field(pasted.positive)
        return replace(plain, words=plain.words or pasted.positive)
    form = read_form(text)
    if form is not None:
        return _of_form(form)
    if has_alternatives(text) or find_wildcards(text):
        return Plain(text, refused="alternatives or wildcards that no seed has chosen from")
    unmarked = strip_marks(text)
    words = unmarked.text if unmarked.marked else ""
    listed = read_tags(unmarked.text, weighted=unmarked.weighted)
    if listed is None:
        return Plain(unmarked.text, words, excluded=unmarked.excluded, told=unmarked.told)
    style, tags, told = listed.styles, listed.tags, unmarked.told
    return Plain(listed.said, words, style=style, excluded=unmarked.excluded, tags=tags, told=told)


def _of_form(form: Form) -> Plain:
    inner = strip_marks(form.subject)
    listed = read_tags(inner.text)
    unread = tuple(f"the value of {key!r} is not placed" for key in dict.fromkeys(form.unread))
    words = ", ".join([form.subject, *form.background, *form.style])
    tags = listed.tags if listed else ()
    text = listed.said if listed else inner.text
    return Plain(text, words, form.background, form.style, form.excluded, tags, (*inner.told, *unread))
