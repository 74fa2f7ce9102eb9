"""The matrix command: resumes, gives layouts only to the flows that are run with one, and writes the compact file."""

from pathlib import Path

import pytest
from PIL import Image

from imagewright.errors import BadInput
from imagewright.evals import matrix
from imagewright.evals.matrix import flows_in, layout_for
from imagewright.ports import Drawn, Job
from imagewright.retrieval.score_matrix import parse_matrix
from imagewright.schemas import Readiness
from imagewright.tools import mini_flows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mini_flows.main(["--out", str(tmp_path / "flows")])
    return tmp_path / "flows"


def test_only_a_flow_with_the_tag_is_drawn_with_a_layout(folder: Path) -> None:
    plain, laid_out = flows_in(folder, ["mini-plain", "mini-layout"])
    prompt = "two red stars left of a blue cup"
    assert layout_for(plain, prompt) == ()
    assert [region.caption for region in layout_for(laid_out, prompt)] == ["a red star"] * 2 + ["a blue cup"]


def test_flows_are_named_or_all(folder: Path, tmp_path: Path) -> None:
    assert len(flows_in(folder, None)) == len(mini_flows.RECIPES)
    assert [flow.id for flow in flows_in(folder, ["mini-heun"])] == ["mini-heun"]
    with pytest.raises(BadInput, match="'nope'"):
        flows_in(folder, ["nope"])
    with pytest.raises(BadInput, match="no flow"):
        flows_in(tmp_path / "empty", None)


def test_a_killed_matrix_goes_on_and_counts_nothing_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, int, bool]] = []

    class Backend:
        name = "grey"

        def __init__(self, *details: object) -> None:
            pass

        def check(self, flow: object) -> Readiness:
            return Readiness()

        def draw(self, job: Job, on_step: object, is_cancelled: object) -> Drawn:
            if len(drawn) == 5 and not finish:
                raise KeyboardInterrupt
            drawn.append((job.prompt, job.seed, bool(job.regions)))
            return Drawn(Image.new("RGB", (8, 8), (job.seed * 50, 0, 0)), 0.5)

    class Redness:
        name = "redness"

        def score(self, prompt: str, parsed: object, image: Image.Image) -> float:
            return image.getpixel((0, 0))[0] / 255  # type: ignore[index,no-any-return,operator]

    finish = False
    monkeypatch.setattr(matrix.registry, "load", lambda group, name: Backend if group == "backends" else Redness)
    out = tmp_path / "scores.jsonl"
    command = ["--flows", str(folder), "--only", "mini-plain", "mini-layout", "--count", "2", "--seeds", "2"]
    command += ["--out", str(out), "--store", str(tmp_path / "cells.sqlite"), "--prompts", str(tmp_path / "p.jsonl")]
    assert matrix.main(command) == 130
    assert not out.exists()
    finish = True
    assert matrix.main(command) == 0
    assert len(drawn) == len(set(drawn)) == 8
    found = parse_matrix(out.read_text().splitlines(), "x")
    assert len(found.rows) == 8
    assert {(row.seed, row.value) for row in found.rows} == {(0, 0.0), (1, 0.196)}
    assert matrix.main(command) == 0
    assert len(drawn) == 8


def test_nonsense_numbers_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert matrix.main(["--flows", str(folder), "--out", "x", "--seeds", "0"]) == 2
    assert "--seeds" in capsys.readouterr().err
