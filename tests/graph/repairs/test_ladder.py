"""A repair that was in vain for a fault gives way to the next rung of the closed set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pytest

from imagewright.agents.critic.repairs.base import list_ladder
from imagewright.graph.repairs.tried import of_rounds
from imagewright.ports import Picture
from imagewright.schemas import Check, Layout, ParsedPrompt, Repair, Verdict

LADDER = tuple(shape.model_fields["kind"].default for shape in list_ladder())
PROMPT = "two red circles above a blue square on a white background"


class Stubborn:
    """A critic that always finds the same fault in box 0, always proposes the same, and is a little happier each time.

    Happier, so that the loop goes on; it learns nothing from what was tried.
    """

    def __init__(self, kind: str) -> None:
        self.kind, self.seen = kind, 0

    def judge(
        self, image: Picture, prompt: str, parsed: ParsedPrompt, layout: Layout | None, tried: Sequence[Verdict]
    ) -> Verdict:
        """Not yet."""
        self.seen += 1
        wrong = Check(name="attribute", passed=False, detail=f"dull, {self.seen}", wanted="a bright circle", box=0)
        fine = tuple(Check(name="present", passed=True, detail="x") for _ in range(self.seen))
        moved = layout.boxes[0].model_copy(update={"x": 0.05}) if layout and self.kind == "move_box" else None
        repair = Repair(kind=self.kind, reason="it is dull", box=0, moved=moved)
        return Verdict(accepted=False, score=self.seen / 100, checks=(wrong, *fine), repair=repair)


@pytest.mark.parametrize("kind", LADDER)
def test_the_rungs_are_climbed_however_stubborn_the_critic_is(
    kind: str, studio: Callable[..., Any], kit: ModuleType
) -> None:
    critic = Stubborn(kind)
    home = studio(critic=lambda flow: critic)
    result = home.draw(PROMPT, max_images=6)
    kinds = [made.repair.kind for made in result.rounds if made.repair]
    on_first = [k for made, k in zip(result.rounds[:-1], kinds, strict=True) if made.flow == "fine"]
    useful = on_first[: on_first.index("next_flow") + 1]
    assert len(set(useful)) == len(useful), "none is repeated on the flow while another is left"
    ranks = [LADDER.index(k) for k in useful]
    assert ranks == sorted(ranks)
    assert ranks[-1] == LADDER.index("next_flow")
    assert len({(m.flow, m.seed, m.prompt, repr(m.layout), m.base) for m in result.rounds}) == result.images


def test_the_reason_says_what_was_passed_over(studio: Callable[..., Any]) -> None:
    critic = Stubborn("redraw")
    home = studio(critic=lambda flow: critic)
    result = home.draw(PROMPT, max_images=3)
    assert result.rounds[2].repair.reason == "it is dull; redraw did not help before (score 0.01 → 0.02)"
    assert home.told("repair")[1] == f"new seed: {result.rounds[2].repair.reason}"


def test_a_repair_of_beauty_is_none_of_a_critic(studio: Callable[..., Any]) -> None:
    critic = Stubborn("polish")
    result = studio(critic=lambda flow: critic).draw(PROMPT, max_images=2)
    assert result.rounds[1].repair.kind == "redraw"


class Fickle:
    """A critic that likes the first picture best, and proposes another seed."""

    def __init__(self) -> None:
        self.scores = iter((0.8, 0.2, 0.5, 0.8, 0.1))

    def judge(
        self, image: Picture, prompt: str, parsed: ParsedPrompt, layout: Layout | None, tried: Sequence[Verdict]
    ) -> Verdict:
        """Not yet."""
        wrong = Check(name="count", passed=False, detail="dull", wanted="a bright circle")
        return Verdict(
            accepted=False, score=next(self.scores), checks=(wrong,), repair=Repair(kind="new_seed", reason="dull")
        )


def test_every_repair_starts_from_the_best_picture_so_far_with_another_seed(studio: Callable[..., Any]) -> None:
    critic = Fickle()
    home = studio(critic=lambda flow: critic)
    result = home.draw(PROMPT, max_images=5)
    first, *later = result.rounds
    assert [made.repair.kind for made in later[:2]] == ["new_seed", "move_box"]
    assert later[1].layout != first.layout
    assert later[2].layout == first.layout
    assert len({made.seed for made in result.rounds}) == len(result.rounds)
    assert [tried.before for tried in of_rounds(result.rounds)] == [0.8] * 4
