"""A prompt written for a model keeps every stated fact and names what was added; else the person's words stay."""

from __future__ import annotations

from typing import Any

import pytest

from imagewright.agents.reading.parse import parse_prompt
from imagewright.agents.writer.llm import LLMWriter, Wording, why_unfaithful
from imagewright.schemas import Card

PROMPT = 'two red kites above a wooden boat with a sign that says "Ahoy", no people'
CARD = Card(title="A flow", base_model="SDXL 1.0")
GOOD = {"prompt": f"{PROMPT[:-11]}, golden hour light", "added": ["golden hour light"]}


def wrong(text: str, *added: str, prompt: str = PROMPT) -> str:
    return why_unfaithful(Wording(prompt=text, added=list(added)), prompt, parse_prompt(prompt))


def test_a_wording_that_keeps_everything_is_used_and_says_what_it_added(desk: Any) -> None:
    made = desk(GOOD)
    written = LLMWriter(made.asker("writer"), made.notes.append).write(PROMPT, parse_prompt(PROMPT), CARD)
    assert written.prompt == GOOD["prompt"]
    assert (written.added, written.decided_by) == (("golden hour light",), "llm")
    assert '"model":"SDXL 1.0"' in made.heard[0]


@pytest.mark.parametrize(
    ("text", "added", "complaint"),
    [
        (PROMPT.replace("red ", ""), (), "'red' is lost"),
        (PROMPT.replace("two ", ""), (), "the number 2 of kites is lost"),
        (PROMPT.replace("Ahoy", "Hello"), (), 'the text "Ahoy" is lost'),
        (PROMPT.replace("boat", "ship"), (), "is lost"),
        (PROMPT, (), "'person' must not"),
        (PROMPT[:-11], ("soft light",), "'soft light', which is not in the prompt"),
        (f"{PROMPT[:-11]}, misty harbour dawn with swirling gulls", (), "not listed in added"),
        (f"{PROMPT[:-11]}, " + "very " * 3 + " ".join(f"word{n}" for n in range(50)), (), "new"),
        (PROMPT[:-11].replace("two red kites", "two red kites and one red kite"), (), ""),
    ],
)
def test_what_is_lost_hidden_or_brought_in_is_told(text: str, added: tuple[str, ...], complaint: str) -> None:
    assert complaint in wrong(text, *added)


def test_a_changed_number_is_told() -> None:
    assert "it now reads as 3 cat, not 2" in wrong("three cats beside two bowls", prompt="two cats")


def test_without_a_usable_wording_the_persons_words_stay(desk: Any) -> None:
    made = desk(*[{"prompt": "a masterpiece", "added": []}] * 3)
    written = LLMWriter(made.asker("writer"), made.notes.append).write(PROMPT, parse_prompt(PROMPT), CARD)
    assert (written.prompt, written.added, written.decided_by) == (PROMPT, (), "rules")
    assert made.notes[0].startswith("the prompt stays in the person's words")
