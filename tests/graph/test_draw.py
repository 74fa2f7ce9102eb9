"""A prompt goes in, a picture comes out: the way through the graph, the loop, and what is delivered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from imagewright.errors import BadInput, BudgetSpent, Cancelled, CannotDraw, Fault
from imagewright.evals.exact_checker import look
from imagewright.ports import Job
from imagewright.schemas import Region, RunEvent

PROMPT = "two red circles above a blue square on a white background"
Studio = Callable[..., Any]
Regions = list[Region]


def recoloured(job: Job, regions: Regions) -> Regions:
    """The first picture has its square in green; one that is drawn anew is right."""
    if job.redraw is not None:
        return regions
    return [r.model_copy(update={"caption": r.caption.replace("blue", "green")}) for r in regions]


def crowded_first(job: Job, regions: Regions) -> Regions:
    """A star too many with the first seed."""
    extra = Region(caption="a purple star", x=0.4, y=0.4, width=0.2, height=0.2)
    return [*regions, extra] if job.seed == 7 else regions


def test_a_right_picture_is_delivered_at_once(studio: Studio) -> None:
    home = studio()
    result = home.draw(PROMPT)
    with Image.open(result.path) as image:
        seen = look(image)
    assert sorted((p.colour, p.shape) for p in seen.pieces) == [
        ("blue", "square"),
        ("red", "circle"),
        ("red", "circle"),
    ]
    assert (result.images, result.flow, result.seed) == (1, "fine", 7)
    assert result.rounds[0].verdict.accepted
    assert home.told("node") == [
        "recall", "interpret", "categorize", "select_flow", "plan_layout", "generate", "critique", "deliver"
    ]  # fmt: skip


def test_every_step_is_told_in_order_after_the_run_id(studio: Studio) -> None:
    home = studio()
    result = home.draw(PROMPT)
    kinds = [event.kind for event in home.events if event.kind != "node"]
    assert kinds == [
        "run", "categories", "flow", "layout", "step", "step", "preview", "step", "step", "image", "verdict",
        "delivered",
    ]  # fmt: skip
    assert {event.run for event in home.events} == {result.run}
    [flow] = home.told("flow")
    assert "fine 0.80" in flow
    assert "runner-up fast 0.70" in flow
    assert "Paint big (big) would be preferred, but put big.safetensors there" in flow


def test_the_png_tells_how_it_was_made_and_the_trace_lies_beside_it(studio: Studio) -> None:
    home = studio()
    result = home.draw(PROMPT, out=str(home.home / "picture"))
    assert result.path == str(home.home / "picture.png")
    with Image.open(result.path) as image:
        image.load()
        texts = image.text  # type: ignore[attr-defined]
    graph = json.loads(texts["prompt"])
    assert graph["1"]["inputs"]["text"] == PROMPT
    assert graph["3"]["inputs"]["seed"] == 7
    ours = json.loads(texts["imagewright"])
    assert [ours[name] for name in ("run", "flow", "seed", "prompt")] == [result.run, "fine", 7, PROMPT]
    trace = json.loads(Path(result.trace).read_text())
    assert trace["rejected"] == {"big": "put big.safetensors there"}
    assert trace["flows"]["fine"]["graph"] == home.parts.catalogue.flow("fine").graph
    assert trace["generation"] == 3
    assert trace["facts"] == [{"device": "paper"}]
    assert home.runs.show(result.run)["rounds"] == trace["rounds"]


def test_previews_are_kept_only_while_the_run_goes_on(studio: Studio) -> None:
    home = studio()
    seen: list[bool] = []

    def listen(event: RunEvent) -> None:
        if event.kind == "preview":
            seen.append(home.store.preview(event.run, event.image or "").is_file())

    result = home.draw(PROMPT, on_event=listen)
    assert seen == [True]
    assert not (home.store.root / "previews" / result.run).exists()


def test_the_layout_reaches_the_backend_as_regions_and_its_negative_joins_the_flows(studio: Studio) -> None:
    home = studio()
    home.draw("a red circle and no star", width=96, height=96)
    [job] = home.backend.jobs
    assert [region.caption for region in job.regions] == ["a red circle"]
    assert job.prompt == "a red circle and no star"
    assert job.negative == "blurry, star"
    assert (job.width, job.height) == (96, 96)


def test_without_a_layout_there_are_no_regions_and_without_a_critic_no_verdict(studio: Studio) -> None:
    home = studio()
    result = home.draw(PROMPT, use_layout=False, use_critic=False)
    assert home.backend.jobs[0].regions == ()
    assert home.backend.jobs[0].negative is None
    assert result.layout is None
    assert result.rounds[0].verdict is None
    assert "critique" not in home.told("node")


def test_without_categories_a_prompt_bears_no_labels_and_a_flow_is_chosen_all_the_same(studio: Studio) -> None:
    home = studio()
    plain, bare = home.draw(PROMPT), home.draw(PROMPT, use_categories=False)
    assert plain.categories
    assert bare.categories == ()
    assert bare.flow
    assert json.loads(Path(bare.trace).read_text())["categorised"]["decided_by"] == "the request"


def test_a_wrong_colour_in_one_box_is_drawn_anew_there_and_nowhere_else(studio: Studio) -> None:
    home = studio(flaw=recoloured)
    result = home.draw(PROMPT)
    assert [made.repair.kind for made in result.rounds if made.repair] == ["redraw"]
    assert result.rounds[1].verdict.accepted
    first, second = home.backend.jobs
    assert [region.caption for region in second.redraw.regions] == ["a blue square"]
    before, after = (home.store.open(made.image) for made in result.rounds)
    top = (0, 0, before.width, before.height // 2)
    assert before.crop(top).tobytes() == after.crop(top).tobytes()
    assert before.tobytes() != after.tobytes()
    assert first.seed != second.seed


def test_something_too_many_is_cured_by_a_new_seed(studio: Studio) -> None:
    home = studio(flaw=crowded_first)
    result = home.draw(PROMPT)
    assert [made.repair.kind for made in result.rounds if made.repair] == ["new_seed"]
    assert result.images == 2
    assert result.seed == result.rounds[1].seed != 7


def test_the_same_seed_leads_through_the_same_rounds(studio: Studio) -> None:
    first, second = (studio(home, flaw=crowded_first).draw(PROMPT) for home in ("one", "two"))
    assert [made.image for made in first.rounds] == [made.image for made in second.rounds]
    assert [made.seed for made in first.rounds] == [made.seed for made in second.rounds]


def test_the_loop_ends_when_five_rounds_bring_nothing_and_the_first_of_equals_is_delivered(
    studio: Studio, kit: ModuleType
) -> None:
    home = studio(flaw=kit.always_a_star_too_many)
    result = home.draw(PROMPT, max_images=9)
    assert result.images == 6
    assert result.image == result.rounds[0].image
    assert any("no better" in note for note in result.notes)


def test_the_best_picture_is_delivered_not_the_last(studio: Studio) -> None:
    def worse_each_time(job: Job, regions: Regions) -> Regions:
        return regions[: -1 if job.seed == 7 else -2]

    result = studio(flaw=worse_each_time).draw(PROMPT, max_images=2)
    scores = [made.verdict.score for made in result.rounds]
    assert scores[0] > scores[1]
    assert result.image == result.rounds[0].image


def test_repairs_climb_the_ladder_and_nothing_is_drawn_twice(studio: Studio) -> None:
    def always_improving(job: Job, regions: Regions) -> Regions:
        return regions[: len(home.backend.jobs)]

    home = studio(flaw=always_improving)
    result = home.draw("three red circles and three blue squares", max_images=6)
    kinds = [made.repair.kind for made in result.rounds if made.repair]
    assert kinds == ["new_seed", "move_box", "reprompt", "next_flow", "new_seed"]
    made = [(m.flow, m.seed, m.prompt, m.layout) for m in result.rounds]
    assert len(set(map(repr, made))) == len(made)
    assert result.rounds[4].flow == "fast"


def test_a_flow_asked_for_by_name_is_kept_through_all_repairs(studio: Studio) -> None:
    def always_improving(job: Job, regions: Regions) -> Regions:
        return regions[: len(home.backend.jobs)]

    home = studio(flaw=always_improving)
    result = home.draw("three red circles and three blue squares", max_images=6, flow="fast")
    assert {made.flow for made in result.rounds} == {"fast"}


@pytest.mark.parametrize("limits", [{"max_images": 0}, {"max_seconds": 0.0}])
def test_a_budget_that_ends_before_the_first_picture_is_said(studio: Studio, limits: dict[str, Any]) -> None:
    home = studio()
    with pytest.raises(BudgetSpent, match="no picture was made"):
        home.draw(PROMPT, **limits)
    assert home.draws() == []
    assert home.runs.list()[0].status == "failed"


def test_seconds_that_end_in_a_later_round_leave_the_picture_there_is(studio: Studio, kit: ModuleType) -> None:
    now = [0.0]

    def slow(job: Job, regions: Regions) -> Regions:
        now[0] += 10
        return kit.always_a_star_too_many(job, regions)

    home = studio(flaw=slow, clock=lambda: now[0])
    result = home.draw(PROMPT, max_seconds=15.0, max_images=9)
    assert result.images == 2
    assert any("15 seconds" in note for note in result.notes)


def test_seconds_that_end_inside_a_picture_stop_it(studio: Studio, kit: ModuleType) -> None:
    now = [0.0]

    def listen(event: RunEvent) -> None:
        now[0] += 10 if event.kind == "step" and event.step == 2 and len(home.backend.jobs) == 2 else 0

    home = studio(flaw=kit.always_a_star_too_many, clock=lambda: now[0])
    home.backend.delay = 0.05
    result = home.draw(PROMPT, max_seconds=5.0, on_event=listen)
    assert result.images == 1
    assert len(home.draws("begin")) == 2
    assert len(home.draws("done")) == 1


def test_a_later_round_that_fails_leaves_the_picture_there_is(studio: Studio) -> None:
    def failing(job: Job, regions: Regions) -> Regions:
        if len(home.backend.jobs) == 2:
            raise Fault("the device is gone")
        return crowded_first(job, regions)

    home = studio(flaw=failing)
    result = home.draw(PROMPT)
    assert result.images == 1
    assert result.notes == ("stopped: the device is gone; the best picture is delivered",)


# --- what cannot be drawn -------------------------------------------------------------------


def test_words_that_no_flow_here_knows_are_named_before_anything_is_drawn(studio: Studio) -> None:
    home = studio()
    with pytest.raises(CannotDraw, match="paint cannot draw 'horse'") as error:
        home.draw("a horse left of a red circle")
    assert "Paint big (big) would serve best; it needs: put big.safetensors there" in error.value.remedy
    assert "--anyway" in error.value.remedy
    assert home.draws() == []


def test_anyway_draws_what_can_be_drawn_and_says_so(studio: Studio) -> None:
    result = studio().draw("a horse left of a red circle", anyway=True)
    assert result.flow == "fine"
    assert result.notes == ("paint cannot draw 'horse'; drawn anyway",)
    assert any(check.detail.startswith("not judged") for check in result.rounds[0].verdict.checks)


def test_a_flow_that_knows_the_words_is_chosen_before_a_better_one_that_does_not(studio: Studio) -> None:
    home = studio(flows={"fine": 0.9, "open": 0.5})
    assert home.draw("a horse left of a red circle").flow == "open"


def test_a_named_flow_that_cannot_run_says_what_is_missing(studio: Studio) -> None:
    with pytest.raises(CannotDraw, match=r"flow big cannot run here: put big\.safetensors there"):
        studio().draw(PROMPT, flow="big")


def test_a_named_flow_that_is_not_there(studio: Studio) -> None:
    with pytest.raises(BadInput, match="no flow is called 'nope'"):
        studio().draw(PROMPT, flow="nope")


def test_an_index_without_a_runnable_flow(studio: Studio) -> None:
    with pytest.raises(CannotDraw, match="no flow of the index can run here") as error:
        studio(missing=("big", "fine", "fast")).draw(PROMPT)
    assert "put big.safetensors there" in error.value.remedy


# --- threads, stopping ----------------------------------------------------------------------


def test_a_thread_remembers_what_it_has_delivered_and_nothing_else(studio: Studio) -> None:
    home = studio()
    first = home.draw(PROMPT, thread="cards")
    home.draw("a green star", thread="other")
    second = home.draw("a red circle", thread="cards")
    from imagewright.graph.build import build
    from imagewright.graph.state import OWN_TYPES, State
    from imagewright.memory.checkpoints import open_checkpoints

    with open_checkpoints(home.checkpoints, OWN_TYPES) as saver:
        kept = build().compile(checkpointer=saver).get_state({"configurable": {"thread_id": "thread cards"}})
    state = State.model_validate(kept.values)
    assert [turn.run for turn in state.turns] == [first.run, second.run]
    assert [turn.run for turn in state.references] == [first.run]
    assert len(state.rounds) == 1


def test_a_run_outside_any_thread_leaves_no_checkpoints_behind(studio: Studio) -> None:
    import sqlite3

    home = studio()
    home.draw(PROMPT)
    with sqlite3.connect(home.checkpoints) as connection:
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchone() == (0,)


def test_a_stopped_run_can_be_resumed_where_it_was(studio: Studio) -> None:
    home = studio(flaw=crowded_first)

    def stop_in_the_second_picture(event: RunEvent) -> None:
        if event.kind == "step" and len(home.backend.jobs) == 2:
            home.parts.stop.set()

    home.backend.delay = 0.05
    with pytest.raises(Cancelled) as error:
        home.draw(PROMPT, on_event=stop_in_the_second_picture)
    [row] = home.runs.list()
    assert row.status == "cancelled"
    assert f"runs resume {row.id}" in error.value.remedy
    again = studio(flaw=crowded_first)
    result = again.resume(row.id)
    assert again.backend.jobs[0].seed != 7
    assert (result.run, result.images) == (row.id, 2)
    assert again.runs.list()[0].status == "delivered"


def test_resuming_a_delivered_run_delivers_nothing(studio: Studio) -> None:
    home = studio()
    result = home.draw(PROMPT)
    Path(result.path).unlink()
    assert home.resume(result.run) == result
    assert not Path(result.path).exists()
    assert len(home.draws()) == 1


def test_a_run_that_is_being_drawn_cannot_be_resumed_by_another(studio: Studio) -> None:
    home = studio()
    complaints: list[str] = []

    def meddle(event: RunEvent) -> None:
        if event.kind == "step" and event.step == 1:
            with pytest.raises(BadInput) as error:
                studio().resume(event.run)
            complaints.append(str(error.value))

    result = home.draw(PROMPT, on_event=meddle)
    [complaint] = complaints
    assert complaint.startswith(f"run {result.run} is being drawn by another process (process ")


def test_resuming_in_a_thread_that_went_on_keeps_both_pictures(studio: Studio) -> None:
    home = studio()

    def stop(event: RunEvent) -> None:
        if event.kind == "layout":
            home.parts.stop.set()

    with pytest.raises(Cancelled):
        home.draw(PROMPT, thread="cards", on_event=stop)
    stopped = home.runs.list()[0].id
    other = studio().draw("a green star", thread="cards")
    result = studio().resume(stopped)
    assert (result.run, result.prompt) == (stopped, PROMPT)
    assert {row.id: row.status for row in home.runs.list()} == {stopped: "delivered", other.run: "delivered"}
