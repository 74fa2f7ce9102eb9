"""Traces of every earlier version open, are told and replayed; those of a later one do no harm; a broken one is named.

The files in ``tests/data/traces`` were written by the versions that first wrote them so; each is named by what was new.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagewright import Imagewright
from imagewright.cli.story import tell_trace
from imagewright.cli.terminal.text import render
from imagewright.database import database
from imagewright.errors import BadInput
from imagewright.graph.replay import replay
from imagewright.graph.why import explain
from imagewright.memory.runs import RUN_TABLES, RunLog
from imagewright.memory.threads import Threads
from imagewright.schemas import DrawRequest, RunResult
from imagewright.settings import load_settings
from imagewright.trace import Trace, open_trace, read_trace

FILES = sorted((Path(__file__).parent.parent / "data" / "traces").glob("*.json"))
MINI = next(path for path in FILES if path.stem.endswith("by-mini"))
NEWEST = FILES[-2]
Studio = Callable[..., Any]
every_version = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def plain(path: Path) -> dict[str, Any]:
    """What the file holds."""
    value: dict[str, Any] = json.loads(path.read_bytes())
    return value


def keep(log: RunLog, value: dict[str, Any], thread: str | None = None, text: str | None = None) -> str:
    """Put a trace into a log as its delivery did; the run."""
    run = str(value["run"])
    log.start(run, thread or f"run {run}", DrawRequest(prompt=value["prompt"]), 7, Path(value["path"]))
    log.deliver(RunResult.model_validate({k: v for k, v in value.items() if k in RunResult.model_fields}), value)
    if text is not None:
        with database(log.path, "memory", RUN_TABLES) as connection:
            connection.execute("UPDATE deliveries SET trace = ? WHERE run = ?", (text, run))
    return run


@pytest.fixture
def log() -> RunLog:
    """The log of this test's own home."""
    settings = load_settings()
    return RunLog(settings.database, settings.data_dir / "locks")


# --- earlier versions -----------------------------------------------------------------------


def test_there_is_a_trace_of_every_shape() -> None:
    new = [set(plain(path)) for path in FILES]
    assert not {"said", "settled", "tried", "batch"} & new[0]
    assert {"said", "settled"} <= new[1]
    assert "tried" in new[3]
    assert "batch" in new[4]
    rounds = [plain(path)["rounds"][0] for path in FILES]
    assert ["base" in made for made in rounds] == [False, False, *[True] * 7]
    assert ["nearer" in made["verdict"] for made in rounds] == [*[False] * 7, True, True]
    assert [plain(path)["spent"].get("money") for path in FILES][5] == "unknown"
    assert ["slots" in next(iter(plain(path)["flows"].values())) for path in FILES] == [*[False] * 6, *[True] * 3]


@every_version
def test_it_opens_whole_and_is_written_with_the_keys_that_it_has(path: Path) -> None:
    trace = open_trace(path)
    assert trace.unknown == ()
    assert list(trace.to_json()) == list(plain(path))
    assert (trace.delivered, trace.is_newer) == (True, False)
    assert {made.image for made in trace.rounds} >= {trace.image}


