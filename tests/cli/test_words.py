"""``imagewright words``: what the small model can draw, in words, as JSON and as a sheet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from imagewright.api import Imagewright
from imagewright.cli.app import app
from imagewright.errors import BadInput
from imagewright.t2i_backends.mini.world import COLOURS, PATTERNS, SHAPES, STYLES
from imagewright.world_words import KnownWorld, write_sheet


def test_everything_that_it_was_taught_is_listed() -> None:
    told = CliRunner().invoke(app, ["words"])
    assert told.exit_code == 0, told.output
    for word in (*SHAPES, *COLOURS, *PATTERNS, *STYLES, "left of", "up to 5 things", "128x128"):
        assert word in told.stdout.replace("\n           ", " ")


def test_the_sheet_has_a_drawing_of_each_and_says_who_drew_it(tmp_path: Path) -> None:
    sheet = tmp_path / "words.png"
    told = CliRunner().invoke(app, ["words", "--sheet", str(sheet), "--json"])
    world = json.loads(told.stdout)["worlds"][0]
    assert (world["model"], sorted(world["things"])) == ("mini", sorted(SHAPES))
    with Image.open(sheet) as image:
        assert image.getpixel((72, 92)) == (220, 35, 40), "the first drawing is a red circle"
        cells = len(SHAPES) + len(COLOURS) + len(PATTERNS) + len(STYLES)
        assert image.height > -(-cells // 7) * 128


def test_there_are_no_drawings_of_another_models_world(tmp_path: Path) -> None:
    known = Imagewright().list_worlds()[0]
    with pytest.raises(BadInput, match="drawings of the shipped model's words only"):
        write_sheet(KnownWorld("other", known.world, 1), tmp_path / "x.png")
