"""A flow is run as it was measured: with the planned boxes, or from the words alone."""

from collections.abc import Callable
from typing import Any

import pytest

from imagewright.agents.critic.repairs.next_flow import NextFlow
from imagewright.schemas import Check, Region, Repair, Verdict

PROMPT = "a red circle and no star"


@pytest.fixture
def home(studio: Callable[..., Any]) -> Any:
    """Two flows: the better one was measured from words, the other with boxes."""
    made = studio(flows={"words": 0.9, "boxes": 0.8}, missing=())
    shelf = made.parts.catalogue
    shelf.layouts = {"words": "words", "boxes": "regions"}
    return made


def captions(regions: tuple[Region, ...]) -> list[str]:
    return [region.caption for region in regions]


def test_words_alone_draw_what_was_measured_so_and_what_must_not_appear_is_kept(home: Any) -> None:
    result = home.draw(PROMPT, use_critic=False)
    assert (result.flow, captions(home.backend.jobs[0].regions)) == ("words", [])
    assert home.backend.jobs[0].negative == "blurry, star"
    assert "no boxes" in " ".join(home.told("layout"))


def test_in_a_conversation_the_layout_governs_all_the_same(home: Any) -> None:
    result = home.draw(PROMPT, use_critic=False, thread="talk")
    assert (result.flow, captions(home.backend.jobs[0].regions)) == ("words", ["a red circle"])


def test_without_layouts_a_flow_that_needs_one_is_not_offered(home: Any) -> None:
    shelf = home.parts.catalogue
    shelf.estimates = {"words": 0.7, "boxes": 0.8}
    assert home.draw(PROMPT, use_critic=False).flow == "boxes"
    assert home.draw(PROMPT, use_critic=False, use_layout=False).flow == "words"
    shelf.estimates = {"boxes": 0.8}
    assert home.draw(PROMPT, use_critic=False, use_layout=False).flow == "boxes"


def test_what_words_alone_do_not_bring_the_planned_boxes_do(home: Any) -> None:
    result = home.draw(PROMPT)
    assert [(job.flow.id, captions(job.regions)) for job in home.backend.jobs] == [
        ("words", []),
        ("words", ["a red circle"]),
    ]
    assert home.backend.jobs[0].seed != home.backend.jobs[1].seed
    assert result.rounds[1].repair.kind == "boxes"
    assert result.rounds[1].verdict.accepted


def test_what_a_flow_with_boxes_does_not_bring_the_best_flow_from_words_does(home: Any) -> None:
    home.parts.catalogue.estimates = {"boxes": 0.9, "words": 0.8}
    circle = Region(caption="a red circle", x=0.25, y=0.25, width=0.5, height=0.5)
    home.backend.flaw = lambda job, regions: [circle] if job.flow.id == "words" else []
    result = home.draw(PROMPT)
    assert [(job.flow.id, captions(job.regions)) for job in home.backend.jobs] == [
        ("boxes", ["a red circle"]),
        ("words", []),
    ]
    assert result.rounds[1].repair.kind == "next_flow"
    assert result.rounds[1].verdict.accepted
    assert [job.flow.id for job in drawn_of(home, use_layout="always")[:2]] == ["boxes", "boxes"]


def drawn_of(home: Any, **options: Any) -> Any:
    home.backend.jobs.clear()
    home.draw(PROMPT, seed=11, **options)
    return home.backend.jobs


def test_half_formed_things_are_no_matter_of_boxes(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from imagewright.agents.critic import detector as critic

    half = Check(name="form", passed=False, detail="circle: whole wanted, 1 half-formed", wanted="circle: whole")
    monkeypatch.setattr(critic.DetectorCritic, "judge", lambda *args, **options: Verdict(
        accepted=False, score=0.9, checks=(Check(name="present", passed=True, detail="x"), half),
        repair=Repair(kind="new_seed", reason=half.detail)))  # fmt: skip
    result = home.draw(PROMPT, max_images=2)
    assert [made.repair.kind for made in result.rounds[1:]] == ["new_seed"]
    assert captions(home.backend.jobs[1].regions) == []


def test_without_layouts_no_repair_brings_boxes(home: Any) -> None:
    result = home.draw(PROMPT, use_layout=False)
    assert len(home.backend.jobs) > 1
    assert not any(job.regions for job in home.backend.jobs)
    assert result.layout is None


def test_a_repair_that_takes_the_next_flow_gives_it_the_boxes_that_it_was_measured_with(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NextFlow, "rank_for", classmethod(lambda cls, case: 1))
    home.backend.flaw = lambda job, regions: regions if job.flow.id == "boxes" else []
    result = home.draw(PROMPT, max_images=6)
    drawn = [(job.flow.id, captions(job.regions)) for job in home.backend.jobs]
    assert drawn == [("words", []), ("words", ["a red circle"]), ("boxes", ["a red circle"])]
    assert result.flow == "boxes"
    assert result.rounds[-1].verdict.accepted
