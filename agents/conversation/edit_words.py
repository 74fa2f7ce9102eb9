"""What an edited picture's prompt says: the old words with the change in them, or all of it restated plainly."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagewright.agents.reading import nouns
from imagewright.agents.reading.describe import canonical_prompt, says_no_more
from imagewright.agents.reading.numbers import number_word
from imagewright.intents import (
    AddEdit,
    AnyEdit,
    BackgroundEdit,
    FlipEdit,
    MoveEdit,
    PlaceEdit,
    PutEdit,
    RecolourEdit,
    Reference,
    RemoveEdit,
    ReplaceEdit,
    ResizeEdit,
    StyleEdit,
    SwapEdit,
)
from imagewright.schemas import ParsedPrompt


def edit_prompt(base: Reference, edits: Sequence[AnyEdit], parsed: ParsedPrompt) -> str:
    """The prompt of the edited picture.

    Where the parse holds all that the base's prompt says, the new parse is restated; otherwise the change is worked
    into the old words ("sharing an umbrella" would be lost), and only what cannot be worked in is restated.
    """
    if says_no_more(base.prompt, base.parsed):
        return canonical_prompt(parsed)
    text = base.prompt
    for edit in edits:
        changed = _worked_in(text, edit, base)
        if changed is None:
            return canonical_prompt(parsed)
        text = changed
    return text


def _worked_in(text: str, edit: AnyEdit, base: Reference) -> str | None:
    """``text`` with one edit in its words; None where they have no place for it."""
    if isinstance(edit, MoveEdit | PlaceEdit | ResizeEdit | SwapEdit | FlipEdit):
        return text
    if isinstance(edit, BackgroundEdit | StyleEdit):
        return f"{text}, {edit.text}"
    if isinstance(edit, PutEdit):
        return f"{text}, and {edit.text}"
    if isinstance(edit, AddEdit):
        many = edit.text if edit.count == 1 else f"{number_word(edit.count)} {_plural(edit.text)}"
        return f"{text}, and {many}"
    bodies = {_body(base.shown.boxes[at].caption) for at in edit.boxes} if base.shown else set()
    if len(bodies) != 1 or not _all_of_them(base, edit.boxes):
        return None
    return _substituted(text, bodies.pop(), edit)


def _all_of_them(base: Reference, boxes: Sequence[int]) -> bool:
    assert base.shown is not None
    captions = [box.caption for box in base.shown.boxes]
    return all(captions.count(captions[at]) == 1 for at in boxes)


def _body(caption: str) -> str:
    return re.sub(r"^(?:an?|the)\s+", "", caption)


def _plural(caption: str) -> str:
    head, _, noun = _body(caption).rpartition(" ")
    return f"{head} {nouns.plural(noun)}".strip()


def _substituted(text: str, body: str, edit: RecolourEdit | RemoveEdit | ReplaceEdit) -> str | None:
    found = list(re.finditer(rf"\b(?:an?\s+)?{re.escape(body)}\b", text, re.IGNORECASE))
    if len(found) != 1 or isinstance(edit, RemoveEdit):
        return None
    if isinstance(edit, ReplaceEdit):
        new = edit.text
    else:
        noun = body.rpartition(" ")[2]
        new = f"{edit.text} {noun}"
        new = f"{nouns.article(new)} {new}" if found[0][0].lower().startswith(("a ", "an ")) else new
    return text[: found[0].start()] + new + text[found[0].end() :]
