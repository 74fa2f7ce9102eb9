"""Answers and endpoints are remembered in SQLite, the least used are forgotten first."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.errors import BadInput
from imagewright.memory import llm_cache
from imagewright.memory.llm_cache import Known, LLMCache, answer_key


def test_an_answer_is_found_under_its_key_in_another_process_too(tmp_path: Path) -> None:
    LLMCache(tmp_path / "db").keep("k", "m", '{"a": 1}')
    assert LLMCache(tmp_path / "db").answer("k") == '{"a": 1}'
    assert LLMCache(tmp_path / "db").answer("other") is None


def test_a_key_depends_on_everything_and_not_on_order() -> None:
    facts = {"model": "m", "messages": ["a", "b"], "schema": {"x": 1, "y": 2}}
    assert answer_key(facts) == answer_key(dict(reversed(facts.items())))
    changes = ({"model": "n"}, {"messages": ["b", "a"]}, {"schema": {"x": 1}}, {"prompt": 2})
    assert len({answer_key({**facts, **change}) for change in ({}, *changes)}) == 5


def test_the_least_used_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(llm_cache.time, "time", lambda: float(next(clock)))
    monkeypatch.setattr(llm_cache, "MOST_ANSWERS", 2)
    cache = LLMCache(tmp_path / "db")
    for key in ("a", "b"):
        cache.keep(key, "m", key)
    assert cache.answer("a") == "a"
    cache.keep("c", "m", "c")
    assert [cache.answer(key) for key in ("a", "b", "c")] == ["a", None, "c"]
    assert cache.forget() == 2


def test_what_an_endpoint_can_do_is_remembered_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = LLMCache(tmp_path / "db")
    assert cache.recall("e") == Known()
    cache.learn("e", Known(way="words", vision=False))
    assert cache.recall("e") == Known(way="words", vision=False)
    later = llm_cache.time.time() + llm_cache.FRESH + 1
    monkeypatch.setattr(llm_cache.time, "time", lambda: later)
    assert cache.recall("e") == Known()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("words " * 1000)
    with pytest.raises(BadInput, match="not a database"):
        LLMCache(tmp_path / "db").answer("k")
