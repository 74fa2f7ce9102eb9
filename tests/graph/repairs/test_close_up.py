"""Close-ups: a thing whose form is doubted is drawn anew where it is large, and put back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagewright.graph.repairs import close_up
from imagewright.graph.replay import replay
from imagewright.ports import Picture
from imagewright.schemas import Box, Check, Layout, ParsedPrompt, Repair, Verdict

PROMPT = "two red circles above a blue square on a white background"
THING = Box(caption="a blue square", object="square", attributes=("blue",), x=0.4, y=0.6, width=0.2, height=0.2)


class Doubtful:
    """Doubts the form of one thing, until it has been drawn close up ``enough`` times."""

    def __init__(self, enough: int = 1, near: bool = True) -> None:
        self.doubts, self.near = enough + 1, near
        """The first picture, the next one, and all close-ups but the last are doubted."""

    def judge(
        self, image: Picture, prompt: str, parsed: ParsedPrompt, layout: Layout | None, tried: Sequence[Verdict]
    ) -> Verdict:
        """Accept in the end."""
        if not self.doubts:
            return Verdict(accepted=True, score=1.0)
        self.doubts -= 1
        form = Check(name="form", passed=False, detail="square: whole wanted, 1 half-formed", wanted="square: whole")
        closer = Repair(kind="close_up", reason=form.detail, moved=THING, prompt="a blue square on a white background")
        repair = Repair(kind="new_seed", reason=form.detail)
        nearer = closer if self.near else None
        return Verdict(accepted=False, score=0.9, checks=(form,), repair=repair, nearer=nearer)


def kinds(result: Any) -> list[str]:
    return [made.repair.kind for made in result.rounds if made.repair]


def test_first_another_picture_then_close_ups_of_the_latest(studio: Callable[..., Any]) -> None:
    critic = Doubtful(enough=3)
    home = studio(critic=lambda flow: critic)
    result = home.draw(PROMPT, max_images=9)
    assert kinds(result) == ["new_seed", "close_up", "close_up", "close_up"]
    before, *nearer = result.rounds[1:]
    assert [made.base for made in nearer] == [made.image for made in (before, *nearer[:-1])]
    assert len({made.seed for made in result.rounds}) == result.images
    assert {(made.flow, made.prompt, made.layout) for made in nearer} == {(before.flow, before.prompt, before.layout)}
    assert home.told("repair")[1].startswith("close up: square: whole wanted")
    job = home.backend.jobs[2]
    assert (job.prompt, job.regions, job.redraw.strength) == ("a blue square on a white background", (), 0.5)
    assert job.redraw.regions[0].width > 0.5, "the thing is large there"


def test_only_the_part_around_the_thing_changes(studio: Callable[..., Any]) -> None:
    critic = Doubtful()
    home = studio(critic=lambda flow: critic)
    result = home.draw(PROMPT, max_images=9)
    base, nearer = (np.asarray(home.store.open(made.image)).astype(int) for made in result.rounds[1:3])
    rows, columns = np.nonzero(np.abs(base - nearer).sum(axis=2))
    assert rows.size
    assert rows.min() >= 0.5 * len(base)
    assert 0.3 * len(base) <= columns.min() <= columns.max() < 0.7 * len(base)


def test_three_close_ups_at_most_and_the_first_picture_is_delivered(studio: Callable[..., Any]) -> None:
    critic = Doubtful(enough=99)
    result = studio(critic=lambda flow: critic).draw(PROMPT, max_images=20)
    assert kinds(result) == ["new_seed", "close_up", "close_up", "close_up"]
    assert result.image == result.rounds[0].image
    assert any("4 rounds in a row were no better" in note for note in result.notes)


def test_a_backend_that_cannot_redraw_gets_whole_pictures(studio: Callable[..., Any]) -> None:
    critic = Doubtful(enough=99)
    home = studio(critic=lambda flow: critic)
    home.backend.can_redraw = lambda flow: False
    assert "close_up" not in kinds(home.draw(PROMPT, max_images=5))


def test_what_is_large_already_gets_whole_pictures(studio: Callable[..., Any]) -> None:
    critic = Doubtful(enough=99, near=False)
    assert "close_up" not in kinds(studio(critic=lambda flow: critic).draw(PROMPT, max_images=5))


def test_a_flow_that_was_asked_for_draws_its_close_ups(studio: Callable[..., Any]) -> None:
    critic = Doubtful(enough=99)
    result = studio(critic=lambda flow: critic).draw(PROMPT, max_images=5, flow="fast")
    assert {made.repair.flow for made in result.rounds if made.repair and made.repair.kind == "close_up"} == {"fast"}


def test_a_close_up_is_replayed(studio: Callable[..., Any]) -> None:
    critic = Doubtful()
    home = studio(critic=lambda flow: critic)
    result = home.draw(PROMPT, max_images=9)
    assert kinds(result)[-1] == "close_up"
    trace = json.loads(Path(result.trace).read_text())
    assert replay(home.parts, trace, lambda event: None).same


@pytest.mark.parametrize("size", [(64, 64), (96, 40), (33, 71)])
@pytest.mark.parametrize(
    ("x", "y", "width", "height"), [(0.4, 0.6, 0.2, 0.2), (0, 0, 0.02, 0.01), (0.9, 0.95, 0.1, 0.05)]
)
def test_the_part_lies_in_the_picture_and_goes_back_where_it_was(
    size: tuple[int, int], x: float, y: float, width: float, height: float
) -> None:
    picture = Image.effect_noise(size, 80).convert("RGB")
    thing = THING.model_copy(update={"x": x, "y": y, "width": width, "height": height})
    part, place = close_up.enlarge(picture, thing)
    assert part.size == size
    assert 0 <= place.x < place.x + place.width <= 1 + 1e-9
    assert 0 <= place.y < place.y + place.height <= 1 + 1e-9
    flat = close_up.put_back(picture, Image.new("RGB", size, "red"), thing)
    changed = np.argwhere((np.asarray(flat) != np.asarray(picture)).any(axis=2))
    centre = np.array([(y + height / 2) * size[1], (x + width / 2) * size[0]])
    assert (changed.min(axis=0) <= centre).all()
    assert (changed.max(axis=0) + 1 >= centre).all()
