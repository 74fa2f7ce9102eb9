"""Lasting wishes are kept, switched off and forgotten; a damaged file is told in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.errors import BadInput
from imagewright.intents import Preference
from imagewright.memory.preferences import Preferences

WATERCOLOUR = Preference(kind="style", text="watercolour")
NO_TEXT = Preference(kind="never", text="text")


def test_wishes_are_kept_in_their_order_and_switched_off(tmp_path: Path) -> None:
    kept = Preferences(tmp_path / "store.sqlite")
    assert kept.all() == ()
    assert not kept.put(WATERCOLOUR)
    kept.put(NO_TEXT)
    assert kept.put(WATERCOLOUR.model_copy(update={"on": False}))
    again = Preferences(tmp_path / "store.sqlite").all()
    assert {(wish.text, wish.on) for wish in again} == {("watercolour", False), ("text", True)}
    assert kept.remove(NO_TEXT)
    assert not kept.remove(NO_TEXT)
    assert [wish.text for wish in kept.all()] == ["watercolour"]


def test_what_was_never_noted_is_not_switched_off(tmp_path: Path) -> None:
    kept = Preferences(tmp_path / "store.sqlite")
    assert not kept.put(NO_TEXT.model_copy(update={"on": False}))
    assert kept.all() == ()


def test_a_damaged_file_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"not a database, and long enough to be looked at as one" * 40)
    with pytest.raises(BadInput, match="not a database"):
        Preferences(tmp_path / "store.sqlite").all()
