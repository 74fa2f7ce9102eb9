"""The report's prompts and its arithmetic; drawing them is the report itself."""

import pytest

from imagewright.evals.exact_checker import look
from imagewright.evals.mini_report import ROWS, ReportCase, cases, complaints, tally, wilson_interval
from imagewright.t2i_backends.mini.render import draw_scene


def test_every_row_has_its_prompts() -> None:
    made = cases(seed=1, scale=0.1)
    assert made == cases(seed=1, scale=0.1)
    for row in ROWS:
        mine = [case for case in made if case.kind == row.name]
        assert len(mine) == round(row.prompts * 0.1)
        assert {tuple(g.count for g in case.scene.groups) for case in mine} == set(row.counts)
        if row.related is not None:
            assert {case.scene.relation is not None for case in mine} == {row.related}


def test_the_report_has_four_hundred_prompts() -> None:
    assert sum(row.prompts for row in ROWS) == 400


def test_a_render_of_the_case_is_right_and_another_is_wrong() -> None:
    made = cases(seed=2, scale=0.02)
    pictures = [draw_scene(case.scene) for case in made]
    assert [complaints(c, look(p)) for c, p in zip(made, pictures, strict=True)] == [()] * len(made)
    assert all(complaints(c, look(p)) for c, p in zip(made, pictures[1:] + pictures[:1], strict=True))


def test_the_table_counts(capsys: pytest.CaptureFixture[str]) -> None:
    scene = cases(seed=3, scale=0.01)[0].scene
    made = [ReportCase("one", scene, "x", i) for i in range(4)]
    (row,) = tally(made, [(), (), ("wrong",), ()])
    assert (row["prompts"], row["right"]) == (4, 0.75)
    assert "75.0%" in capsys.readouterr().out
    low, high = wilson_interval(3, 4)
    assert 0.3 < low < 0.75 < high < 0.96