@every_version
def test_it_is_told(path: Path, log: RunLog, typed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    value, run_here = plain(path), typed(capsys)
    run = keep(log, value)
    code, out, err = run_here("runs", "show", run)
    assert (code, err) == (0, "")
    for words in (value["choice"]["reason"], f"seed {value['seed']}", value["image"][:12], "decided by rules"):
        assert words in " ".join(out.split())
    assert "not understood" not in out
    code, out, err = run_here("why", run)
    assert (code, err) == (0, "")
    assert f"{value['choice']['flow']} was chosen by the measured scores" in out
    assert "picture 1: not accepted" in out
    code, out, _ = run_here("runs", "show", run, "--json")
    assert {name: json.loads(out)[name] for name in value} == value


@pytest.mark.parametrize("path", [path for path in FILES if path != MINI], ids=lambda path: path.stem)
def test_it_is_replayed(path: Path, studio: Studio) -> None:
    home = studio()
    value = plain(path)
    found = replay(home.parts, value, lambda event: None)
    assert (found.run, found.recorded) == (value["run"], value["image"])
    made = next(made for made in value["rounds"] if made["image"] == value["image"])
    job = home.backend.jobs[-1]  # the painter of that time painted another world: the job is compared, not its pixels
    assert (job.seed, job.prompt, job.flow.id) == (made["seed"], made["prompt"], made["flow"])
    assert replay(home.parts, value, lambda event: None).image == found.image


def test_one_of_a_real_model_is_replayed(log: RunLog) -> None:
    engine = Imagewright(load_settings())
    run = keep(log, plain(MINI))
    with Image.open(MINI.with_suffix(".png")) as picture:
        assert engine.store.put_image(picture) == plain(MINI)["image"]
    found = engine.replay(run)
    assert found.mean_difference is not None
    assert found.mean_difference < 0.1, "the number of threads alone may move a value by one"


def test_a_conversation_of_earlier_versions_is_remembered(log: RunLog) -> None:
    runs = [keep(log, plain(path), "thread old") for path in FILES[:4]]
    pictures = Threads(log.path).pictures("old")
    assert [(picture.run, picture.number) for picture in pictures] == [(run, n) for n, run in enumerate(runs, 1)]
    assert [picture.said for picture in pictures] == ["a red circle above a blue square"] * 4
    assert [len(picture.tried) for picture in pictures] == [0, 0, 0, 1]


def test_a_trace_of_today_has_the_keys_of_yesterday(studio: Studio) -> None:
    home = studio()
    made = plain(Path(home.draw("a red circle above a blue square").trace))
    before = plain(NEWEST)
    assert list(made) == list(before)
    for name in ("spent", "request", "choice", "categorised"):
        assert list(made[name])[: len(before[name])] == list(before[name]), name
    assert list(made["rounds"][0]) == list(before["rounds"][0])
    assert list(made["flows"]["fine"]) == list(before["flows"]["fine"])
    assert home.runs.show(made["run"]) == {**home.runs.show(made["run"]), **made}


def test_an_unknown_cost_is_written_as_before() -> None:
    value = plain(FILES[5])
    assert open_trace(FILES[5]).to_json()["spent"] == value["spent"]
    assert "cost unknown (no price for" in explain(value, "cost")


# --- later versions -------------------------------------------------------------------------


def newer(**more: Any) -> dict[str, Any]:
    """A trace of a later version: with a mood, and a sharpness of its first picture."""
    value = plain(NEWEST)
    first, *rest = value["rounds"]
    return {**value, "mood": "calm", "rounds": [{**first, "sharpness": 0.5, "glare": None}, *rest], **more}


def test_what_this_version_does_not_know_is_kept_or_named(studio: Studio) -> None:
    trace = read_trace(newer())
    assert trace.unknown == ("mood", "rounds.0.sharpness")
    assert trace.to_json()["mood"] == "calm"
    assert "not understood by this version: mood, rounds.0.sharpness" in explain(trace, "")
    assert "mood, rounds.0.sharpness" in " ".join(render(tell_trace(trace)).split())
    assert replay(studio().parts, trace, lambda event: None).recorded == trace.image


def test_a_newer_format_is_told_as_far_as_it_is_understood_and_not_replayed(studio: Studio) -> None:
    value = newer(imagewright=2)
    assert "mood" in explain(value, "")
    with pytest.raises(BadInput, match="newer version"):
        replay(studio().parts, value, lambda event: None)
    with pytest.raises(BadInput, match="newer version") as caught:
        read_trace(newer(imagewright=2, seed={"first": 1}))
    assert caught.value.remedy == "upgrade imagewright"


def test_a_run_of_a_later_version_is_listed_and_told(
    log: RunLog, typed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    value = plain(NEWEST)
    run = keep(log, value, text=json.dumps(newer()))
    with database(log.path, "memory", RUN_TABLES) as connection:
        result = {**json.loads(log.get(run).result.model_dump_json()), "mood": "calm"}  # type: ignore[union-attr]
        connection.execute("UPDATE deliveries SET result = ? WHERE run = ?", (json.dumps(result), run))
    code, out, err = typed(capsys)("runs", "list")
    assert (code, run in out, err) == (0, True, "")
    code, out, err = typed(capsys)("runs", "show", run)
    assert (code, err) == (0, "")
    assert "newer" in out


# --- broken ones ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "7", "[" * 200_000, '{"a":' * 200_000, '{"imagewright": "one"}', '{"rounds": 3}',
     '{"rounds": [{"flow": 3, "seed": 1, "prompt": ""}]}', '{"choice": {"flow": []}}', '{"facts": [[]]}', "\ud800"],
)  # fmt: skip
def test_a_broken_trace_is_named(
    text: str, tmp_path: Path, log: RunLog, typed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(BadInput, match=r"a\.json") as caught:
        open_trace(path)
    assert caught.value.remedy
    if text == "\ud800":
        return
    run = keep(log, plain(NEWEST), "thread broken", text=text)
    run_here = typed(capsys)
    for words in (
        ("runs", "show", run),
        ("why", run),
        ("runs", "replay", run),
        ("threads", "list", "--search", "purple"),
    ):
        code, _, err = run_here(*words)
        assert (code, f"the trace of run {run}" in err, "Traceback" in err) == (2, True, False), words


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        open_trace(tmp_path / "nothing.json")


def test_a_cut_trace_is_not_replayed(studio: Studio) -> None:
    for cut in ({"flows": {}}, {"request": None}, {"image": "0" * 64}):
        with pytest.raises(BadInput, match="lacks what a replay needs"):
            replay(studio().parts, {**plain(NEWEST), **cut}, lambda event: None)


def test_a_trace_that_is_read_is_read_once() -> None:
    trace = Trace(run="r")
    assert read_trace(trace) is trace
    assert trace.to_json() == {"run": "r"}
