"""Pictures are kept whole, by their content, and nothing from outside becomes a path."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from imagewright.errors import BadInput, Fault
from imagewright.memory.artifacts import ArtifactStore, Made, content_key, with_text, write_whole


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """An empty store."""
    return ArtifactStore(tmp_path / "artifacts")


def red() -> Image.Image:
    """A small picture."""
    return Image.new("RGB", (5, 3), "red")


def test_a_picture_is_named_by_the_hash_of_its_file(store: ArtifactStore) -> None:
    sha = store.put_image(red())
    path = store.get(sha)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha
    assert path.parent.name == sha[:2]
    assert store.open(sha).tobytes() == red().tobytes()
    assert store.has(sha)


def test_the_same_picture_twice_is_one_file_and_metadata_does_not_count(store: ArtifactStore) -> None:
    plain, told = red(), red()
    told.info["parameters"] = "a secret"
    assert store.put_image(plain) == store.put_image(told)
    files = [path for path in store.root.rglob("*") if path.is_file()]
    assert len(files) == 1
    assert b"secret" not in files[0].read_bytes()


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "/" + "a" * 63])
def test_what_is_not_a_hash_is_never_a_path(store: ArtifactStore, name: str) -> None:
    with pytest.raises(BadInput, match="not the name of a picture"):
        store.get(name)
    assert not store.has(name)


def test_a_picture_that_is_gone(store: ArtifactStore) -> None:
    with pytest.raises(BadInput, match="not in the store"):
        store.get("a" * 64)


def test_what_a_job_has_made_is_known_until_its_picture_is_gone(store: ArtifactStore) -> None:
    key = content_key({"seed": 1})
    assert store.find(key) is None
    sha = store.put_image(red())
    store.put_made(key, Made(image=sha, seconds=1.5, facts={"device": "cpu"}))
    assert store.find(key) == Made(image=sha, seconds=1.5, facts={"device": "cpu"})
    store.get(sha).unlink()
    assert store.find(key) is None


def test_the_other_pictures_of_a_batch_are_kept_and_forgotten_with_it(store: ArtifactStore) -> None:
    """But not while another job holds them."""
    images = [store.put_image(Image.new("RGB", (2, 2), colour)) for colour in ("red", "green", "blue", "white")]
    store.put_made("a" * 64, Made(image=images[0], seconds=1, facts={}, more=(images[1], images[2])))
    store.put_made("b" * 64, Made(image=images[2], seconds=1, facts={}, more=(images[3],)))
    store.forget([images[0]])
    assert [store.has(image) for image in images] == [False, False, True, True]
    made = store.find("b" * 64)
    assert made is not None
    assert made.more == (images[3],)
    store.forget([images[3]])
    assert store.find("b" * 64) is None


def test_a_cut_sidecar_counts_as_none(store: ArtifactStore) -> None:
    key = content_key({"seed": 1})
    store.put_made(key, Made(image=store.put_image(red()), seconds=1, facts={}))
    [path] = (store.root / "keys").rglob("*.json")
    path.write_bytes(path.read_bytes()[:20])
    assert store.find(key) is None


def test_a_key_that_is_none_is_our_fault(store: ArtifactStore) -> None:
    with pytest.raises(Fault, match="content key"):
        store.find("../x")


def test_content_keys_tell_jobs_apart_and_know_them_again() -> None:
    assert content_key({"a": 1, "b": [2]}) == content_key({"b": [2], "a": 1})
    assert content_key({"a": 1}) != content_key({"a": "1"})


@pytest.mark.parametrize("run", ["..", "../x", "a/b", ""])
def test_previews_stay_in_their_folder(store: ArtifactStore, run: str) -> None:
    with pytest.raises(BadInput, match="not the id of a run"):
        store.put_preview(run, red())


def test_previews_go_with_their_run(store: ArtifactStore) -> None:
    sha = store.put_preview("20261121-120000-abcdef", red())
    assert store.preview("20261121-120000-abcdef", sha).is_file()
    store.drop_previews("20261121-120000-abcdef")
    assert not store.preview("20261121-120000-abcdef", sha).exists()


def test_text_chunks_can_be_read_back_and_leave_the_pixels_alone(store: ArtifactStore, tmp_path: Path) -> None:
    png = store.get(store.put_image(red())).read_bytes()
    (tmp_path / "told.png").write_bytes(with_text(png, {"prompt": '{"1": {}}', "imagewright": "a fœx's umbrella"}))
    with Image.open(tmp_path / "told.png") as image:
        image.load()
        assert image.text == {"prompt": '{"1": {}}', "imagewright": "a fœx's umbrella"}  # type: ignore[attr-defined]
        assert image.tobytes() == red().tobytes()


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept"
    write_whole(path, b"before")
    monkeypatch.setattr(os, "fsync", _no_space)
    with pytest.raises(BadInput, match="disk is full"):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def _no_space(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_larger_than_the_system_allows_is_not_left_cut(tmp_path: Path) -> None:
    """A real limit in a real process, where the kernel cuts the write short."""
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from imagewright.memory.artifacts import write_whole\nfrom imagewright.errors import BadInput\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    write_whole(Path(sys.argv[1]), b'x' * 5000)\n"
        "except BadInput as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "big")], capture_output=True, text=True, check=True
    )
    assert "disk is full" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot use"):
        ArtifactStore(tmp_path / "file").put_image(red())
