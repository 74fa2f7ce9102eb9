"""Doctor says what is wrong with databases, vector index and locks, with a remedy; what it cannot read it leaves."""

from __future__ import annotations

import errno
import fcntl
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from imagewright import Imagewright, doctor
from imagewright.api import Finding
from imagewright.settings import load_settings


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the shipped flows, scores and a vector index."""
    home = tmp_path_factory.mktemp("filled") / "home"
    with closing(Imagewright(load_settings({"IMAGEWRIGHT_HOME": str(home)}))) as engine:
        engine.index.search("shapes", 1)
        with engine.index.reading() as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return home


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(filled, tmp_path / "home", ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    return tmp_path / "home"


def findings(home: Path) -> dict[str, Finding]:
    with closing(Imagewright(load_settings({"IMAGEWRIGHT_HOME": str(home)}))) as engine:
        return {finding.what: finding for finding in engine.examine()}


def spoil_pages(home: Path) -> None:
    data = bytearray((home / "imagewright.sqlite").read_bytes())
    rng = random.Random(1)
    for page in rng.sample(range(20, len(data) // 4096), 40):
        data[page * 4096 : page * 4096 + 4096] = rng.randbytes(4096)
    (home / "imagewright.sqlite").write_bytes(data)


def run_sql(statement: str) -> Callable[[Path], None]:
    def harm(home: Path) -> None:
        with closing(sqlite3.connect(home / "imagewright.sqlite")) as db:
            db.execute(statement)
            db.commit()

    return harm


def spoil_chroma(home: Path) -> None:
    (database,) = (home / "chroma").glob("*/chroma.sqlite3")
    data = bytearray(database.read_bytes())
    data[4096 : 30 * 4096] = random.Random(2).randbytes(29 * 4096)
    database.write_bytes(data)


HARMS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "pages": (spoil_pages, "damaged", "move it away"),
    "no database": (lambda home: (home / "imagewright.sqlite").write_bytes(b"junk" * 3000), "damaged", "move it away"),
    "newer": (run_sql("PRAGMA user_version = 99"), "newer version", "upgrade"),
    "newer tables": (run_sql("UPDATE parts SET version = 99 WHERE owner = 'retrieval'"), "newer version", "upgrade"),
    "vectors": (run_sql("UPDATE flows SET vector = x'00'"), "vectors do not fit", "flows reindex"),
    "Chroma": (spoil_chroma, "vector index is damaged", "flows reindex"),
}


@pytest.mark.parametrize("name", HARMS)
def test_what_is_wrong_with_the_index_is_said(name: str, home: Path) -> None:
    harm, says, remedy = HARMS[name]
    harm(home)
    before = (home / "imagewright.sqlite").read_bytes()
    found = findings(home)["flow index"]
    assert (found.state, says in found.detail, remedy in found.detail + found.remedy) == ("broken", True, True), found
    if name in ("no database", "newer"):
        assert (home / "imagewright.sqlite").read_bytes() == before


def test_a_whole_home_without_a_vector_index_is_well(home: Path) -> None:
    shutil.rmtree(home / "chroma")
    found = findings(home)
    assert found["flow index"].state == found["checkpoints"].state == found["file locks"].state == "ok"


def test_a_disk_without_locks_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    found = findings(home)["file locks"]
    assert found.state == "broken"
    assert "knows no locks" in found.detail
    assert "IMAGEWRIGHT_HOME" in found.remedy


def test_of_very_many_flows_only_the_first_are_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_NAMED", 3)
    found = findings(home)
    assert len([what for what in found if what.startswith("flow ") and what != "flow index"]) == 3
    assert " more" in found["flows that run here"].detail
    assert any(what.endswith("flows more") for what in found)
