"""The critic's report: right pictures and spoilt ones, told apart without any judge."""

import pytest

from imagewright.evals import critic_report


def test_form_takes_fewer_spoilt_things_for_right_than_names_do(capsys: pytest.CaptureFixture[str]) -> None:
    found = {row.kind: row for row in critic_report.rows(12, seed=1)}
    assert list(found) == list(critic_report.SPOILS)
    assert all(row.whole <= row.named for row in found.values())
    spoilt = ("misshapen", "torn", "partly gone")
    assert sum(found[kind].whole for kind in spoilt) < 0.5 * (found["whole"].whole + found["uneven"].whole)


def test_no_picture_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert critic_report.main(["--count", "0"]) == 2
    assert "--count" in capsys.readouterr().err
