"""Failures by cause: the first stage that went wrong, and what is right is no failure."""

import json
from pathlib import Path

import pytest

from imagewright.evals.failures import cause_of, collect_failures, failure_table, main, sheet
from imagewright.schemas import Box, Layout, Round, Verdict
from imagewright.t2i_backends.mini.captions import synonyms
from imagewright.t2i_backends.mini.render import draw_scene
from imagewright.t2i_backends.mini.world import Group, Scene, Thing

SCENE = Scene((Group(1, "red", "cup"), Group(1, "gray", "boat")), "left", None, "white", (), 0.5)
PROMPT = "a red mug left of a grey ship on a white background"


def box(name: str, colour: str, x: float) -> Box:
    return Box(caption=f"a {colour} {name}", object=name, attributes=(colour,), x=x, y=0.4, width=0.2, height=0.2)


GOOD = Layout(boxes=(box("mug", "red", 0.1), box("ship", "grey", 0.7)))
TURNED = Layout(boxes=(box("mug", "red", 0.7), box("ship", "grey", 0.1)))


def made(layout: Layout | None, accepted: bool | None) -> Round:
    verdict = None if accepted is None else Verdict(accepted=accepted, score=0.5)
    return Round(image="x", flow="f", seed=1, prompt=PROMPT, layout=layout, verdict=verdict)


@pytest.mark.parametrize(
    ("prompt", "layout", "accepted", "cause"),
    [
        (PROMPT, GOOD, True, "critic"),
        (PROMPT, GOOD, False, "drawing"),
        (PROMPT, None, None, "critic"),
        (PROMPT, TURNED, False, "layout"),
        (PROMPT, Layout(boxes=GOOD.boxes[:1]), True, "layout"),
        ("two red mugs left of a grey ship", GOOD, True, "reading"),
        ("a red mug and a grey ship", GOOD, True, "reading"),
    ],
)
def test_the_first_stage_that_went_wrong(prompt: str, layout: Layout | None, accepted: bool | None, cause: str) -> None:
    assert cause_of(SCENE, prompt, made(layout, accepted), synonyms()) == cause


def test_a_folder_gives_its_failures_a_table_and_a_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = {"groups": [[1, "red", "cup"], [1, "gray", "boat"]], "relation": "left", "background": "white"}
    lines = [json.dumps({"prompt": PROMPT, "number": n, "kind": "relation", **truth}) for n in range(3)]
    (tmp_path / "prompts.jsonl").write_text("\n".join(lines))
    (tmp_path / "full").mkdir()
    things = (Thing("cup", "red", 0.25, 0.5, 0.3), Thing("boat", "gray", 0.75, 0.5, 0.3))
    for number, shown in enumerate((things, things[:1], ())):
        stem = tmp_path / "full" / f"000{number}-0"
        draw_scene(Scene((), None, None, "white", shown, 0.5)).save(f"{stem}.png")
        Path(f"{stem}.cell.json").write_text("{}")
        rounds = [made(GOOD, accepted=number == 2).model_dump(mode="json")]
        Path(f"{stem}.json").write_text(json.dumps({"image": "x", "rounds": rounds}))
    found = collect_failures(tmp_path)
    assert [(f.case.seed, f.cause) for f in found] == [(2, "critic"), (1, "drawing")]
    assert "critic      1   50.0%" in failure_table(found)
    assert sheet(found).width > 500
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "failures.png").is_file()
    assert "0 gray boat instead of 1" in capsys.readouterr().out
    assert main([str(tmp_path), "--arm", "nobody"]) == 2
