"""What a plan promises is what a run does: with every shipped flow, up to the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from imagewright import Imagewright
from imagewright.agents.reading.parse import parse_prompt
from imagewright.cli.story import tell_plan
from imagewright.cli.terminal.text import render
from imagewright.errors import BadInput, BudgetSpent, CannotDraw
from imagewright.graph.build import build
from imagewright.graph.choose import placing
from imagewright.graph.decide import plan_request
from imagewright.graph.field_marks import tell_marks
from imagewright.graph.parts import Parts
from imagewright.graph.state import State, fresh
from imagewright.intents import Preference, Settled
from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.schemas import DrawRequest, Layout, LayoutUse, Plan, Value
from imagewright.settings import load_settings

PROMPT = "two red circles above a blue square on a white background"
SHIPPED = {flow.id: flow for flow in load_shipped_flows()}


class Decided(Value):
    """What a plan and a run have to agree on."""

    flow: str
    layout: Layout | None
    """What governs the pixels; None where nothing does."""
    categories: tuple[str, ...]
    prompt: str
    notes: tuple[str, ...]
    first: str = ""
    """The flow that ranks best here."""


def as_planned(plan: Plan) -> Decided:
    return Decided(
        flow=plan.flow, layout=plan.layout if plan.governs else None, categories=plan.categories,
        prompt=plan.drawn_from, notes=plan.notes, first=plan.candidates[0].flow,
    )  # fmt: skip


def as_run(parts: Parts, request: DrawRequest) -> Decided:
    """The same, from the nodes of a run, which is stopped before its first picture.

    Raises:
        ImagewrightError: the run ends before that by itself.
    """
    graph = build().compile(checkpointer=InMemorySaver(), interrupt_before=["generate"])
    config: Any = {"configurable": {"thread_id": "run"}}
    graph.invoke(fresh("20261128-000000-000000", request, request.seed or 0, ""), config, context=parts)  # type: ignore[call-overload]
    state = State.model_validate(graph.get_state(config).values)
    assert state.attempt is not None
    assert state.categories is not None
    return Decided(
        flow=state.attempt.flow, layout=placing(state.attempt.layout), categories=state.categories.telling,
        prompt=state.attempt.prompt, notes=state.notes, first=state.attempt.flow,
    )  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Imagewright:
    """The product as it is installed."""
    return Imagewright(load_settings({"IMAGEWRIGHT_HOME": str(tmp_path_factory.mktemp("home"))}))


def agree(engine: Imagewright, request: DrawRequest) -> Plan:
    """The plan, which a run of the same request keeps."""
    planned = engine.plan(request)
    try:
        done = as_run(engine.container.parts(request), request)
    except (CannotDraw, BudgetSpent) as error:
        refused = tuple(text for text in (str(error), error.remedy) if text)
    else:
        assert as_planned(planned) == done
        return planned
    assert planned.notes[: len(refused)] == refused
    return planned


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_run_keeps_what_the_plan_promises(engine: Imagewright, name: str) -> None:
    planned = agree(engine, DrawRequest(prompt=PROMPT, flow=name))
    card = SHIPPED[name].card
    assert (planned.flow == name) == (card.base_model == "mini"), "without files of others only mini's flows run"
    assert len(planned.layout.boxes) == 3, "the layout is told, whether it governs or not"
    assert planned.governs == (planned.flow == name and card.layout != "words")


def _laid(how: LayoutUse) -> str:
    return next(name for name, flow in sorted(SHIPPED.items()) if flow.card.layout == how)


@pytest.mark.parametrize("how", ["words", "regions"])
@pytest.mark.parametrize(
    ("use_layout", "governs"), [(False, ()), (True, ("regions",)), ("always", ("regions", "words"))]
)
def test_with_and_without_layout(
    engine: Imagewright, how: LayoutUse, use_layout: bool | Literal["always"], governs: tuple[str, ...]
) -> None:
    planned = agree(engine, DrawRequest(prompt=PROMPT, flow=_laid(how), use_layout=use_layout))
    assert planned.governs == (how in governs)
    assert len(planned.layout.boxes) == (3 if use_layout else 0)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"prompt": "an astronaut riding a red circle"}, {"prompt": "a red horse", "anyway": True},
        {"prompt": "a horse", "flow": "mini-quick"}, {"flow": "flux1-dev", "anyway": True}, {"use_layout": False},
        {"use_categories": False}, {"thread": "talk"}, {"max_images": 0}, {"prompt": "a red circle, no stars"},
    ],
)  # fmt: skip
def test_whatever_is_asked_for(engine: Imagewright, options: dict[str, Any]) -> None:
    agree(engine, DrawRequest.model_validate({"prompt": PROMPT, **options}))


def test_what_is_drawn_all_the_same_is_said_in_the_same_words(engine: Imagewright) -> None:
    request = DrawRequest(prompt="an astronaut riding a red circle", anyway=True)
    assert "mini cannot draw 'astronaut', 'riding'; drawn anyway" in agree(engine, request).notes
    refused = agree(engine, request.model_copy(update={"anyway": False}))
    assert refused.notes[0] == "mini cannot draw 'astronaut', 'riding'"
    assert refused.flow == engine.plan(request).flow, "what anyway would draw with"


def test_lasting_wishes_are_planned_with(engine: Imagewright) -> None:
    wish = Preference(kind="never", text="star")
    engine.preferences.put(wish)
    try:
        planned = agree(engine, DrawRequest(prompt=PROMPT))
    finally:
        engine.preferences.remove(wish)
    assert planned.drawn_from == f"{PROMPT}, no star"
    assert planned.prompt == PROMPT
    assert "drawn from" in render(tell_plan(planned))


def test_a_plan_refuses_what_a_run_refuses(engine: Imagewright) -> None:
    for bad in ({"seed": -1}, {"width": 3}, {"max_images": -1}, {"thread": " "}, {"prompt": ""}):
        with pytest.raises(BadInput):
            engine.plan(DrawRequest.model_validate({"prompt": PROMPT, **bad}))


def test_the_story_of_a_plan_says_what_places_things(engine: Imagewright) -> None:
    told = render(tell_plan(engine.plan(PROMPT, flow=_laid("words"))))
    assert "the boxes do not govern the picture: mini-" in told
    assert "3 a blue square" in told
    assert "do not govern" not in render(tell_plan(engine.plan(PROMPT, flow=_laid("regions"))))
    assert "the one asked for cannot run here" in render(tell_plan(engine.plan(PROMPT, flow="flux1-dev")))


def test_an_edit_is_planned_as_it_would_be_drawn(studio: Callable[..., Any]) -> None:
    home = studio(flows={"words": 0.9, "boxes": 0.8}, missing=())
    home.parts.catalogue.layouts = {"words": "words", "boxes": "regions"}
    home.say("a red circle left of a blue square")
    request = DrawRequest(prompt="make the square green", thread="t")
    planned = plan_request(home.parts, request, home.checkpoints)
    done = home.say("make the square green").result
    assert (planned.flow, planned.drawn_from, planned.governs) == (done.flow, done.rounds[0].prompt, True)
    assert planned.layout == done.rounds[0].layout


def test_a_plan_asks_the_writer_that_a_run_asks(studio: Callable[..., Any]) -> None:
    from imagewright.schemas import Card, ParsedPrompt, Written

    class Writer:
        def write(self, prompt: str, parsed: ParsedPrompt, card: Card) -> Written:
            return Written(prompt=f"{prompt}, sharp", added=("sharp",), decided_by="a model")

    home = studio(flows={"open": 0.9}, missing=(), writer=Writer())
    request = DrawRequest(prompt="a red circle")
    assert as_planned(plan_request(home.parts, request)) == as_run(home.parts, request)
    assert plan_request(home.parts, request).drawn_from == "a red circle, sharp"


def test_a_lora_tag_is_offered_as_the_flow_that_loads_it(studio: Callable[..., Any]) -> None:
    home = studio(flows={"plain": 0.9, "ink": 0.8}, missing=())
    home.parts.catalogue.loras = {"ink": ("inkStyle",)}
    tagged = "a red circle <lora:inkStyle:0.8>"
    told = plan_request(home.parts, DrawRequest(prompt=tagged)).notes
    assert "the LoRA inkStyle is loaded by ink: ask for one with --flow ink" in told
    assert any(
        "ink loads the LoRA" in line for line in plan_request(home.parts, DrawRequest(prompt=tagged, flow="ink")).notes
    )
    assert not any("LoRA" in line for line in plan_request(home.parts, DrawRequest(prompt="a red circle")).notes)


@pytest.mark.parametrize(
    ("flow", "words"),
    [("mini-quick", "put plainly for mini"), ("qwen-image", "reads words alone"), ("sdxl-base", "")],
)
def test_weights_that_a_flow_does_not_hear_are_told(engine: Imagewright, flow: str, words: str) -> None:
    said = "a (red circle:1.3) above a blue square"
    parts = engine.container.parts(DrawRequest(prompt=said))
    plain = said if flow != "mini-quick" else "a red circle above a blue square"
    told = tell_marks(said, Settled(prompt=plain, parsed=parse_prompt(said)), parts, flow)
    assert [words in line for line in told] == [True] * bool(words)
    assert tell_marks(plain.replace(":1.3", ""), Settled(prompt=plain, parsed=parse_prompt(said)), parts, flow) == ()


def test_the_shipped_index_knows_who_loads_a_lora(engine: Imagewright) -> None:
    assert set(engine.index.carry_lora("counting")) == {"mini-counting", "mini-counting-strict"}
    assert engine.index.carry_lora("sub/Counting.safetensors") == engine.index.carry_lora("counting")
    assert engine.index.carry_lora("count") == ()


def test_every_shipped_flow_is_compared() -> None:
    assert len(SHIPPED) >= 34
    assert {flow.card.layout for flow in SHIPPED.values()} == {"words", "regions", "either"}
