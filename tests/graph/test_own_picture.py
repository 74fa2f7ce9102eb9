"""A picture of the person's own: checked at the boundary, fitted, kept, drawn from; and the formats of files."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagewright.errors import BadInput, CannotDraw
from imagewright.graph.own_picture import STRENGTH, check_pictures, take_pictures
from imagewright.graph.picture_file import name_file, pack_picture
from imagewright.graph.replay import replay
from imagewright.memory.artifacts import ArtifactStore
from imagewright.ports import Drawn
from imagewright.retrieval.intake import build_flow
from imagewright.schemas import DrawRequest, Flow, RunEvent

Studio = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """An empty store."""
    return ArtifactStore(tmp_path / "store")


def photo(folder: Path, size: tuple[int, int] = (200, 100), mode: str = "RGB", name: str = "photo.png") -> Path:
    """A picture of somebody's: red at the left, blue at the right."""
    image = Image.new(mode, size, "blue")
    image.paste(Image.new(mode, (size[0] // 2, size[1]), "red"), (0, 0))
    image.save(folder / name)
    return folder / name


def mask(folder: Path, size: tuple[int, int] = (200, 100)) -> Path:
    """White in the left half."""
    image = Image.new("L", size, 0)
    image.paste(255, (0, 0, size[0] // 2, size[1]))
    image.save(folder / "mask.png")
    return folder / "mask.png"


# --- the boundary ---------------------------------------------------------------------------


def test_a_picture_and_its_mask_are_kept_by_their_hashes(tmp_path: Path, store: ArtifactStore) -> None:
    request = DrawRequest(prompt="a", image=photo(tmp_path), mask=mask(tmp_path, (100, 50)))
    taken = take_pictures(request, store)
    assert store.has(taken.image or "")
    assert store.open(taken.mask or "").size == (200, 100)
    assert not taken.use_critic
    assert take_pictures(taken, store) == taken
    assert DrawRequest.model_validate_json(taken.model_dump_json()) == taken


def test_what_is_transparent_in_a_picture_is_white_and_in_a_mask_drawn_anew(
    tmp_path: Path, store: ArtifactStore
) -> None:
    Image.new("RGBA", (32, 32), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    taken = take_pictures(DrawRequest(prompt="a", image=tmp_path / "clear.png", mask=tmp_path / "clear.png"), store)
    assert store.open(taken.image or "").getpixel((0, 0)) == (255, 255, 255)
    assert store.open(taken.mask or "").getpixel((0, 0)) == (255, 255, 255)


def test_bad_pictures_are_told_in_one_line(tmp_path: Path, store: ArtifactStore) -> None:
    good, text = photo(tmp_path), tmp_path / "text.png"
    text.write_text("not a picture")
    tiny = photo(tmp_path, (8, 8), name="tiny.png")
    Image.new("L", (200, 100), 0).save(tmp_path / "black.png")
    for change, says in (
        ({"image": text}, "is no picture"),
        ({"image": tmp_path}, "cannot be read"),
        ({"image": tiny}, "has 8 x 8 pixels"),
        ({"image": "~nobody-at-all/x.png"}, "cannot be read"),
        ({"image": good, "mask": mask(tmp_path, (100, 100))}, "the mask 'mask.png' has 100 x 100 pixels"),
        ({"image": good, "mask": tmp_path / "black.png"}, "black everywhere"),
    ):
        request = DrawRequest(prompt="a", **change)  # type: ignore[arg-type]
        for look in (
            lambda request=request: take_pictures(request, store),
            lambda request=request: check_pictures(request),
        ):
            with pytest.raises(BadInput) as caught:
                look()
            assert says in str(caught.value)
            assert "\n" not in str(caught.value)
            assert caught.value.remedy


@pytest.mark.parametrize("change", [{"mask": "m.png"}, {"strength": 0.5}])
def test_a_mask_or_strength_without_an_image_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="without an image"):
        DrawRequest(prompt="a", **change)


@pytest.mark.parametrize("strength", [0, -0.1, 1.01, float("nan")])
def test_a_strength_beyond_its_bounds_is_refused(strength: float) -> None:
    with pytest.raises(BadInput, match="the strength"):
        DrawRequest(prompt="a", image="x.png", strength=strength)


# --- drawing --------------------------------------------------------------------------------


def begun(home: Any, **options: Any) -> Any:
    """A run of a request whose pictures are taken, as every door does it."""
    taken = take_pictures(DrawRequest(prompt="a red circle", **options), home.store)
    return home.draw(**taken.model_dump(exclude={"seed", "out", "pasted"}))


def test_a_run_starts_from_the_picture_and_can_be_replayed(studio: Studio, tmp_path: Path) -> None:
    home = studio()
    result = begun(home, image=photo(tmp_path), steps=7, guidance=2.5)
    job = home.backend.jobs[0]
    assert job.redraw.strength == STRENGTH
    assert job.redraw.mask is None
    assert job.regions == ()
    assert (job.steps, job.guidance) == (7, 2.5)
    assert job.redraw.image.size == (128, 128)  # the one size that this small model draws
    assert any("starts from your image" in note for note in result.notes)
    assert any("128 x 128" in note for note in result.notes)
    (tmp_path / "photo.png").unlink()
    assert replay(home.parts, home.runs.trace(result.run), _ignore).same
    assert home.backend.jobs[-1].redraw.strength == STRENGTH


def test_a_mask_goes_along_and_what_is_drawn_into_it_is_not_checked(studio: Studio, tmp_path: Path) -> None:
    home = studio()
    result = begun(home, image=photo(tmp_path), mask=mask(tmp_path))
    redraw = home.backend.jobs[0].redraw
    assert redraw.strength == 1
    assert np.asarray(redraw.mask.convert("L"))[64, [10, 120]].tolist() == [255, 0]
    assert [made.verdict for made in result.rounds] == [None]
    assert any("not checked" in note for note in result.notes)


def test_another_seed_is_the_only_repair_of_what_starts_from_a_picture(
    studio: Studio, kit: ModuleType, tmp_path: Path
) -> None:
    home = studio(flaw=kit.always_a_star_too_many)
    result = begun(home, image=photo(tmp_path), strength=0.5)
    assert len(result.rounds) == 4
    assert {made.repair.name for made in result.rounds if made.repair} == {"new seed"}
    assert len({made.base for made in result.rounds}) == 1
    assert len({made.seed for made in result.rounds}) == 4
    assert {job.redraw.strength for job in home.backend.jobs} == {0.5}


def test_flows_that_cannot_start_from_a_picture_are_not_offered(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = studio()
    monkeypatch.setattr(home.backend, "can_redraw", lambda flow: flow.id == "fast")
    assert begun(home, image=photo(tmp_path)).flow == "fast"
    monkeypatch.setattr(home.backend, "can_redraw", lambda flow: False)
    with pytest.raises(CannotDraw, match="no flow here can start from a picture"):
        begun(home, image=photo(tmp_path))
    with pytest.raises(CannotDraw, match="flow fine cannot start from a picture"):
        begun(home, image=photo(tmp_path), flow="fine")


def test_a_flow_of_any_size_keeps_the_shape_of_the_picture(studio: Studio, tmp_path: Path) -> None:
    home = studio(flows={"open": 0.9})
    begun(home, image=photo(tmp_path, (400, 100)))
    assert home.backend.jobs[0].redraw.image.size == (256, 64)


def test_a_picture_beside_a_change_is_where_it_starts_or_left_out(studio: Studio, tmp_path: Path) -> None:
    home = studio()
    brought = take_pictures(DrawRequest(prompt="x", image=photo(tmp_path)), home.store).image
    home.say("a red circle and a blue square")
    home.say("make the circle green", image=brought)
    part = home.backend.jobs[-1]
    assert len(part.regions) == 2, "the layout still governs"
    assert part.redraw.strength == 1
    assert any("the image is left out" in text for text in home.told("note"))
    home.say("one more", image=brought)
    whole = home.backend.jobs[-1]
    assert whole.prompt == "a green circle and a blue square"
    assert whole.redraw.strength == STRENGTH
    assert whole.redraw.image.getpixel((0, 0)) == (255, 0, 0)
    assert any("starts from your image" in text for text in home.told("note"))


# --- flows with a place of their own for it ---------------------------------------------------


def theirs(home: Any, kit: ModuleType, monkeypatch: pytest.MonkeyPatch, hole: bool = False, **slots: Any) -> Flow:
    """The one flow of ``home``, which samples from its own LoadImage, inside of its alpha with ``hole``."""
    graph = copy.deepcopy(kit.GRAPH)
    graph["5"] = {"class_type": "LoadImage", "inputs": {"image": "left-over.png"}}
    inputs = {"pixels": ["5", 0], "vae": ["4", 2], **({"mask": ["5", 1]} if hole else {})}
    graph["6"] = {"class_type": "VAEEncodeForInpaint" if hole else "VAEEncode", "inputs": inputs}
    graph["3"]["inputs"] |= {"latent_image": ["6", 0], "denoise": 0.4}
    flow = build_flow(graph, "open", {"title": "Theirs"})
    card = flow.card.model_copy(update={"slots": {n: at for n, at in flow.card.slots.items() if n not in slots}})
    flow = flow.model_copy(update={"card": card})
    monkeypatch.setattr(home.parts.catalogue, "flow", lambda name: flow)
    monkeypatch.setattr(home.backend, "can_redraw", lambda flow: False)
    return flow


def test_the_picture_goes_into_the_flows_own_place(
    studio: Studio, kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = studio(flows={"open": 0.9})
    flow = theirs(home, kit, monkeypatch)
    result = begun(home, image=photo(tmp_path))
    job = home.backend.jobs[0]
    ((name, brought),) = job.pictures.items()
    assert job.redraw is None
    assert job.flow.graph["5"]["inputs"]["image"] == name
    assert job.flow.graph["3"]["inputs"]["denoise"] == 0.4
    assert (job.width, job.height) == (None, None)
    assert brought.size == (192, 96)  # its own size, in steps that every model takes
    assert any("your image is the flow's start picture (node 5)" in note for note in result.notes)
    assert flow.graph["5"]["inputs"]["image"] == "left-over.png"
    (tmp_path / "photo.png").unlink()
    assert replay(home.parts, home.runs.trace(result.run), _ignore).same
    assert home.backend.jobs[-1].pictures.keys() == job.pictures.keys()


def test_strength_and_size_are_those_that_are_asked_for_and_a_photograph_is_made_smaller(
    studio: Studio, kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = studio(flows={"open": 0.9})
    theirs(home, kit, monkeypatch)
    begun(home, image=photo(tmp_path), strength=0.9, width=64, height=128)
    assert home.backend.jobs[0].flow.graph["3"]["inputs"]["denoise"] == 0.9
    assert [each.size for each in home.backend.jobs[0].pictures.values()] == [(64, 128)]
    begun(home, image=photo(tmp_path, (4000, 2000)))
    assert [each.size for each in home.backend.jobs[-1].pictures.values()] == [(1776, 880)]
    theirs(home, kit, monkeypatch, denoise=None)
    result = begun(home, image=photo(tmp_path), strength=0.9)
    assert home.backend.jobs[-1].flow.graph["3"]["inputs"]["denoise"] == 0.4
    assert any("the strength is left out" in note for note in result.notes)


def test_what_the_mask_of_such_a_flow_keeps_stays(
    studio: Studio, kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = studio(flows={"open": 0.9})
    theirs(home, kit, monkeypatch, hole=True)
    white = Image.new("RGB", (192, 96), "white")
    monkeypatch.setattr(home.backend, "draw", lambda job, *_: home.backend.jobs.append(job) or Drawn(white, 0.0))
    result = begun(home, image=photo(tmp_path), mask=mask(tmp_path))
    (brought,) = home.backend.jobs[0].pictures.values()
    assert [brought.getpixel(at)[3] for at in ((10, 48), (180, 48))] == [0, 255]
    made = home.store.open(result.image)
    assert [made.getpixel(at) for at in ((10, 48), (180, 48))] == [(255, 255, 255), (0, 0, 255)]
    with pytest.raises(CannotDraw, match="needs a mask, too"):
        begun(home, image=photo(tmp_path), flow="open")


def _ignore(event: RunEvent) -> None:
    pass


# --- formats --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wanted", "file"),
    [
        ("a", None, "a.png"), ("a", "jpeg", "a.jpg"), ("a", "webp", "a.webp"), ("a.JPG", None, "a.JPG"),
        ("a.jpeg", "jpeg", "a.jpeg"), ("a.webp", None, "a.webp"),
    ],
)  # fmt: skip
def test_the_ending_says_the_format(name: str, wanted: Any, file: str) -> None:
    assert name_file(Path(name), wanted).name == file


@pytest.mark.parametrize(("name", "wanted"), [("a.gif", None), ("a.png", "jpeg"), ("a.json", None), ("a.b", "webp")])
def test_another_ending_is_refused(name: str, wanted: Any) -> None:
    with pytest.raises(BadInput, match="is not the name of a"):
        name_file(Path(name), wanted)


@pytest.mark.parametrize(("name", "kind"), [("x.jpg", "JPEG"), ("x.webp", "WEBP"), ("x.png", "PNG")])
def test_a_picture_is_delivered_in_the_format_of_its_name(studio: Studio, name: str, kind: str) -> None:
    home = studio()
    result = home.draw("a red circle", out=str(home.home / name))
    with Image.open(result.path) as picture:
        assert picture.format == kind
        difference = np.abs(
            np.asarray(picture.convert("RGB"), float) - np.asarray(home.store.open(result.image), float)
        )
        assert difference.mean() < 4
        if kind != "PNG":
            comment = picture.getexif().get_ifd(0x8769)[0x9286]
            assert "Seed: 7" in bytes(comment).removeprefix(b"UNICODE\0").decode("utf-16-be")
    assert result.picture.size == (128, 128) or result.picture.size == home.store.open(result.image).size
    assert result._repr_png_().startswith(b"\x89PNG")
    Path(result.path).unlink()
    assert result._repr_png_() is None
    with pytest.raises(BadInput, match="is not at"):
        result.picture  # noqa: B018


def test_without_texts_nothing_is_said_in_the_file(tmp_path: Path) -> None:
    png = photo(tmp_path).read_bytes()
    for name in ("a.jpg", "a.webp"):
        (tmp_path / name).write_bytes(pack_picture(png, tmp_path / name, {}))
        with Image.open(tmp_path / name) as picture:
            assert not picture.getexif()
