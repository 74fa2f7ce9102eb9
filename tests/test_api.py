"""The Python interface, wired with the real parts: index, embedder, executor. Only the weights are untrained here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import warm
from PIL import Image

from imagewright import Imagewright
from imagewright.errors import BadInput, CannotDraw
from imagewright.schemas import DrawRequest, RunEvent
from imagewright.settings import Settings

PROMPT = "a red circle above a blue square"
SHIPPED = Path(__file__).parent.parent / "t2i_backends" / "mini" / "weights" / "pipeline" / "model_index.json"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model root with an untrained mini in it: the architecture is right and the pictures are noise."""
    from imagewright.t2i_backends.mini.architecture import build_pipeline, export_pipeline
    from imagewright.t2i_backends.mini.training.train_autoencoder import build_autoencoder

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("models")
    export_pipeline(build_pipeline(build_autoencoder()), root / "checkpoints" / "mini")
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for the module, so that its index is filled once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def engine(home: Path, models: Path) -> Imagewright:
    """The product on that folder and that model."""
    return Imagewright(Settings(data_dir=home, model_roots=(models,), device="cpu"))


def in_a_process(code: str, home: Path, models: Path) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh interpreter with that folder and that model."""
    env = {
        **os.environ,
        "IMAGEWRIGHT_HOME": str(home),
        "IMAGEWRIGHT_MODELS": str(models),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)


# --- drawing --------------------------------------------------------------------------------


def test_a_prompt_becomes_a_picture_with_its_trace(engine: Imagewright, tmp_path: Path) -> None:
    events: list[RunEvent] = []
    result = engine.draw(
        PROMPT, seed=3, flow="mini-quick", max_images=1, out=str(tmp_path / "a.png"), on_event=events.append
    )
    assert events[0].kind == "run"
    assert {event.run for event in events} == {result.run}
    assert [event.kind for event in events].count("step") == 10
    with Image.open(result.path) as image:
        image.load()
        assert image.size == (128, 128)
        assert json.loads(image.text["prompt"])["2"]["inputs"]["text"] == f"{PROMPT} on a white background"  # type: ignore[attr-defined]
    trace = json.loads((tmp_path / "a.json").read_text())
    assert trace["facts"][0]["device"] == "cpu"
    assert trace["versions"]["torch"]
    assert {row.id: row.status for row in engine.runs.list()}[result.run] == "delivered"
    assert engine.runs.show(result.run)["image"] == result.image


def test_the_same_seed_draws_the_same_picture_in_another_process(
    engine: Imagewright, home: Path, models: Path, tmp_path: Path
) -> None:
    options = {"seed": 5, "flow": "mini-quick", "max_images": 1, "out": str(tmp_path)}
    here = engine.draw(PROMPT, **options)
    code = f"from imagewright import Imagewright; print(Imagewright().draw({PROMPT!r}, **{options!r}).image)"
    done = in_a_process(code, home, models)
    assert done.stdout.strip() == here.image, done.stderr
    assert engine.draw(PROMPT, **{**options, "seed": 6}).image != here.image


def test_the_picture_goes_into_the_working_folder_unless_told_otherwise(
    engine: Imagewright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = engine.draw(PROMPT, flow="mini-quick", max_images=1)
    assert Path(result.path) == tmp_path / f"imagewright-{result.run}.png"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".png"]


def test_words_outside_the_models_world_are_told_before_anything_is_drawn(engine: Imagewright, tmp_path: Path) -> None:
    with pytest.raises(CannotDraw, match="'astronaut'") as error:
        engine.draw("an astronaut riding a horse", out=str(tmp_path))
    assert "--anyway" in error.value.remedy
    assert "checkpoints" in error.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": " \n\t"}, "the prompt is empty"),
        ({"prompt": "a red \x00 circle"}, "not text"),
        ({"prompt": "\ud800"}, "not text"),
        ({"prompt": "red " * 9000}, "characters"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 2**64}, "seed"),
        ({"seed": "one"}, "seed"),
        ({"width": 0}, "width 0"),
        ({"height": 100_000}, "height"),
        ({"max_images": -1}, "-1"),
        ({"max_seconds": float("nan")}, "nan"),
        ({"thread": " "}, "thread"),
        ({"flow": "nope"}, "no flow is called 'nope'"),
        ({"backend": "nope"}, "no backend is called 'nope'"),
        ({"llm": "nope"}, "cannot read the language model"),
        ({"colour": "red"}, "colour"),
        ({"out": "/dev/null/a.png"}, "cannot write"),
        ({"out": "nowhere/a.png"}, "cannot write"),
        ({"out": "a.gif"}, "not the name of a picture"),
        ({"out": "notes.json"}, "not the name of a picture"),
        ({"out": "a.jpg", "format": "webp"}, "not the name of a WEBP"),
        ({"size": 64}, "no option 'size'"),
        ({"image": "notes.json"}, "is no picture"),
        ({"image": "nowhere.png"}, "cannot be read as a picture"),
        ({"mask": "notes.json"}, "of no use without an image"),
    ],
)
def test_bad_input_is_told_in_one_line_and_leaves_nothing(
    change: dict[str, Any], complaint: str, engine: Imagewright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.json").write_text('{"mine": 1}')
    with pytest.raises(BadInput) as error:
        engine.draw(**{"prompt": PROMPT, "max_images": 1, "out": str(tmp_path), **change})
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["notes.json"]


def test_a_run_that_is_not_there_cannot_be_resumed(engine: Imagewright) -> None:
    with pytest.raises(BadInput, match="no run is called"):
        engine.resume("nope")


def test_a_request_can_be_given_whole(engine: Imagewright, tmp_path: Path) -> None:
    request = DrawRequest(prompt=PROMPT, flow="mini-quick", max_images=1, seed=2**64 - 1)
    result = engine.draw(request, out=str(tmp_path / "b"))
    assert (result.seed, Path(result.path).name) == (2**64 - 1, "b.png")


def test_ctrl_c_stops_between_steps_and_the_run_can_be_resumed(home: Path, models: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom imagewright import Imagewright\nfrom imagewright.errors import Cancelled\n"
        "def tell(event): print(event.kind, event.run, flush=True)\n"
        "try:\n"
        f"    options = dict(seed=4, flow='mini-careful', max_images=1, out=sys.argv[1])\n"
        f"    Imagewright().draw({PROMPT!r}, on_event=tell, **options)\n"
        "except Cancelled as error:\n    print('CANCELLED', error.remedy, flush=True)\n"
    )
    env = {
        **os.environ,
        "IMAGEWRIGHT_HOME": str(home),
        "IMAGEWRIGHT_MODELS": str(models),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    command = [sys.executable, "-c", code, str(tmp_path)]
    process = warm.Popen(command, env=env, stdout=warm.PIPE, stderr=warm.PIPE, text=True)
    assert process.stdout is not None
    run = ""
    for line in process.stdout:
        run = run or line.split()[1]
        if line.startswith("step"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=120)
    assert f"CANCELLED go on with: imagewright runs resume {run}" in out, out + err
    assert list(tmp_path.iterdir()) == []
    engine = Imagewright(Settings(data_dir=home, model_roots=(models,), device="cpu"))
    assert engine.runs.get(run).status == "cancelled"
    assert engine.resume(run).run == run
    assert (tmp_path / f"imagewright-{run}.png").is_file()


# --- planning -------------------------------------------------------------------------------


def test_a_plan_draws_nothing_and_knows_what_would(engine: Imagewright, tmp_path: Path) -> None:
    before = len(engine.runs.list(1000))
    plan = engine.plan("two red circles above a blue square on a white background")
    assert [box.caption for box in plan.layout.boxes] == ["a red circle", "a red circle", "a blue square"]
    assert plan.candidates[0].flow.startswith("mini-")
    assert plan.candidates[0].runnable
    assert any(not candidate.runnable and candidate.why_not for candidate in plan.candidates)
    assert plan.categories
    assert len(engine.runs.list(1000)) == before


@pytest.mark.parametrize("prompt", ["an astronaut riding a horse", "???", "🦊", "x" * 5000])
def test_a_plan_never_fails_for_what_cannot_be_drawn(prompt: str, engine: Imagewright) -> None:
    plan = engine.plan(prompt)
    assert plan.prompt == prompt
    assert any("cannot draw" in note for note in plan.notes)


def test_a_plan_for_a_named_flow(engine: Imagewright) -> None:
    assert engine.plan(PROMPT, flow="mini-quick").candidates[0].flow == "mini-quick"
    assert "flux1-dev cannot run here" in engine.plan(PROMPT, flow="flux1-dev").notes[0]
    with pytest.raises(BadInput, match="no flow is called"):
        engine.plan(PROMPT, flow="nope")


def test_a_language_model_decides_and_the_rules_take_over_where_it_fails(engine: Imagewright, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    offered = engine.plan(PROMPT).candidates
    second = [candidate.flow for candidate in offered if candidate.runnable][1]
    script.write_text(
        json.dumps(
            [
                {"labels": [{"label": "Told by a model", "confidence": 0.9}]},
                {"flow": second, "reason": "why not"},
                *["no"] * 3,
            ]
        )
    )
    events: list[RunEvent] = []
    result = engine.draw(
        PROMPT, llm=f"scripted:{script}", max_images=1, use_critic=False, out=str(tmp_path), on_event=events.append
    )
    assert result.categories == ("Told by a model",)
    assert result.flow == second
    [fallback] = [event.text for event in events if event.kind == "fallback"]
    assert fallback.startswith("the rules placed the boxes: ")
    assert "no usable answer in 3 tries" in fallback
    assert fallback in result.notes
    assert engine.runs.show(result.run)["spent"]["tokens_out"] > 0


def test_readiness_of_every_flow(engine: Imagewright) -> None:
    readiness = engine.readiness()
    assert readiness["mini-quick"].runnable
    assert not readiness["flux1-dev"].runnable
    assert readiness["flux1-dev"].why_not


# --- what it costs --------------------------------------------------------------------------


def test_making_one_opens_and_imports_nothing(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom imagewright import Imagewright\nImagewright()\n"
        "heavy = {'torch', 'langgraph', 'chromadb', 'diffusers', 'transformers', 'langchain_core'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = in_a_process(code, tmp_path / "home", tmp_path)
    assert done.stdout.strip() == "[]", done.stderr
    assert not (tmp_path / "home").exists()


def test_a_plan_imports_no_diffusers(home: Path, models: Path) -> None:
    code = (
        f"import sys\nfrom imagewright import Imagewright\nImagewright().plan({PROMPT!r})\n"
        "print('diffusers' in sys.modules, 'langgraph' in sys.modules)"
    )
    done = in_a_process(code, home, models)
    assert done.stdout.strip() == "False False", done.stderr


# --- the shipped model ----------------------------------------------------------------------


@pytest.mark.skipif(not SHIPPED.is_file(), reason="mini's weights are not in the tree yet")
def test_the_shipped_model_draws_what_is_asked(home: Path, tmp_path: Path) -> None:
    from imagewright.evals.exact_checker import look

    engine = Imagewright(Settings(data_dir=home, model_roots=(tmp_path / "models",), device="cpu"))
    result = engine.draw("a red circle on a white background", seed=1, out=str(tmp_path / "c.png"))
    assert result.rounds[-1].verdict is not None
    with Image.open(result.path) as image:
        seen = look(image)
    assert [(piece.colour, piece.shape) for piece in seen.pieces] == [("red", "circle")]


# --- what was the command line's alone ------------------------------------------------------


def test_a_batch_is_drawn_by_any_door_and_goes_on(engine: Imagewright, tmp_path: Path) -> None:
    told: list[tuple[int, str]] = []
    options = {"flow": "mini-quick", "max_images": 1, "use_critic": False, "seed": 1}
    drawn = engine.draw_batch(
        [PROMPT, "an astronaut"], tmp_path / "b", on_row=lambda n, row: told.append((n, row["status"])), **options
    )
    assert told == [(0, "delivered"), (1, "failed")]
    assert "astronaut" in drawn.rows[1]["error"]
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        "001.json", "001.png", "contact-sheet.png", "manifest.json"
    ]  # fmt: skip
    before = len(engine.runs.list(1000))
    assert engine.draw_batch([PROMPT, "an astronaut"], tmp_path / "b", **options).rows[0] == drawn.rows[0]
    assert len(engine.runs.list(1000)) == before + 1
    with pytest.raises(BadInput, match="colour"):
        engine.draw_batch([PROMPT], tmp_path / "c", colour="red")


def test_a_conversation_is_exported_explained_and_deleted(engine: Imagewright, tmp_path: Path) -> None:
    chat = engine.chat("stars", flow="mini-quick", use_critic=False, max_images=1, seed=1, out=str(tmp_path / "p"))
    reply = chat.say("a red circle")
    assert reply.result is not None
    assert engine.export_thread("stars", tmp_path / "out") == 1
    assert (tmp_path / "out" / "001.png").is_file()
    assert "mini-quick" in engine.explain(reply.run, "flow")
    with pytest.raises(BadInput, match="nothing to say about 'weather'"):
        engine.explain(about="weather")
    assert list(engine.suggest_names("threads", "st")) == ["stars"]
    engine.delete_thread("stars")
    assert not Path(reply.result.path).exists()
    with pytest.raises(BadInput, match="no thread"):
        engine.delete_thread("stars")


def test_models_are_scanned_and_none_is_fetched_where_the_person_does_not_agree(
    engine: Imagewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imagewright.t2i_backends.models.download import Hub, Remote

    assert ("checkpoints", "mini") in {(seen.kind, seen.name) for seen in engine.scan_models(add_flows=False).models}
    asked: list[int] = []

    def refuse(download: Any) -> bool:
        asked.append(download.bytes)
        return False

    monkeypatch.setattr(Hub, "look", lambda self, url, target: [Remote(url, target / "x.safetensors", 5)])
    monkeypatch.setattr(Hub, "fetch", lambda self, remote, on_bytes: pytest.fail("it was fetched"))
    assert engine.pull_models("flux1-dev", refuse) == ()
    assert asked == [5]
    assert any(not needed.here and "flux1-dev" in needed.flows for needed in engine.list_models())


def test_what_works_here_is_found_without_a_terminal(engine: Imagewright) -> None:
    states = {finding.what: finding.state for finding in engine.examine()}
    assert states["flow index"] == states["checkpoints"] == "ok"
    assert states["flow flux1-dev"] == "missing"


def test_the_values_of_its_methods_can_be_imported_from_the_api() -> None:
    from imagewright import api

    assert {name for name in api.__all__ if getattr(api, name) is None} == set()
    with pytest.raises(AttributeError, match="Nothing"):
        api.Nothing  # noqa: B018
