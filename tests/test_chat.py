"""A conversation on the shipped model: it lasts over restarts, edits keep pixels, wishes and thumbs are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imagewright import Imagewright
from imagewright.chat import Chat
from imagewright.errors import BadInput, CannotDraw


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    """A conversation with the quick flow, without critic, so that it takes seconds."""
    return Imagewright().chat("sky", flow="mini-quick", use_critic=False, seed=3, out=str(tmp_path / "out"))


def again(chat: Chat) -> Chat:
    """The same conversation, as a new process would open it."""
    return Imagewright().chat("sky", **chat._options.model_dump(exclude={"prompt", "thread"}))


def test_a_conversation_goes_on_after_a_restart(chat: Chat) -> None:
    first = chat.say("a red circle left of a blue square on a white background")
    assert first.result is not None
    later = again(chat)
    second = later.say("make the circle green")
    assert second.result is not None
    old, new = (np.asarray(later._container.store.open(r.result.image)).astype(float) for r in (first, second))
    half, reach = old.shape[1] // 2, old.shape[1] // 16  # the decoder paints a little past the box
    assert np.abs(old - new)[:, : half - reach].mean() > 2
    assert np.abs(old - new)[:, half + reach :].max() == 0
    assert Path(second.text).name == "sky-02.png"
    assert again(chat).say("undo").text.startswith("back to picture 1")
    assert [picture.number for picture in again(chat).pictures] == [1]
    assert "mini-quick was chosen" in again(chat).say("why this flow?").text
    thumb = again(chat).say("thumbs up")
    assert thumb.text.startswith("noted: thumb up for mini-quick")
    rows = later._container.index.evidence_for("mini-quick")
    assert [(row.value, row.scorer) for row in rows if row.source == "person"] == [(1.0, "thumb")]


def test_what_cannot_be_drawn_leaves_the_conversation_where_it_was(chat: Chat) -> None:
    chat.say("a red circle")
    with pytest.raises(CannotDraw, match="night"):
        chat.say("at night")
    assert [picture.prompt for picture in chat.pictures] == ["a red circle on a white background"]
    assert chat.pending is None


def test_a_question_waits_for_its_answer_over_a_restart(chat: Chat) -> None:
    chat.say("two red circles on a white background")
    asked = chat.say("make the circle green")
    assert asked.question is not None
    waiting = again(chat).pending
    assert waiting is not None
    assert waiting.status == "asked"
    repeated = again(chat).resume()
    assert repeated is not None
    assert repeated.question == asked.question
    assert again(chat).say("never mind").text == "all right, nothing is changed"


def test_lasting_wishes_are_kept_and_left_out_where_nothing_can_draw_them(chat: Chat) -> None:
    assert "in watercolour" in chat.say("I like watercolour").text
    drawn = chat.say("a red circle").result
    assert drawn is not None
    assert drawn.prompt == "a red circle"
    assert any("lasting wishes are left out" in note for note in drawn.notes)
    assert chat.say("forget that I like watercolour").text == "switched off: in watercolour"
    assert [wish.on for wish in chat._container.preferences.all()] == [False]


def test_a_name_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(BadInput, match="thread"):
        Imagewright().chat("  ")


def test_a_picture_of_the_shipped_model_replays_to_identical_pixels(tmp_path: Path) -> None:
    engine = Imagewright()
    result = engine.draw("a red circle", flow="mini-quick", seed=4, max_images=1, use_critic=False, out=str(tmp_path))
    found = engine.replay(result.run)
    assert (found.same, found.mean_difference, found.differences) == (True, 0.0, ())


@pytest.mark.slow
def test_twenty_runs_replay_to_identical_pixels(tmp_path: Path) -> None:
    """New pictures, edits, variations and repaired ones; another engine draws them again."""
    quick = {"flow": "mini-quick", "out": str(tmp_path), "max_images": 2}
    talk = Imagewright().chat("r", use_critic=False, seed=9, **quick)
    said = [
        "a red circle left of a blue square", "make the circle green", "bigger circle", "one more",
        "move the square up", "add a yellow star", "without the square", "a purple heart on a white background",
        "make it red", "one more",
    ]  # fmt: skip
    runs = [talk.say(text).run for text in said]
    engine = Imagewright()
    prompts = [
        "two red circles",
        "a green house",
        "three stars",
        "a blue triangle above a star",
        "an orange heart",
    ]
    runs += [engine.draw(prompt, seed=n, **quick).run for n in (1, 2) for prompt in prompts]
    assert len(runs) == 20
    found = [Imagewright().replay(run) for run in runs[:2]] + [engine.replay(run) for run in runs[2:]]
    assert [one.same for one in found] == [True] * 20
    assert [one.differences for one in found] == [()] * 20


HARD = "six red circles and six blue squares"
"""More than the small model can count: its first picture is never right."""


def test_a_limit_is_asked_about_and_something_new_means_no(tmp_path: Path) -> None:
    chat = Imagewright().chat("hard", flow="mini-quick", max_images=1, anyway=True, seed=3, out=str(tmp_path))
    asked = chat.say(HARD)
    assert asked.question is not None
    assert asked.text.startswith("another picture would pass your limit of 1 image (the best so far scores ")
    assert chat.question == asked.question.model_copy(update={"choices": ("yes", "no")})
    later = Imagewright().chat("hard", flow="mini-quick", max_images=1, anyway=True, seed=3, out=str(tmp_path))
    told: list[str] = []
    answer = later.say("what seed was that?", on_event=lambda event: told.append(event.kind))
    assert "delivered" in told, "the best picture was handed over first"
    assert answer.text.startswith("seed 3")
    assert [picture.prompt for picture in later.pictures] == [f"{HARD} on a white background"]
    assert later.pending is None or later.pending.status == "answered"


def test_several_variations_are_as_many_turns_and_a_contact_sheet(chat: Chat) -> None:
    assert chat.count_asked("show me 4 variations") == 0, "of what?"
    first = chat.say("a red circle on a white background")
    assert chat.count_asked("Show me 4 variations, please!") == 4
    assert chat.count_asked("one more") == chat.count_asked("four stars") == 0
    assert first.result is not None
    sheet = Path(first.result.path).parent / "sky-02-to-03.png"
    sheet.write_bytes(b"somebody's own")
    reply = chat.say("show me two variations")
    assert reply.result is not None
    assert [Path(made.path).name for made in (*reply.others, reply.result)] == ["sky-02.png", "sky-03.png"]
    assert len({made.seed for made in (first.result, *reply.others, reply.result)}) == 3
    assert sheet.read_bytes() == b"somebody's own"
    assert Path(reply.contact_sheet) != sheet
    assert Path(reply.contact_sheet).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(BadInput, match="not drawn at once"):
        chat.draw_variations(99)
