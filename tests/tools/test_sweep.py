"""The sweep: its prompts are always the same, and its command says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.errors import BadInput
from imagewright.t2i_backends.mini.captions import synonyms
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES
from imagewright.tools.sweep import SCENE_SIZES, load_prompts, main, world_prompts


def other_words(name: str) -> set[str]:
    """A thing's or colour's own name and its synonyms."""
    return {name, *(word for word, meant in synonyms().items() if meant == name)}


def test_measuring_prompts_are_mini_s_world_and_always_the_same() -> None:
    prompts = world_prompts()
    assert len(prompts) == 60
    assert prompts == world_prompts()
    assert list(world_prompts(5)) == list(prompts)[:5]
    for text, facts in prompts.items():
        assert facts.parsed is not None
        for group in facts.parsed.groups:
            assert group.object in SHAPES
            assert any(word in text for word in other_words(group.object))
            assert any(word in text.split() for word in other_words(group.attributes[-1]))
            assert group.attributes[-1] in COLOURS
            assert set(group.attributes[:-1]) <= set(SCENE_SIZES) & set(text.split())
        assert ("Counting" in facts.categories) == any(group.count > 1 for group in facts.parsed.groups)
        assert ("Attribute binding" in facts.categories) == (len(facts.parsed.groups) > 1)


def test_prompts_are_written_where_absent_and_read_where_there(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    assert load_prompts(path, 4) == world_prompts(4)
    before = path.read_text()
    assert load_prompts(path, 9) == world_prompts(4)
    assert path.read_text() == before
    path.write_text('{"prompt": "a red star"}\n{"text": 1}\n')
    with pytest.raises(BadInput, match="line 2"):
        load_prompts(path, 4)
    path.write_text("")
    with pytest.raises(BadInput, match="no prompt"):
        load_prompts(path, 4)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--flows", "mini-none"], "no shipped flow is called 'mini-none'"),
        (["--seeds", "0"], "--seeds and --count"),
        (["--backend", "none"], "no backend is called 'none'"),
    ],
)
def test_the_command_says_what_is_wrong_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(["--out", str(tmp_path / "e.jsonl"), *arguments]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") <= 3
    assert not list(tmp_path.iterdir())
