"""A batch goes on where it was left: what was delivered is not drawn again, what was cut off is resumed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from imagewright.batch import Batch, say_row
from imagewright.batch import draw_all as draw_everything
from imagewright.errors import BadInput, CannotDraw
from imagewright.schemas import DrawRequest, RunEvent


class Hand:
    """Draws coloured squares where an engine would draw; counts what it is asked for."""

    def __init__(self, die_at: str = "") -> None:
        self.asked: list[str] = []
        self.die_at = die_at
        self.runs = SimpleNamespace(get=lambda run: SimpleNamespace(status="interrupted"))

    def draw(self, request: DrawRequest, on_event: Any) -> Any:
        """One square."""
        self.asked.append(request.prompt)
        on_event(RunEvent(kind="run", run=f"run of {request.prompt}", text=""))
        if request.prompt == self.die_at:
            raise KeyboardInterrupt
        if request.prompt == "an astronaut":
            raise CannotDraw("mini cannot draw 'astronaut'")
        return self._made(str(request.out))

    def resume(self, run: str, on_event: Any) -> Any:
        """The rest of a run that was cut off."""
        self.asked.append(f"resume {run}")
        return self._made(self.out)

    out = ""

    def _made(self, path: str) -> Any:
        Image.new("RGB", (64, 64), "red").save(path)
        return SimpleNamespace(path=path, image="0" * 64, seed=1, flow="f", accepted=False, score=0.62)


PROMPTS = ["a red circle", "an astronaut", "a green house"]


def draw_all(hand: Hand, folder: Path) -> Batch:
    """Every prompt of the batch."""
    batch = Batch(hand, folder, PROMPTS)  # type: ignore[arg-type]
    for number in range(len(PROMPTS)):
        batch.draw(number, DrawRequest(prompt="x"), lambda event: None)
    return batch


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    first = draw_all(Hand(), tmp_path / "b")
    assert [row.get("accepted") for row in first.rows] == [False, None, False]
    assert say_row(first.rows[0]) == "not accepted 0.62"
    assert [row["status"] for row in first.rows] == ["delivered", "failed", "delivered"]
    hand = Hand()
    draw_all(hand, tmp_path / "b")
    assert hand.asked == ["an astronaut"]


def test_a_run_that_was_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        draw_all(Hand(die_at="a green house"), tmp_path / "b")
    kept = json.loads((tmp_path / "b" / "manifest.json").read_text())["rows"]
    assert (kept[2]["status"], kept[2]["run"]) == ("running", "run of a green house")
    hand = Hand()
    hand.out = str(tmp_path / "b" / "003.png")
    draw_all(hand, tmp_path / "b")
    assert hand.asked == ["an astronaut", "resume run of a green house"]


def test_the_contact_sheet_shows_every_picture(tmp_path: Path) -> None:
    batch = draw_all(Hand(), tmp_path / "b")
    with Image.open(batch.contact_sheet()) as sheet:
        assert sheet.size == (2 * 128, 128 + 14)
        assert sheet.getpixel((60, 60)) == sheet.getpixel((188, 60)) == (255, 0, 0)


def test_variations_have_seeds_of_their_own_and_the_same_words(tmp_path: Path) -> None:
    hand = Seeds()
    request = DrawRequest(prompt="a red circle", seed=2**64 - 1, format="webp", taken="replace")
    prompts = ["a red circle"] * 3
    drawn = draw_everything(hand, prompts, tmp_path / "b", request, _ignore, _ignore, own_seeds=True)  # type: ignore[arg-type]
    assert hand.seeds == [2**64 - 1, 0, 1]
    assert {row["status"] for row in drawn.rows} == {"delivered"}
    assert sorted(path.name for path in (tmp_path / "b").glob("*.webp")) == ["001.webp", "002.webp", "003.webp"]
    assert (drawn._repr_png_() or b"").startswith(b"\x89PNG")
    draw_everything(hand, prompts, tmp_path / "b", request, _ignore, _ignore, own_seeds=True)  # type: ignore[arg-type]
    assert len(hand.seeds) == 3


def test_somebodys_own_contact_sheet_stays(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    own = tmp_path / "b" / "contact-sheet.png"
    own.write_bytes(b"mine")
    for _ in range(2):
        batch = draw_all(Hand(), tmp_path / "b")
        assert batch.contact_sheet() == str(tmp_path / "b" / "contact-sheet-2.png")
    assert own.read_bytes() == b"mine"


class Seeds(Hand):
    """Notes the seeds and what is to be done with names that are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds: list[int | None] = []

    def draw(self, request: DrawRequest, on_event: Any) -> Any:
        """One square."""
        self.seeds.append(request.seed)
        assert request.taken == "replace"
        return super().draw(request, on_event)


def _ignore(*told: object) -> None:
    pass


def test_another_batch_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    draw_all(Hand(), tmp_path / "b")
    with pytest.raises(BadInput, match="another batch"):
        Batch(Hand(), tmp_path / "b", ["something else"])  # type: ignore[arg-type]
